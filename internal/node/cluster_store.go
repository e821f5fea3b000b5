package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/identity"
	"github.com/larder-cache/larder/internal/cluster/membership"
	"github.com/larder-cache/larder/internal/config/etcd"
)

// Keys of the configuration service beside those of membership and settings.
const (
	keyMeta         = "meta"
	keyAuthority    = "authority"
	keyCoordinators = "coordinators"
	prefixGrants    = "grants/"
	prefixNodes     = "nodes/" // as membership has it
	prefixAlive     = "alive/"
)

// meta is what is said once of a cluster.
type meta struct {
	Form    int       `json:"form"`
	Cluster string    `json:"cluster"`
	Created time.Time `json:"created"`
	Seed    uint64    `json:"seed,string"`
}

// authorityRecord is the cluster's authority, as the configuration service has
// it: only members can read it.
type authorityRecord struct{ Certificate, Key []byte }

// coordinatorRecord is a node that runs a member of the configuration service,
// or is about to.
type coordinatorRecord struct {
	Node   cluster.NodeID `json:"node"`
	Client string         `json:"client"`
}

func newSeed() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// writeFounding writes what a new cluster begins with.
func (c *clustered) writeFounding(ctx context.Context, a *identity.Authority) error {
	text := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			panic("node: " + err.Error()) // numbers and strings
		}
		return b
	}
	ops := []etcd.Op{etcd.Write(keyMeta, text(meta{1, string(c.id.Cluster), c.id.Created, c.known.Seed}))}
	if a != nil {
		key, err := a.KeyPEM()
		if err != nil {
			return err
		}
		ops = append(ops, etcd.Write(keyAuthority, text(authorityRecord{a.CertificatePEM(), key})))
	}
	if c.coordinator != nil {
		ops = append(ops, etcd.Write(keyCoordinators, text([]coordinatorRecord{{c.id.Node, c.memberConfig().ClientAdvertise}})))
	}
	_, err := c.store.Commit(ctx, ops, etcd.IfAbsent(keyMeta))
	return err
}

// authority reads the cluster's authority.
func (c *clustered) authority(ctx context.Context) (*identity.Authority, error) {
	v, err := c.store.Get(ctx, keyAuthority)
	if err != nil {
		return nil, err
	}
	var r authorityRecord
	if err := json.Unmarshal(v.Data, &r); err != nil {
		return nil, fmt.Errorf("the cluster's authority: %w", err)
	}
	return identity.ParseAuthority(r.Certificate, r.Key)
}

// register implements [identity.Registrar] and [identity.Tokens] over the
// configuration service.
type register struct{ c *clustered }

// Lookup implements [identity.Registrar].
func (r register) Lookup(ctx context.Context, id cluster.NodeID) (known identity.Registered, err error) {
	v, err := r.c.store.Get(ctx, prefixNodes+string(id))
	if errors.Is(err, etcd.ErrNotFound) {
		return known, nil
	}
	if err != nil {
		return known, err
	}
	if err := json.Unmarshal(v.Data, &known.Node); err != nil {
		return known, fmt.Errorf("record of node %s: %w", id.Short(), err)
	}
	known.Known = true
	_, err = r.c.store.Get(ctx, prefixAlive+string(id))
	known.Alive = err == nil
	if errors.Is(err, etcd.ErrNotFound) {
		err = nil
	}
	return known, err
}

// wantedCoordinators is how many nodes run the configuration service: as many as
// survive the loss of one.
const wantedCoordinators = 3

// Admit implements [identity.Registrar].
func (r register) Admit(ctx context.Context, q identity.JoinRequest) (a identity.JoinAnswer, err error) {
	c := r.c
	if _, err := c.store.Get(ctx, prefixAlive+string(q.Node.ID)); err == nil {
		return a, &identity.Refusal{Reason: identity.ReasonAlive, Text: "node " + q.Node.ID.Short() + " is alive already"}
	}
	a.HashSeed, a.State = c.known.Seed, cluster.Active
	list, become, err := r.coordinators(ctx, q.Node)
	if err != nil {
		return a, err
	}
	for _, o := range list {
		if o.Node != q.Node.ID {
			a.Coordinators = append(a.Coordinators, o.Client)
		}
	}
	if a.BecomeCoordinator = become; become {
		a.Member = string(q.Node.ID)
	}
	return a, nil
}

