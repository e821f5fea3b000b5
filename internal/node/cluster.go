package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/identity"
	"github.com/larder-cache/larder/internal/cluster/membership"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/config/etcd"
	"github.com/larder-cache/larder/internal/config/settings"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/server"
)

// clustered is what a node has beside its own parts when it is one of several.
//
//	data directory ─▶ identity ─▶ configuration service ─▶ engine, executor …
//	                     ▲                                     │
//	             join at a member              network ─▶ membership ─▶ clients
type clustered struct {
	cfg         config.Cluster
	limits      replication.Limits
	self        cluster.Node
	dir         *identity.Dir
	id          identity.Identity
	incarnation uint64
	credentials *identity.Credentials
	split       *identity.Split
	gate        *identity.Gate
	gateDone    chan error
	log         *slog.Logger

	coordinator *etcd.Member // nil: this node runs none
	store       *etcd.Store
	settings    *settings.Service
	founded     bool // by this process
	known       known

	executor  *command.Executor
	network   *peer.Network
	member    *membership.Member
	redirects *server.Server // for clients of the cluster protocol; nil: none
	service   service
	joined    atomic.Pointer[membership.Member] // member, once it takes part
	quit      func()                            // ends the process in order; nil: nobody can
	restart   func() error                      // ends it and starts it again
	stop      context.CancelFunc
	kept      sync.WaitGroup // what keep has started
}

// enterTimeout bounds becoming a member, restarts included.
const enterTimeout = 60 * time.Second

// enter makes the node a member of its cluster, as far as the configuration
// service: it begins one, joins one, or goes on.
func enter(cfg config.Config, build Build, log *slog.Logger) (c *clustered, err error) {
	c = &clustered{cfg: cfg.Cluster, log: log}
	defer func() {
		if err != nil {
			_ = c.leave(context.Background())
			c = nil
		}
	}()
	if c.dir, err = identity.Open(cfg.Cluster.Identity.DataDir); err != nil {
		return c, err
	}
	if c.self, err = describeSelf(cfg, build); err != nil {
		return c, err
	}
	if c.incarnation, err = c.dir.NextIncarnation(time.Now()); err != nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), enterTimeout)
	defer cancel()
	start := identity.Start{Form: c.cfg.Enabled, Join: len(c.cfg.Join) > 0}
	if c.cfg.Token != "" {
		token, err := identity.ParseToken(c.cfg.Token)
		if err != nil {
			return c, err
		}
		start.Token = &token
	}
	have, err := c.dir.Identity()
	step, err := identity.Decide(start, have, err)
	if err != nil {
		return c, err
	}
	switch step {
	case identity.Form:
		err = c.found(ctx)
	case identity.Ask:
		err = c.join(ctx, start.Token)
	default:
		err = c.resume(ctx, have, start.Token)
	}
	return c, err
}

// listen opens the peer port and tells apart who connects to it.
func (c *clustered) listen() error {
	l, err := net.Listen("tcp", c.cfg.Peer)
	if err != nil {
		return fmt.Errorf("cluster.peer: %w", err)
	}
	c.split = identity.SplitALPN(l, c.credentials)
	return nil
}

// found begins a new cluster.
func (c *clustered) found(ctx context.Context) error {
	f, err := c.dir.Found(c.cfg.Identity.TLS, identity.Hosts(c.self), time.Now)
	if err != nil {
		return err
	}
	c.id, c.credentials = f.Identity, f.Credentials
	c.self.ID = c.id.Node
	if err := c.listen(); err != nil {
		return err
	}
	c.known.Seed, c.founded = newSeed(), true
	if len(c.cfg.Etcd.Endpoints) == 0 && c.cfg.Etcd.Coordinator != "no" {
		// What is there belongs to a cluster whose founding was interrupted.
		if err := os.RemoveAll(c.dir.Etcd()); err != nil {
			return fmt.Errorf("begin a cluster: %w", err)
		}
		if c.coordinator, err = etcd.Form(ctx, c.memberConfig()); err != nil {
			return err
		}
		c.store = c.coordinator.Store(c.prefix())
		c.id.Coordinator, c.id.Member, c.self.Coordinator = true, string(c.id.Node), true
		c.known.Coordinators = []string{c.memberConfig().ClientAdvertise}
	} else if err := c.connect(ctx); err != nil {
		return err
	}
	if err := c.writeFounding(ctx, f.Authority); err != nil {
		return err
	}
	if err := c.remember(); err != nil {
		return err
	}
	if err := c.dir.SetIdentity(c.id); err != nil {
		return err
	}
	c.log.Info("a new cluster begins", "cluster", c.id.Cluster.Short(), "node", c.id.Node.Short(), "data_dir", c.dir.Path())
	return nil
}

