package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
	"github.com/larder-cache/larder/internal/cluster/identity"
	"github.com/larder-cache/larder/internal/cluster/membership"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// ownerLease is for how long the answer of a copy in sync says that its owner is
// the owner still. Who follows an owner waits for as long.
const ownerLease = 200 * time.Millisecond

// deadAfter is how long a node that owes an answer may be silent before its
// connections are given up: a process that the kernel does not run for a while
// is not dead.
const deadAfter = 2 * time.Second

// renewEvery is how often the age of the node's certificate is looked at.
const renewEvery = time.Hour

// take makes the node take part: it opens its links, gets its routes and is
// known to the others from then on. Clients are not served yet.
func (c *clustered) take(x *command.Executor, store *memory.Store, build Build) (err error) {
	l := newLines(x)
	c.executor = x
	c.network, err = peer.Open(peer.Config{
		Self:     peer.Identity{Cluster: string(c.id.Cluster), Node: string(c.id.Node), Incarnation: c.incarnation, Build: build.Version},
		Listener: c.split.Peers(), Handler: l,
		DeadAfter: deadAfter,
		ServerTLS: c.credentials.ServerConfig(), ClientTLS: c.credentials.ClientConfig(""), Identify: c.credentials.Identify,
	})
	if err != nil {
		return err
	}
	l.network = c.network
	x.ForwardBy(l)
	moves := controller.DefaultSettings()
	moves.MovesPerSource, moves.MovesPerTarget = c.cfg.Rebalance.Moves, c.cfg.Rebalance.Moves
	moves.Moves = max(moves.Moves, 4*c.cfg.Rebalance.Moves)
	moves.RebalanceDelay, moves.Replicas = c.cfg.Rebalance.Delay, c.cfg.Replicas
	ctx, cancel := context.WithTimeout(context.Background(), enterTimeout)
	defer cancel()
	c.member, err = membership.Start(ctx, membership.Config{
		Self: c.self, Incarnation: c.incarnation, Configuration: configuration{c.store}, Peers: l, Store: store,
		Reroute: x.Reroute, Moved: x.MovedAway, BytesPerSecond: c.cfg.Rebalance.BytesPerSecond, SyncInterval: c.cfg.SyncInterval, Moves: moves,
		Lease: ownerLease, Limits: c.limits, Log: c.log,
		Changed: func(v *cluster.View) {
			l.prepare(v, c.id.Node)
			x.ViewChanged(v)
		},
		Ready: func(m *membership.Member) {
			l.member = m
			x.Replicate(m.Logs(), m.Counters())
			close(l.ready)
		},
		Last: c.lastView(), Keep: c.keepView, Twin: c.hasTwin, Expelled: func(error) { c.quit() }, Restart: c.restart,
		Leads: c.leads, Succeed: c.succeed,
	})
	if err != nil {
		return fmt.Errorf("take part in the cluster: %w", err)
	}
	c.joined.Store(c.member)
	x.JoinCluster(&operator{&neighbours{member: c.member, network: c.network}, c})
	c.admit()
	c.keep(x, store)
	return nil
}

// leads reports whether the coordinator on this node takes one on another node for
// the leader of the configuration service.
func (c *clustered) leads(id cluster.NodeID) bool {
	m := c.service.runs.Load()
	return m != nil && m.Follows(string(id))
}

// succeed has the coordinator on this node stand for leader in place of one.
func (c *clustered) succeed(ctx context.Context, id cluster.NodeID) {
	if m := c.service.runs.Load(); m != nil {
		if err := m.Succeed(ctx, string(id)); err != nil {
			c.log.Warn("the coordinator on this node cannot stand for leader", "reason", err)
		}
	}
}

// serve begins to serve clients of the Redis Cluster protocol.
func (c *clustered) serve(cfg config.Config, x *command.Executor, log *slog.Logger) (err error) {
	if len(c.cfg.Listen) == 0 {
		return nil
	}
	own := cfg.Server
	own.Listen, own.Unix = c.cfg.Listen, ""
	if c.redirects, err = server.New(own, server.Commands{Executor: x, Redirects: true}, log); err != nil {
		return fmt.Errorf("cluster.listen: %w", err)
	}
	return c.redirects.Start()
}

