// Package node is the composition root: a configuration goes in, a running node
// comes out. Nothing is decided here but the order in which the parts start and
// stop.
//
//	sources ─▶ cache ─▶ executor ─▶ membership ─▶ server (RESP)
//	             ▲                                ╰─▶ monitoring (HTTP)
//	identity ─▶ memory
//
// identity and membership are there when the node is one of several; what comes
// between them, the configuration service for one, is in cluster.go.
//
// Start goes from left to right; Stop from right to left, so that a part always
// finds what it needs.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/config/settings"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// Node is a running node.
type Node struct {
	log      *slog.Logger
	sources  []source.Source
	store    *memory.Store
	cache    *cache.Cache
	executor *command.Executor
	server   *server.Server
	watch    watch
	settings given
	cluster  *clustered // nil: the node is alone
	stop     chan End   // readable when somebody has asked for the end
}

// End says how a node is to end.
type End uint8

const (
	// Shutdown: for good.
	Shutdown End = iota
	// Restart: to be started again, by [Reexec].
	Restart
)

// Build identifies the program.
type Build struct{ Version, Commit, Date string }

// Start brings a node up and returns when it serves. On an error nothing is
// left running. The configuration must be valid.
func Start(cfg config.Config, build Build, log *slog.Logger) (n *Node, err error) {
	n = &Node{log: log, watch: newWatch(), settings: given{cfg: cfg}, stop: make(chan End, 1)}
	defer func() {
		if err != nil {
			_ = n.Stop(context.Background())
			n = nil
		}
	}()
	seed := []byte(nil)
	if cfg.Cluster.On() {
		if n.cluster, err = enter(cfg, build, log); err != nil {
			return n, err
		}
		n.cluster.quit, n.cluster.restart = n.askToStop, n.askToRestart
		seed = n.cluster.seed()
		ctx, cancel := context.WithTimeout(context.Background(), enterTimeout)
		cfg, err = n.cluster.settle(ctx, cfg)
		cancel()
		if err != nil {
			return n, err
		}
		n.settings.cfg = cfg
	}
	namespaces, gates, err := n.openSources(cfg)
	if err != nil {
		return n, err
	}
	observer := &command.Observer{}
	n.store, err = memory.Open(memory.Config{
		MaxBytes: cfg.Memory.MaxBytes, Policy: cfg.Memory.Policy,
		Databases: cfg.Memory.Databases, Shards: cfg.Memory.Shards,
		Partitions: n.cluster != nil, Seed: seed,
		Observer: observer,
		Voided:   func(db int, key []byte) { n.cache.Voided(db, key) },
	})
	if err != nil {
		return n, fmt.Errorf("open the engine: %w", err)
	}
	n.cache = cache.New(n.store, namespaces)
	commands := command.Config{
		Cache: n.cache, Options: cfg.Command, Observer: observer,
		Server: command.ServerInfo{Version: build.Version, Commit: build.Commit, ConfigFile: cfg.File,
			UnixSocket: cfg.Server.Unix, EventLoops: cfg.Server.Loops},
		Hooks: command.Hooks{
			Network:  n.network,
			Shutdown: n.askToStop,
			Changed:  n.changed,
			Rewrite:  n.rewrite,
			Log:      func(message string) { log.Info(message) },
			Sections: n.sections,
			Sampled:  n.watch.hot.Sampled,
		},
	}
	if n.cluster != nil {
		n.cluster.answer(&commands)
	} else if commands.Configuration, err = settings.NewSingle(cfg, n.current); err != nil {
		return n, err
	}
	n.executor = command.New(commands)
	n.executor.SetUnheld(cfg.Unheld())
	if n.server, err = server.New(cfg.Server, server.Commands{Executor: n.executor}, log); err != nil {
		return n, err
	}
	if err := n.startWatch(cfg, build, gates); err != nil {
		return n, err
	}
	if n.cluster != nil {
		if err := n.cluster.take(n.executor, n.store, build); err != nil {
			return n, err
		}
		if err := n.cluster.serve(cfg, n.executor, log); err != nil {
			return n, err
		}
	}
	if err := n.server.Start(); err != nil {
		return n, err
	}
	n.describe()
	n.watch.monitor.Serving()
	return n, nil
}

// Stopping is readable once a client has asked for shutdown, or an operator for a
// restart.
func (n *Node) Stopping() <-chan End { return n.stop }

func (n *Node) askToStop() { n.askFor(Shutdown) }

// askToRestart asks for a restart, or says why there can be none.
func (n *Node) askToRestart() error {
	if err := canReexec(); err != nil {
		return err
	}
	n.askFor(Restart)
	return nil
}

func (n *Node) askFor(end End) {
	select {
	case n.stop <- end:
	default:
	}
}

// StepAside hands what this node owns over to other nodes of its cluster that have
// copies, while it goes on serving, so that its end fails no request there. It
// returns when that is done, or cannot be, or cluster.handover_timeout has passed;
// what became of it is in the log.
func (n *Node) StepAside() {
	n.watch.stopping()
	if n.cluster != nil {
		n.cluster.stepAside()
	}
}

// Addrs returns the addresses RESP is served on.
func (n *Node) Addrs() []net.Addr { return n.server.Addrs() }

// Stop ends the node: no new connections, running requests finish until ctx is
// done, then everything closes.
func (n *Node) Stop(ctx context.Context) error {
	var errs []error
	n.watch.stopping()
	if n.server != nil {
		errs = append(errs, n.server.Shutdown(ctx))
	}
	if n.cluster != nil {
		errs = append(errs, n.cluster.retire(ctx))
	}
	if n.cache != nil {
		n.cache.Close()
	}
	for _, s := range n.sources {
		errs = append(errs, s.Close())
	}
	errs = append(errs, n.watch.stop(ctx))
	if n.cluster != nil {
		errs = append(errs, n.cluster.leave(ctx))
	}
	if n.store != nil {
		n.store.Close()
	}
	return errors.Join(errs...)
}
