package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
	"github.com/larder-cache/larder/internal/cluster/identity"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config/etcd"
)

// operator answers what operators ask of the cluster. It implements
// [command.ClusterAdmin].
type operator struct {
	*neighbours
	c *clustered
}

var _ command.ClusterAdmin = (*operator)(nil)

// noQuorum is the error of a change that the configuration service cannot take.
type noQuorum struct{ cause error }

// Error implements error.
func (e *noQuorum) Error() string {
	return "the configuration service has no quorum: data is served, changes are refused; " +
		"start the coordinators that are down: larder cluster coordinators lists them"
}

// Code is the code of the reply.
func (e *noQuorum) Code() string { return "NOQUORUM" }

// Unwrap returns what the service has answered.
func (e *noQuorum) Unwrap() error { return e.cause }

// plainly puts an error of the service in an operator's words.
func plainly(err error) error {
	if errors.Is(err, etcd.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return &noQuorum{err}
	}
	return err
}

// service is what is known of the configuration service.
type service struct {
	problem atomic.Pointer[string]      // nil: not asked yet; empty: all is well
	runs    atomic.Pointer[etcd.Member] // on this node; nil: none does
}

const (
	serviceOK = "ok"
	// askServiceEvery is how often the service is asked whether it is well.
	askServiceEvery = 2 * time.Second
)

// state returns "ok", or what is wrong.
func (s *service) state() string {
	switch p := s.problem.Load(); {
	case p == nil:
		return "unknown"
	case *p == "":
		return serviceOK
	default:
		return *p
	}
}