// coordinators lists the coordinators; a node that is willing and wanted is put
// down as one first, so that two that join at the same time do not both become
// the third.
func (r register) coordinators(ctx context.Context, n cluster.Node) (list []coordinatorRecord, become bool, err error) {
	if len(r.c.cfg.Etcd.Endpoints) > 0 {
		return nil, false, nil
	}
	list, err = r.c.amendCoordinators(ctx, func(list []coordinatorRecord) []coordinatorRecord {
		if len(list) >= wantedCoordinators || !n.Coordinator || at(list, n.ID) >= 0 {
			return list
		}
		return append(list, coordinatorRecord{n.ID, besides(n.Peer, 1)})
	})
	return list, at(list, n.ID) >= 0, err
}

func at(list []coordinatorRecord, id cluster.NodeID) int {
	return slices.IndexFunc(list, func(o coordinatorRecord) bool { return o.Node == id })
}

// amendCoordinators changes the list of coordinators, and returns it.
func (c *clustered) amendCoordinators(ctx context.Context, change func([]coordinatorRecord) []coordinatorRecord) ([]coordinatorRecord, error) {
	for {
		var list []coordinatorRecord
		v, err := c.store.Get(ctx, keyCoordinators)
		switch {
		case errors.Is(err, etcd.ErrNotFound):
		case err != nil:
			return nil, err
		default:
			if err := json.Unmarshal(v.Data, &list); err != nil {
				return nil, fmt.Errorf("list of coordinators: %w", err)
			}
		}
		changed := change(slices.Clone(list))
		if slices.Equal(changed, list) {
			return list, nil
		}
		text, err := json.Marshal(changed)
		if err != nil {
			return nil, err
		}
		if _, err = c.store.Put(ctx, keyCoordinators, text, etcd.If(keyCoordinators, v.Revision)); err == nil {
			return changed, nil
		}
		if !errors.Is(err, etcd.ErrConflict) {
			return nil, err
		}
	}
}

// Grants implements [identity.Tokens].
func (r register) Grants(ctx context.Context) (list []identity.Grant, err error) {
	entries, _, err := r.c.store.List(ctx, prefixGrants)
	for _, e := range entries {
		var g identity.Grant
		if json.Unmarshal(e.Data, &g) == nil {
			list = append(list, g)
		}
	}
	return list, err
}

// Use implements [identity.Tokens].
func (r register) Use(ctx context.Context, id string) error {
	for {
		v, err := r.c.store.Get(ctx, prefixGrants+id)
		if err != nil {
			return err
		}
		var g identity.Grant
		if err := json.Unmarshal(v.Data, &g); err != nil {
			return fmt.Errorf("grant %s: %w", id, err)
		}
		if g.Limit > 0 && g.Uses >= g.Limit {
			return &identity.Refusal{Reason: identity.ReasonTokenUsed, Text: "the join token has been used up"}
		}
		g.Uses++
		text, err := json.Marshal(&g)
		if err != nil {
			return err
		}
		if _, err = r.c.store.Put(ctx, prefixGrants+id, text, etcd.If(prefixGrants+id, v.Revision)); !errors.Is(err, etcd.ErrConflict) {
			return err
		}
	}
}

// configuration is the store as membership sees it.
type configuration struct{ store *etcd.Store }

var _ membership.Configuration = configuration{}

// inWords translates the errors that membership acts on.
func inWords(err error) error {
	switch {
	case errors.Is(err, etcd.ErrNotFound):
		return fmt.Errorf("%w: %w", membership.ErrAbsent, err)
	case errors.Is(err, etcd.ErrConflict):
		return fmt.Errorf("%w: %w", membership.ErrConflict, err)
	}
	return err
}

func (s configuration) Load(ctx context.Context, key string) (membership.Item, error) {
	v, err := s.store.Get(ctx, key)
	return membership.Item{Key: key, Data: v.Data, Revision: int64(v.Revision)}, inWords(err)
}

func (s configuration) List(ctx context.Context, prefix string) (items []membership.Item, revision int64, err error) {
	entries, at, err := s.store.List(ctx, prefix)
	for _, e := range entries {
		items = append(items, itemOf(e))
	}
	return items, int64(at), inWords(err)
}