// join asks the members that the configuration names, one after the other, until
// one lets the node in.
func (c *clustered) join(ctx context.Context, token *identity.Token) (err error) {
	if c.credentials, c.self.ID, err = c.dir.Applicant(c.cfg.Identity.TLS, time.Now); err != nil {
		return err
	}
	if err := c.listen(); err != nil {
		return err
	}
	c.self.Coordinator = len(c.cfg.Etcd.Endpoints) == 0 && c.cfg.Etcd.Coordinator != "no" // if it is wanted
	have, _ := c.dir.Identity()
	answer, err := c.ask(ctx, identity.Joiner{
		Token: token, Credentials: c.credentials, Node: c.self, Incarnation: c.incarnation, Cluster: have.Cluster,
	})
	if err != nil {
		return err
	}
	c.id = identity.Identity{
		Cluster: answer.Cluster, Node: c.self.ID, Created: time.Now().UTC().Truncate(time.Second),
		Coordinator: answer.BecomeCoordinator, Member: answer.Member,
	}
	c.self.Coordinator = c.id.Coordinator
	c.known = known{Seed: answer.HashSeed, Coordinators: answer.Coordinators}
	if err := c.remember(); err != nil {
		return err
	}
	if err := c.dir.Settle(c.id, answer.CA, answer.Certificate); err != nil {
		return err
	}
	if err := c.credentials.Install(c.id.Cluster); err != nil {
		return err
	}
	if err := c.connect(ctx); err != nil {
		return err
	}
	c.log.Info("this node has joined", "cluster", c.id.Cluster.Short(), "node", c.id.Node.Short(), "coordinator", c.id.Coordinator)
	return c.coordinate(ctx)
}

// askEvery is the pause between attempts to join.
const askEvery = 500 * time.Millisecond

// ask tries the members in turn, again as long as another try may succeed.
func (c *clustered) ask(ctx context.Context, j identity.Joiner) (*identity.JoinAnswer, error) {
	for {
		var last error
		for _, address := range c.cfg.Join {
			address, err := identity.PeerAddress(address)
			if err != nil {
				return nil, err
			}
			answer, err := j.Join(ctx, address)
			if err == nil {
				return answer, nil
			}
			last = err
			var refusal *identity.Refusal
			if errors.As(err, &refusal) && refusal.Reason != identity.ReasonUnavailable && refusal.Reason != identity.ReasonAlive {
				return nil, err
			}
		}
		c.log.Warn("joining failed, and is tried again", "reason", last)
		select {
		case <-time.After(askEvery):
		case <-ctx.Done():
			return nil, last
		}
	}
}

// resume goes on as the member that the data directory says.
func (c *clustered) resume(ctx context.Context, have identity.Identity, token *identity.Token) (err error) {
	c.id, c.self.ID = have, have.Node
	c.credentials, err = c.dir.Member(c.cfg.Identity.TLS, have, time.Now)
	if errors.Is(err, identity.ErrCredentials) && token != nil && len(c.cfg.Join) > 0 {
		c.log.Warn("the certificate cannot be used: joining again", "reason", err)
		return c.join(ctx, token)
	}
	if err != nil {
		return err
	}
	for _, address := range c.cfg.Join {
		if address, err = identity.PeerAddress(address); err == nil {
			err = identity.SameCluster(ctx, address, have, time.Second)
		}
		if errors.Is(err, identity.ErrOtherCluster) {
			return err
		}
	}
	if err := c.listen(); err != nil {
		return err
	}
	if err := c.recall(); err != nil {
		return err
	}
	if err := c.lookAround(ctx); err != nil {
		return err
	}
	c.self.Coordinator = c.id.Coordinator
	if !c.id.Coordinator {
		return c.connect(ctx)
	}
	if c.coordinator, err = etcd.Restart(ctx, c.memberConfig()); err == nil {
		c.store = c.coordinator.Store(c.prefix())
		return nil
	}
	if !errors.Is(err, etcd.ErrNoMember) {
		return err
	}
	// It was told to become one and has not got that far.
	if err := c.connect(ctx); err != nil {
		return err
	}
	return c.coordinate(ctx)
}

// leave ends everything in the reverse order. It may be called at any stage.
func (c *clustered) leave(ctx context.Context) error {
	var errs []error
	if c.stop != nil {
		c.stop()
		c.kept.Wait()
	}
	if c.gate != nil {
		errs = append(errs, c.split.Joins().Close(), c.gate.Close(), <-c.gateDone)
	}
	if c.network != nil {
		errs = append(errs, c.network.Close())
	}
	if c.split != nil {
		errs = append(errs, c.split.Close())
	}
	if c.store != nil {
		c.store.Close()
	}
	if c.coordinator != nil {
		c.coordinator.Stop()
	}
	if c.dir != nil {
		errs = append(errs, c.dir.Close())
	}
	return errors.Join(errs...)
}
