package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config/etcd"
)

// Coordinators implements [command.Coordinators].
func (o *operator) Coordinators(ctx context.Context) ([]command.Coordinator, error) {
	members, err := o.c.store.Members(ctx)
	if err != nil {
		return nil, plainly(err)
	}
	named, err := o.named(ctx)
	if err != nil && !errors.Is(err, etcd.ErrUnavailable) {
		return nil, err
	}
	nodes := map[cluster.NodeID]cluster.Node{}
	for _, n := range o.member.Status().Nodes {
		nodes[n.ID] = n.Node
	}
	var list []command.Coordinator
	for _, m := range members {
		c := command.Coordinator{
			Node: cluster.NodeID(m.Name), Leader: m.Leader, Healthy: m.Healthy && !m.Learner,
			Problem: m.Problem, Version: m.Version, Bytes: m.StoreBytes, Address: strings.Join(m.ClientAddresses, ", "),
		}
		switch {
		case m.Learner:
			c.Problem = "is catching up"
		case strings.Contains(m.Problem, context.DeadlineExceeded.Error()):
			c.Problem = "does not answer"
		}
		if len(c.Node) != len(o.c.id.Node) && len(o.c.cfg.Etcd.Endpoints) > 0 {
			c.Node, c.Name = "", m.Name // of an etcd of its own
		}
		list = append(list, c)
	}
	for _, r := range named {
		if !slices.ContainsFunc(list, func(c command.Coordinator) bool { return c.Node == r.Node }) {
			list = append(list, command.Coordinator{Node: r.Node, Address: r.Client, Problem: "is not started yet"})
		}
	}
	for i := range list {
		if n, ok := nodes[list[i].Node]; ok {
			list[i].Name = n.Name
		}
	}
	slices.SortStableFunc(list, func(a, b command.Coordinator) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// named returns the list of coordinators as it is written.
func (o *operator) named(ctx context.Context) (list []coordinatorRecord, err error) {
	v, err := o.c.store.Get(ctx, keyCoordinators)
	if errors.Is(err, etcd.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return list, json.Unmarshal(v.Data, &list)
}

// ReplaceCoordinator implements [command.Coordinators].
func (o *operator) ReplaceCoordinator(ctx context.Context, former, next, author string) ([]string, error) {
	if len(o.c.cfg.Etcd.Endpoints) > 0 {
		return nil, errors.New("the configuration service of this cluster is an etcd of its own; its members are replaced with its own tools")
	}
	if err := o.present(); err != nil {
		return nil, err
	}
	list, err := o.named(ctx)
	if err != nil {
		return nil, plainly(err)
	}
	from, err := o.coordinatorCalled(former, list)
	if err != nil {
		return nil, err
	}
	var to cluster.Node
	if next == "" {
		var ok bool
		if to, ok = o.choose(list); !ok {
			return nil, errors.New("every living node that is active is a coordinator already; start another one with larder serve --join, or remove the lost one: larder cluster remove --force")
		}
	} else if to, err = o.find(next); err != nil {
		return nil, err
	}
	switch {
	case at(list, to.ID) >= 0:
		return nil, fmt.Errorf("node %s is a coordinator already", called(to))
	case !o.member.Alive(to.ID):
		return nil, fmt.Errorf("node %s is down", called(to))
	}
	o.c.log.Info("a coordinator is being replaced", "node", called(from), "next", called(to), "by", author)
	if err := o.replace(ctx, from, to); err != nil {
		return nil, plainly(err)
	}
	return []string{fmt.Sprintf("node %s is a coordinator now, in place of %s", called(to), called(from))}, nil
}

// coordinatorCalled finds a coordinator, also one that is no node any more.
func (o *operator) coordinatorCalled(text string, list []coordinatorRecord) (cluster.Node, error) {
	n, err := o.find(text)
	if err != nil {
		for _, r := range list {
			if len(text) >= 4 && strings.HasPrefix(string(r.Node), text) {
				return cluster.Node{ID: r.Node}, nil
			}
		}
		return n, err
	}
	if at(list, n.ID) < 0 {
		return n, fmt.Errorf("node %s is no coordinator; larder cluster coordinators lists them", called(n))
	}
	return n, nil
}

// choose returns the node that should become a coordinator beside those on the
// list: one of a zone that has none, if possible.
func (o *operator) choose(list []coordinatorRecord) (best cluster.Node, ok bool) {
	zones := map[string]bool{}
	var free []cluster.Node
	for _, n := range o.member.Status().Nodes {
		switch {
		case at(list, n.ID) >= 0:
			zones[n.Zone] = zones[n.Zone] || n.Alive
		case n.Alive && n.State == cluster.Active:
			free = append(free, n.Node)
		}
	}
	slices.SortFunc(free, func(a, b cluster.Node) int {
		if zones[a.Zone] != zones[b.Zone] {
			if zones[a.Zone] {
				return 1
			}
			return -1
		}
		return strings.Compare(a.Name+string(a.ID), b.Name+string(b.ID))
	})
	if len(free) == 0 {
		return best, false
	}
	return free[0], true
}

// startsWithin is how long a new coordinator may take to be one.
const startsWithin = 15 * time.Second

// replace gives the part of a coordinator to another node. Of a dead one it is
// taken first, so that the others are a quorum of what is left; a living one
// keeps it until the next one has it.
func (o *operator) replace(ctx context.Context, from, to cluster.Node) error {
	dead := !o.healthy(ctx, from.ID)
	if dead {
		if err := o.takeOut(ctx, from.ID); err != nil {
			return err
		}
	}
	_, err := o.c.amendCoordinators(ctx, func(list []coordinatorRecord) []coordinatorRecord {
		if dead {
			list = slices.DeleteFunc(list, func(r coordinatorRecord) bool { return r.Node == from.ID })
		}
		if at(list, to.ID) < 0 {
			list = append(list, coordinatorRecord{to.ID, besides(to.Peer, 1)})
		}
		return list
	})
	if err != nil {
		return err
	}
	if err := o.await(ctx, to); err != nil {
		return err
	}
	if dead {
		return nil
	}
	return o.retire(ctx, from)
}

// retire makes a living coordinator end its member, and takes it out.
func (o *operator) retire(ctx context.Context, from cluster.Node) error {
	_, err := o.c.amendCoordinators(ctx, func(list []coordinatorRecord) []coordinatorRecord {
		return slices.DeleteFunc(list, func(r coordinatorRecord) bool { return r.Node == from.ID })
	})
	if err != nil {
		return err
	}
	// Its own member may be the one this node works through: it is to have
	// switched to the others before.
	if err := until(ctx, func() bool { return !o.healthy(ctx, from.ID) }); err != nil {
		return fmt.Errorf("node %s does not end its part as a coordinator: %w", called(from), err)
	}
	return o.takeOut(ctx, from.ID)
}

// takeOut removes a member of the service; it may be gone already.
func (o *operator) takeOut(ctx context.Context, id cluster.NodeID) error {
	err := o.c.store.RemoveMember(ctx, string(id))
	switch {
	case errors.Is(err, etcd.ErrNotFound):
		return nil
	case errors.Is(err, etcd.ErrWouldLoseQuorum):
		return errors.New("too few of the other coordinators answer: they could not decide anything; start those that are down first")
	}
	return err
}

func (o *operator) healthy(ctx context.Context, id cluster.NodeID) bool {
	list, err := o.Coordinators(ctx)
	return err == nil && slices.ContainsFunc(list, func(c command.Coordinator) bool { return c.Node == id && c.Healthy })
}

// await waits until a node is a coordinator. When it has said that it will not be,
// or takes too long, it is taken off the list again.
func (o *operator) await(ctx context.Context, to cluster.Node) error {
	waiting, cancel := context.WithTimeout(ctx, startsWithin)
	defer cancel()
	refused := false
	err := until(waiting, func() bool {
		list, err := o.named(waiting)
		refused = err == nil && at(list, to.ID) < 0
		return refused || o.healthy(waiting, to.ID)
	})
	if err == nil && !refused {
		return nil
	}
	ctx, cancelAmend := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancelAmend()
	_, _ = o.c.amendCoordinators(ctx, func(list []coordinatorRecord) []coordinatorRecord {
		return slices.DeleteFunc(list, func(r coordinatorRecord) bool { return r.Node == to.ID })
	})
	if refused {
		return fmt.Errorf("node %s is configured not to be a coordinator (cluster.etcd.coordinator); name another one", called(to))
	}
	return fmt.Errorf("node %s did not become a coordinator within %v; its log says why", called(to), startsWithin)
}

// until waits for a condition.
func until(ctx context.Context, ok func() bool) error {
	for !ok() {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// relieve gives the part of a coordinator that is about to be removed to another
// node, or takes it away when there is none.
func (o *operator) relieve(ctx context.Context, from cluster.Node) (notes []string, err error) {
	list, err := o.named(ctx)
	if err != nil || at(list, from.ID) < 0 {
		return nil, err
	}
	if to, ok := o.choose(list); ok {
		if err := o.replace(ctx, from, to); err != nil {
			return nil, err
		}
		return []string{fmt.Sprintf("node %s is a coordinator now, in place of %s", called(to), called(from))}, nil
	}
	if len(list) == 1 {
		return nil, fmt.Errorf("node %s is the only coordinator; start another node with larder serve --join first", called(from))
	}
	if o.healthy(ctx, from.ID) {
		err = o.retire(ctx, from)
	} else if err = o.takeOut(ctx, from.ID); err == nil {
		_, err = o.c.amendCoordinators(ctx, func(list []coordinatorRecord) []coordinatorRecord {
			return slices.DeleteFunc(list, func(r coordinatorRecord) bool { return r.Node == from.ID })
		})
	}
	if err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("%d coordinators are left: the next node that joins becomes one", len(list)-1)}, nil
}
