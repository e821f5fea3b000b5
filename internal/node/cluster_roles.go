package node

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/cluster/identity"
	"github.com/larder-cache/larder/internal/cluster/membership"
	"github.com/larder-cache/larder/internal/config/etcd"
)

const (
	// lookAroundFor is how long the other coordinators have to answer a node that
	// was one of them, before it goes on from its own copy.
	lookAroundFor = time.Second
	// joinFor bounds one attempt to become a coordinator.
	joinFor = 30 * time.Second
	// joinAgain is the pause before the next one.
	joinAgain = 2 * time.Second
)

// lookAround asks the other coordinators, before this one starts its member
// again, whether it is still one of them and nobody runs as this node already: a
// member with a copied or an outdated directory does harm. When nobody answers it
// is believed to be: all of them may be starting.
func (c *clustered) lookAround(ctx context.Context) error {
	others := without(c.known.Coordinators, c.memberConfig().ClientAdvertise)
	if !c.id.Coordinator || len(others) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookAroundFor)
	defer cancel()
	store, err := etcd.Connect(ctx, etcd.ClientConfig{Endpoints: others, TLS: c.tls(), Prefix: c.prefix(), Timeout: lookAroundFor, Log: c.log})
	if err != nil {
		return err
	}
	defer store.Close()
	if v, err := store.Get(ctx, prefixAlive+string(c.id.Node)); err == nil {
		if err := membership.CheckTwin(ctx, v.Data, c.self, c.hasTwin); err != nil {
			return err
		}
	} else if !errors.Is(err, etcd.ErrNotFound) {
		return nil
	}
	v, err := store.Get(ctx, keyCoordinators)
	var list []coordinatorRecord
	if err != nil || json.Unmarshal(v.Data, &list) != nil || at(list, c.id.Node) >= 0 {
		return nil
	}
	c.log.Warn("another node has become coordinator in place of this one: it goes on without")
	return c.setCoordinating(false)
}

func without(list []string, address string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(o string) bool { return o == address })
}

// hasTwin reports whether a process with this node's own key answers at a peer
// address.
func (c *clustered) hasTwin(ctx context.Context, address string) bool {
	own, err := c.credentials.ServerConfig().GetCertificate(nil)
	if err != nil || own.Leaf == nil {
		return false
	}
	return identity.Reachable(ctx, address, c.id.Node, own.Leaf.PublicKey, time.Second) == nil
}

// setCoordinating writes to the data directory whether the node runs a member,
// and removes what one that it runs no more has left.
//
// Invariant: a directory of etcd without an identity that says so belongs to
// nobody.
func (c *clustered) setCoordinating(yes bool) error {
	id := c.id
	id.Coordinator, id.Member = yes, ""
	if yes {
		id.Member = string(id.Node)
	}
	remove := func() error { return os.RemoveAll(c.dir.Etcd()) }
	if yes && !c.id.Coordinator {
		if err := remove(); err != nil {
			return err
		}
	}
	if err := c.dir.SetIdentity(id); err != nil {
		return err
	}
	c.id.Coordinator, c.id.Member = id.Coordinator, id.Member
	if !yes {
		return remove()
	}
	return nil
}

// keepRole makes the node a coordinator when it finds itself on the list of them,
// and ends that when it does not, or when its member has ended by itself. It is
// the only one that changes the role after the start.
func (c *clustered) keepRole(ctx context.Context, lists <-chan []coordinatorRecord) {
	var list []coordinatorRecord
	failed := false // the member is broken: not before a restart again
	for ctx.Err() == nil {
		var ended <-chan struct{}
		if c.coordinator != nil && !failed {
			c.service.runs.Store(c.coordinator)
			ended = c.coordinator.Done()
		} else {
			c.service.runs.Store(nil)
		}
		var again <-chan time.Time
		if at(list, c.id.Node) >= 0 && c.coordinator == nil {
			again = time.After(joinAgain)
		}
		select {
		case <-ctx.Done():
			return
		case list = <-lists:
		case <-again:
		case <-ended:
			err := c.coordinator.Err()
			c.log.Error("the coordinator on this node has ended: the node goes on without it", "reason", err)
			if failed = !errors.Is(err, etcd.ErrRemoved); failed {
				c.switchAway(list)
				continue
			}
			c.resign(ctx, list)
			continue
		}
		switch named := at(list, c.id.Node) >= 0; {
		case named && c.coordinator == nil:
			c.becomeCoordinator(ctx)
		case !named && len(list) > 0 && c.coordinator != nil:
			c.log.Info("another node becomes coordinator in place of this one")
			c.resign(ctx, list)
			failed = false
		case !named && c.id.Coordinator && c.coordinator == nil:
			if err := c.setCoordinating(false); err != nil {
				c.log.Warn("the data directory cannot be written", "reason", err)
			}
		}
	}
}

