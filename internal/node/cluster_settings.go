package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/config/etcd"
	"github.com/larder-cache/larder/internal/config/settings"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// settle opens the settings of the cluster and returns the configuration that
// the node starts with: they go before defaults, and the node's own before them.
func (c *clustered) settle(ctx context.Context, cfg config.Config) (config.Config, error) {
	own := cfg.Own
	if own == nil {
		own = config.NewOwn(cfg)
	}
	c.settings = settings.Open(settings.Config{
		Own: own, Dir: c.dir.Path(), Log: c.log,
		Report: func(s settings.State) {
			if c.member != nil {
				c.member.SettingsApplied(int64(s.Revision))
			}
		},
	})
	if err := c.settings.Connect(ctx, documents{c.store}); err == nil && c.founded {
		if err := c.settings.Form(ctx, c.self.Name); err != nil {
			return cfg, fmt.Errorf("write the first settings of the cluster: %w", err)
		}
	}
	effective, err := c.settings.Start()
	if err == nil {
		c.cfg.Rebalance, c.cfg.Replicas, c.cfg.SyncInterval = effective.Cluster.Rebalance, effective.Cluster.Replicas, effective.Cluster.SyncInterval
		c.limits = effective.Replication.Limits
	}
	return effective, err
}

// answer makes the commands about settings work on those of the cluster.
func (c *clustered) answer(cfg *command.Config) {
	answers := settings.NewAnswers(c.settings)
	cfg.Configuration, cfg.ClusterSettings = answers, answers
	cfg.Settings = func(own *command.Parameters) command.Settings { return settings.NewParameters(own, c.settings) }
}

// follow puts every later revision of the settings in force.
func (c *clustered) follow(ctx context.Context, x *command.Executor, store *memory.Store) {
	c.member.SettingsApplied(int64(c.settings.State().Revision))
	c.settings.Run(ctx, settings.Live(x, store, c.member))
}

// documents is the configuration service as the settings see it.
type documents struct{ store *etcd.Store }

// Get implements [settings.Store].
func (s documents) Get(ctx context.Context, key string) ([]byte, int64, error) {
	v, err := s.store.Get(ctx, key)
	if errors.Is(err, etcd.ErrNotFound) {
		return nil, 0, nil
	}
	return v.Data, int64(v.Revision), plainly(err)
}

// Commit implements [settings.Store].
func (s documents) Commit(ctx context.Context, c settings.Commit) error {
	var ops []etcd.Op
	for key, data := range c.Writes {
		ops = append(ops, etcd.Write(key, data))
	}
	for _, key := range c.Removes {
		ops = append(ops, etcd.Remove(key))
	}
	_, err := s.store.Commit(ctx, ops, etcd.If(c.Key, etcd.Revision(c.Revision)))
	switch {
	case errors.Is(err, etcd.ErrConflict):
		return fmt.Errorf("%w: %w", settings.ErrConflict, err)
	case errors.Is(err, etcd.ErrFull), errors.Is(err, etcd.ErrTooLarge), errors.Is(err, etcd.ErrDenied):
		return fmt.Errorf("%w: %w", settings.ErrRefused, err)
	}
	return plainly(err)
}

// Watch implements [settings.Store].
func (s documents) Watch(ctx context.Context, key string) <-chan []byte {
	out := make(chan []byte)
	go func() { // ends with ctx or the store
		defer close(out)
		for change := range s.store.Watch(ctx, key, 0) {
			var data []byte
			told := change.Resync
			for _, e := range change.Events {
				if e.Key == key {
					data, told = e.Data, true
				}
			}
			if !told {
				continue
			}
			select {
			case out <- data:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