// stepAside prepares the end of this node, as far as that is possible.
func (c *clustered) stepAside() {
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.HandoverTimeout)
	defer cancel()
	switch problem := c.service.state(); {
	case c.cfg.Replicas == 0:
		c.log.Info("nothing is handed over: cluster.replicas is 0, what this node holds ends with it")
		return
	case c.cfg.HandoverTimeout == 0:
		c.log.Info("nothing is handed over: cluster.handover_timeout is 0")
		return
	case problem != serviceOK:
		c.log.Warn("nothing is handed over: the configuration service is not well", "problem", problem)
		return
	}
	begun := time.Now()
	stays, err := c.member.Retire(ctx)
	switch took := time.Since(begun).Round(time.Millisecond); {
	case err != nil:
		c.log.Warn("not all could be handed over: copies follow when this node has ended", "partitions", stays, "after", took, "reason", err)
	case stays > 0:
		c.log.Warn("no other node can own what this one owns: it is not handed over", "partitions", stays)
	default:
		c.log.Info("this node has stepped aside: others own what it owned", "after", took)
	}
}

// retire ends what clients and other nodes see of the node: it serves nobody of
// its own any more, and says that it is gone.
func (c *clustered) retire(ctx context.Context) error {
	var errs []error
	if c.redirects != nil {
		errs = append(errs, c.redirects.Shutdown(ctx))
	}
	if c.member != nil {
		c.executor.LeaveCluster()
		errs = append(errs, c.member.Stop(ctx))
	}
	return errors.Join(errs...)
}

// admit lets other nodes join through this one.
func (c *clustered) admit() {
	cfg := identity.GateConfig{
		Cluster: c.id.Cluster, Credentials: c.credentials, Registrar: register{c}, Tokens: register{c}, Log: c.log,
		Self: func() cluster.Node { return c.self },
	}
	if !c.cfg.Identity.TLS.External() {
		cfg.Authority = c.authority
	}
	c.gate, c.gateDone = identity.NewGate(cfg), make(chan error, 1)
	go func() { c.gateDone <- c.gate.Serve(c.split.Joins()) }()
}

// keep starts what goes on all the time: the certificate is renewed, the list of
// coordinators and the settings are followed.
func (c *clustered) keep(x *command.Executor, store *memory.Store) {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.kept.Go(func() { c.credentials.Keep(ctx, renewEvery, c.sign, c.log) })
	c.kept.Go(func() { c.followCoordinators(ctx) })
	c.kept.Go(func() { c.watchService(ctx) })
	c.kept.Go(func() { c.follow(ctx, x, store) })
}

// sign signs a request of this node.
func (c *clustered) sign(ctx context.Context, request []byte) ([]byte, error) {
	a, err := c.authority(ctx)
	if err != nil {
		return nil, err
	}
	return a.Sign(request, identity.Holder{Node: c.id.Node, Cluster: c.id.Cluster, Hosts: identity.Hosts(c.self)}, time.Now())
}

// mint makes a join token.
func (c *clustered) mint(ctx context.Context, terms identity.Terms) (string, identity.Grant, error) {
	token, grant, err := identity.Mint(c.id.Cluster, c.credentials.Fingerprint(), terms, time.Now())
	if err != nil {
		return "", grant, err
	}
	text, err := json.Marshal(&grant)
	if err != nil {
		return "", grant, err
	}
	if _, err := c.store.Put(ctx, prefixGrants+grant.ID, text); err != nil {
		return "", grant, err
	}
	return token.Text(), grant, nil
}

// neighbours tells the commands of the other nodes. It implements
// [command.Membership].
type neighbours struct {
	member  *membership.Member
	network *peer.Network
}

var _ command.Membership = (*neighbours)(nil)

// Alive implements [command.Membership].
func (n *neighbours) Alive(id cluster.NodeID) bool { return n.member.Alive(id) }

// Links implements [command.Membership].
func (n *neighbours) Links() []command.PeerLink {
	var list []command.PeerLink
	for _, s := range n.network.LinkStats() {
		if s.Up {
			list = append(list, command.PeerLink{
				Node: cluster.NodeID(s.Node), Lane: s.Lane, Heard: s.LastHeard, Buffered: s.OutstandingBytes,
			})
		}
	}
	return list
}