// becomeCoordinator starts a member on this node, which has had none. The node
// goes on to reach the service as before, over the network.
func (c *clustered) becomeCoordinator(ctx context.Context) {
	if c.cfg.Etcd.Coordinator == "no" {
		c.log.Error("this node was chosen as coordinator, but is configured not to be one (cluster.etcd.coordinator: no)")
		if err := c.strike(ctx); err != nil {
			c.log.Warn("the list of coordinators cannot be changed", "reason", err)
		}
		return
	}
	if err := c.setCoordinating(true); err != nil {
		c.log.Error("this node cannot become a coordinator", "reason", err)
		return
	}
	c.log.Info("this node becomes a coordinator")
	trying, cancel := context.WithTimeout(ctx, joinFor)
	defer cancel()
	member, err := etcd.Join(trying, c.memberConfig(), c.store)
	if err != nil {
		c.log.Warn("becoming a coordinator failed, and is tried again as long as it is wanted", "reason", err)
		return
	}
	c.coordinator = member
	if err := c.member.SetCoordinator(ctx, true); err != nil {
		c.log.Warn("the role of this node cannot be made known", "reason", err)
	}
	if _, err := c.amendCoordinators(ctx, func(list []coordinatorRecord) []coordinatorRecord {
		if i := at(list, c.id.Node); i >= 0 {
			list[i].Client = c.memberConfig().ClientAdvertise
		}
		return list
	}); err != nil {
		c.log.Warn("the address of this coordinator cannot be made known", "reason", err)
	}
	c.log.Info("this node is a coordinator now")
}

// strike takes this node off the list of coordinators.
func (c *clustered) strike(ctx context.Context) error {
	_, err := c.amendCoordinators(ctx, func(list []coordinatorRecord) []coordinatorRecord {
		return slices.DeleteFunc(list, func(o coordinatorRecord) bool { return o.Node == c.id.Node })
	})
	return err
}

// resign ends the member on this node; what used it goes on with the others. It
// is taken out while it still votes: of two, the other alone would be no quorum.
func (c *clustered) resign(ctx context.Context, list []coordinatorRecord) {
	c.switchAway(list)
	if err := c.store.RemoveMember(ctx, string(c.id.Node)); err != nil && !errors.Is(err, etcd.ErrNotFound) {
		c.log.Warn("this coordinator could not take itself out; it ends nevertheless", "reason", err)
	}
	c.coordinator.Stop()
	c.coordinator = nil
	if err := c.setCoordinating(false); err != nil {
		c.log.Warn("the data directory cannot be written", "reason", err)
	}
	if err := c.member.SetCoordinator(ctx, false); err != nil {
		c.log.Warn("the role of this node cannot be made known", "reason", err)
	}
	c.log.Info("this node is no coordinator any more")
}

// switchAway makes this node reach the service through the other coordinators.
func (c *clustered) switchAway(list []coordinatorRecord) {
	var endpoints []string
	for _, o := range list {
		endpoints = append(endpoints, o.Client)
	}
	endpoints = without(endpoints, c.memberConfig().ClientAdvertise)
	if len(endpoints) == 0 {
		return // nobody else has it
	}
	if err := c.store.Switch(etcd.ClientConfig{Endpoints: endpoints, TLS: c.tls(), Log: c.log}); err != nil {
		c.log.Error("the configuration service cannot be reached through the other coordinators", "reason", err)
	}
}