func itemOf(e etcd.Entry) membership.Item {
	return membership.Item{Key: e.Key, Data: e.Data, Revision: int64(e.Revision)}
}

func (s configuration) Watch(ctx context.Context, prefix string, after int64) <-chan membership.Delivery {
	out := make(chan membership.Delivery)
	go func() {
		defer close(out)
		for change := range s.store.Watch(ctx, prefix, etcd.Revision(after)) {
			d := membership.Delivery{Resync: change.Resync, Revision: int64(change.Revision)}
			for _, e := range change.Events {
				if e.Removed {
					d.Removed = append(d.Removed, e.Key)
					d.Items = slices.DeleteFunc(d.Items, func(it membership.Item) bool { return it.Key == e.Key })
					continue
				}
				d.Removed = slices.DeleteFunc(d.Removed, func(key string) bool { return key == e.Key })
				d.Items = append(d.Items, itemOf(e.Entry))
			}
			select {
			case out <- d:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func (s configuration) Save(ctx context.Context, key string, data []byte, revision int64, term membership.Term, absent ...string) (int64, error) {
	var conditions []etcd.Condition
	if revision != membership.AnyRevision {
		conditions = append(conditions, etcd.If(key, etcd.Revision(revision)))
	}
	if term != nil {
		conditions = append(conditions, etcd.IfOwner(term.(*etcd.Leadership)))
	}
	for _, other := range absent {
		conditions = append(conditions, etcd.IfAbsent(other))
	}
	at, err := s.store.Put(ctx, key, data, conditions...)
	return int64(at), inWords(err)
}

func (s configuration) Remove(ctx context.Context, key string) error {
	if _, err := s.store.Delete(ctx, key); err != nil && !errors.Is(err, etcd.ErrNotFound) {
		return err
	}
	return nil
}

func (s configuration) Register(ctx context.Context, key string, data []byte, ttl time.Duration) (membership.Registration, error) {
	r, err := s.store.Register(ctx, key, data, ttl)
	if err != nil {
		return nil, inWords(err)
	}
	return r, nil
}

func (s configuration) Campaign(ctx context.Context, name, id string, ttl time.Duration) (membership.Term, error) {
	l, err := s.store.Campaign(ctx, name, id, ttl)
	if err != nil {
		return nil, inWords(err)
	}
	return l, nil
}

func (s configuration) Depose(ctx context.Context, name, id string) error {
	v, err := s.store.Get(ctx, name)
	if errors.Is(err, etcd.ErrNotFound) || err == nil && string(v.Data) != id {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.store.Delete(ctx, name, etcd.If(name, v.Revision))
	if errors.Is(err, etcd.ErrNotFound) || errors.Is(err, etcd.ErrConflict) {
		return nil
	}
	return err
}

// followCoordinators keeps the endpoints up to date, here and in the data
// directory, and the role of this node.
func (c *clustered) followCoordinators(ctx context.Context) {
	lists := make(chan []coordinatorRecord, 1) // the latest
	c.kept.Go(func() { c.keepRole(ctx, lists) })
	for change := range c.store.Watch(ctx, keyCoordinators, 0) {
		for _, e := range change.Events {
			var list []coordinatorRecord
			if e.Removed || e.Key != keyCoordinators || json.Unmarshal(e.Data, &list) != nil || len(list) == 0 {
				continue
			}
			c.useCoordinators(list)
			select { // what keepRole has not taken yet is outdated
			case <-lists:
			default:
			}
			lists <- list
		}
	}
}

// useCoordinators goes by a new list of coordinators.
func (c *clustered) useCoordinators(list []coordinatorRecord) {
	endpoints := make([]string, len(list))
	for i, o := range list {
		endpoints[i] = o.Client
	}
	if strings.Join(endpoints, " ") == strings.Join(c.known.Coordinators, " ") {
		return
	}
	c.known.Coordinators = endpoints
	if err := c.store.SetEndpoints(endpoints); err != nil {
		c.log.Warn("the coordinators have changed, and their addresses cannot be used", "reason", err)
	}
	if err := c.remember(); err != nil {
		c.log.Warn("the coordinators cannot be written to the data directory", "reason", err)
	}
}