// watchService asks the service all the time, and says when it goes and comes.
func (c *clustered) watchService(ctx context.Context) {
	told := false // that this node has been removed
	tick := time.NewTicker(askServiceEvery)
	defer tick.Stop()
	for {
		problem := ""
		if err := c.store.Health(ctx); errors.Is(err, etcd.ErrUnavailable) {
			problem = "no quorum"
		} else if err != nil {
			problem = err.Error()
		}
		if ctx.Err() != nil {
			return
		}
		was := c.service.problem.Swap(&problem)
		switch {
		case problem != "" && (was == nil || *was != problem):
			c.log.Warn("the configuration service is not well: data is served, changes are refused", "problem", problem)
		case problem == "" && was != nil && *was != "":
			c.log.Info("the configuration service is well again")
		}
		if c.member.HasLeft() {
			if !told {
				told = true
				c.log.Info("this node has been removed from the cluster and holds nothing: it can be stopped")
			}
			c.executor.RemovedFromCluster()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Status implements [command.ClusterControl].
func (o *operator) Status(ctx context.Context) (command.ClusterStatus, error) {
	m := o.member.Survey(ctx)
	s := command.ClusterStatus{
		Cluster: string(o.c.id.Cluster), Self: m.Self, Controller: m.Controller, View: m.View, Service: o.c.service.state(),
		Nodes: []command.ClusterNode{}, Unowned: m.Unowned, Unserved: m.Unserved, Moves: []command.ClusterMove{},
		Done: m.Done, All: m.All, Bytes: m.Bytes, Total: m.Total, Held: m.Held,
		Paused: m.Paused, PausedBy: m.PausedBy, Pinned: m.Pinned, Away: m.Away, Replicas: m.Replicas,
	}
	if m.Away {
		s.Service = "cannot be reached"
	}
	for i := range m.Nodes {
		n := &m.Nodes[i]
		node := command.ClusterNode{
			Node: n.Node, Alive: n.Alive, Since: n.Since, Controller: n.ID == m.Controller,
			Partitions: n.Partitions, Leaving: n.Leaving, Coming: n.Coming, Settings: n.Settings,
			Incarnation: n.Incarnation, Aside: n.Aside, Replaceable: n.Replaceable,
		}
		if v := n.Vitals; v != nil {
			node.Answers, node.MemoryUsed, node.MemoryMax, node.ViewInForce = true, v.MemoryUsed, v.MemoryMax, v.View
		}
		s.Settings = max(s.Settings, n.Settings)
		s.Nodes = append(s.Nodes, node)
	}
	slices.SortStableFunc(s.Nodes, func(a, b command.ClusterNode) int { return strings.Compare(a.Name, b.Name) })
	s.Undercopied = m.Undercopied
	for _, u := range m.Unavailable {
		s.Unavailable = append(s.Unavailable, command.ClusterUnavailable(u))
	}
	for _, mv := range m.Moving {
		s.Moves = append(s.Moves, command.ClusterMove{Partition: mv.Partition, From: mv.From, To: mv.To, Bytes: mv.Bytes, Total: mv.Total})
	}
	return s, nil
}

// present returns an error when too little is known to decide anything.
func (o *operator) present() error {
	if o.member.Status().Away {
		return &noQuorum{etcd.ErrUnavailable}
	}
	return nil
}

// Plan implements [command.ClusterControl].
func (o *operator) Plan(context.Context) (command.ClusterPlan, error) {
	plan := command.ClusterPlan{Nodes: []command.PlannedNode{}, Moves: []command.PlannedMove{}}
	if err := o.present(); err != nil {
		return plan, err
	}
	planned, v := o.member.Plan(), o.member.View()
	for _, n := range planned.Nodes {
		p := command.PlannedNode{ID: n.ID, Before: n.Before, After: n.After, In: n.In, Out: n.Out}
		if known := v.Node(n.ID); known != nil {
			p.Name = known.Name
		}
		plan.Nodes = append(plan.Nodes, p)
	}
	slices.SortStableFunc(plan.Nodes, func(a, b command.PlannedNode) int { return strings.Compare(a.Name, b.Name) })
	for _, m := range planned.Moves {
		plan.Moves = append(plan.Moves, command.PlannedMove(m))
	}
	return plan, nil
}

// asked are the requests that the controller's wishes are changed by.
var asked = map[command.ClusterVerb]controller.RequestKind{
	command.VerbMove: controller.Move, command.VerbRelease: controller.Release,
	command.VerbPause: controller.Pause, command.VerbResume: controller.Resume, command.VerbAcceptLoss: controller.Accept,
}

// Change implements [command.ClusterControl].
func (o *operator) Change(ctx context.Context, change command.ClusterChange) ([]string, error) {
	if err := o.present(); err != nil {
		return nil, err
	}
	notes, err := o.change(ctx, change)
	if err == nil {
		o.c.log.Info("an operator has asked for something", "what", string(change.Verb), "node", change.Node, "by", change.Author)
	}
	return notes, plainly(err)
}

func (o *operator) change(ctx context.Context, change command.ClusterChange) ([]string, error) {
	var node cluster.Node
	var err error
	switch {
	case change.Node != "":
		node, err = o.find(change.Node)
	case change.Verb == command.VerbRemove:
		node, err = o.find(string(o.c.id.Node))
	}
	if err != nil {
		return nil, err
	}
	if kind, ok := asked[change.Verb]; ok {
		return o.member.Ask(ctx, controller.Request{
			Kind: kind, By: change.Author, Partitions: change.Partitions, Node: node.ID, Force: change.Force,
		})
	}
	switch change.Verb {
	case command.VerbDrain:
		if node.State == cluster.Draining {
			return []string{"node " + called(node) + " is being drained already, or is empty"}, nil
		}
		return nil, o.member.SetState(ctx, node.ID, cluster.Draining, false)
	case command.VerbActivate:
		return o.activate(ctx, node, change.Author)
	case command.VerbFailover:
		if !o.member.Alive(node.ID) {
			return nil, fmt.Errorf("node %s is down; copies have taken over from it", called(node))
		}
		return o.member.StepAside(ctx, node.ID, change.Author)
	case command.VerbRestart:
		return nil, o.member.Restart(ctx, node.ID)
	case command.VerbRemove:
		return o.remove(ctx, node, change.Force)
	case command.VerbRebalance:
		return nil, o.member.Kick(ctx)
	}
	return nil, fmt.Errorf("nobody knows the request %q", change.Verb)
}

// activate lets a node own partitions again that was drained, or has stepped aside.
func (o *operator) activate(ctx context.Context, node cluster.Node, author string) (notes []string, err error) {
	aside := o.member.IsAside(node.ID)
	if node.State == cluster.Active && !aside {
		return []string{"node " + called(node) + " is active already"}, nil
	}
	if aside {
		if notes, err = o.member.Ask(ctx, controller.Request{Kind: controller.Recall, By: author, Node: node.ID}); err != nil {
			return nil, err
		}
	}
	if node.State == cluster.Active {
		return notes, nil
	}
	return notes, o.member.SetState(ctx, node.ID, cluster.Active, false)
}

// find returns the node that a person means.
func (o *operator) find(text string) (cluster.Node, error) {
	n, err := o.member.Find(text)
	if err != nil {
		return n, errors.New(strings.Replace(err.Error(), ": ", "; ", 1))
	}
	return n, nil
}

// called is how people know a node.
func called(n cluster.Node) string {
	if n.Name != "" {
		return n.Name
	}
	return n.ID.Short()
}

// remove lets a node go: at once when it is dead, else when it is empty. Its part
// as a coordinator goes to another node first.
func (o *operator) remove(ctx context.Context, node cluster.Node, force bool) (notes []string, err error) {
	owned := 0
	for _, n := range o.member.Status().Nodes {
		if n.ID == node.ID {
			owned = n.Partitions
		}
	}
	alive := o.member.Alive(node.ID)
	if !alive && !force {
		return nil, fmt.Errorf("node %s is down: what it held, %d of %d partitions, cannot be moved; start it again first, or give it up with --force",
			called(node), owned, cluster.Partitions)
	}
	if node.Coordinator {
		if notes, err = o.relieve(ctx, node); err != nil {
			return nil, err
		}
	}
	if err := o.member.SetState(ctx, node.ID, cluster.Draining, true); err != nil {
		return notes, err
	}
	if !alive && owned > 0 {
		notes = append(notes, fmt.Sprintf("lost: what node %s held of %d of %d partitions; the other nodes begin them empty", called(node), owned, cluster.Partitions))
	}
	return notes, nil
}

// CreateToken implements [command.JoinTokens].
func (o *operator) CreateToken(ctx context.Context, terms command.TokenTerms) (string, command.JoinToken, error) {
	text, grant, err := o.c.mint(ctx, identity.Terms{Life: terms.TTL, Limit: terms.Uses, Note: terms.Note})
	if err != nil {
		return "", command.JoinToken{}, plainly(err)
	}
	o.c.log.Info("a join token was made", "id", grant.ID, "note", grant.Note)
	return text, tokenOf(grant), nil
}

func tokenOf(g identity.Grant) command.JoinToken {
	return command.JoinToken{ID: g.ID, Created: g.Created, Expires: g.Expires, Used: g.Uses, Uses: g.Limit, Note: g.Note}
}

// Tokens implements [command.JoinTokens].
func (o *operator) Tokens(ctx context.Context) (list []command.JoinToken, err error) {
	grants, err := register{o.c}.Grants(ctx)
	for _, g := range grants {
		list = append(list, tokenOf(g))
	}
	slices.SortStableFunc(list, func(a, b command.JoinToken) int { return a.Created.Compare(b.Created) })
	return list, plainly(err)
}

// RevokeToken implements [command.JoinTokens]. The beginning of an id will do.
func (o *operator) RevokeToken(ctx context.Context, id string) error {
	grants, err := register{o.c}.Grants(ctx)
	if err != nil {
		return plainly(err)
	}
	var found []string
	for _, g := range grants {
		if len(id) >= 4 && strings.HasPrefix(g.ID, id) {
			found = append(found, g.ID)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("there is no token %q; larder cluster token list shows them", id)
	}
	if _, err := o.c.store.Delete(ctx, prefixGrants+found[0]); err != nil && !errors.Is(err, etcd.ErrNotFound) {
		return plainly(err)
	}
	return nil
}
