package settings

import (
	"context"
	"fmt"

	"github.com/larder-cache/larder/internal/config"
)

// Apply puts a new configuration in force on the running node, as far as that
// goes without a restart. When it fails the node keeps the old one.
type Apply func(old, new config.Config) error

// Run follows the settings of the cluster until ctx ends: each new revision is
// judged with what the node was given, applied, and kept as the last known one.
// After Connect and Start.
func (s *Service) Run(ctx context.Context, apply Apply) {
	for data := range s.store.Watch(ctx, currentKey) {
		var r Record
		var err error
		if data != nil {
			r, err = decode(data)
		} else if known := s.State().Seen; known > 0 {
			err = emptiedError(known)
		}
		if err != nil {
			s.fail(r, err)
			continue
		}
		s.adopt(r, apply)
	}
}

// emptiedError says that the store has no settings although it once had: the
// node keeps what it knows rather than fall back to defaults, without a
// password for instance.
func emptiedError(known uint64) error {
	return fmt.Errorf("the store has no settings any more, this node goes by revision %d; was it emptied, or is it another cluster's?", known)
}

// adopt puts a revision in force.
func (s *Service) adopt(r Record, apply Apply) {
	s.mu.Lock()
	force, old, origin := s.force.Revision, s.now.Config, s.origin
	same := r.Revision == force && r.Settings.Equal(s.force.Settings)
	s.seen, s.origin = r, FromStore
	s.mu.Unlock()
	if origin != FromStore {
		s.log.Info("the configuration of the cluster can be read again", "revision", r.Revision)
	}
	if same {
		s.mu.Lock()
		s.problem = ""
		s.mu.Unlock()
		if origin != FromStore {
			s.announce()
		}
		return
	}
	if r.Revision < force {
		s.log.Warn("the configuration of the cluster has gone back to an earlier revision", "revision", r.Revision, "was", force)
	}
	e, err := s.cfg.Own.Over(r.Settings)
	if err == nil {
		err = apply(old, e.Config)
	}
	if err != nil {
		s.fail(r, err)
		return
	}
	// Invariant: a revision that is said to be in force is the last known copy.
	s.keep(r)
	s.mu.Lock()
	s.force, s.now, s.problem = r, e, ""
	s.mu.Unlock()
	args := []any{"revision", r.Revision, "author", r.Author, "changed", r.Paths}
	if restart := s.State().Restart; len(restart) > 0 {
		args = append(args, "after_restart", restart)
	}
	s.log.Info("settings of the cluster in force", args...)
	s.announce()
}

// fail notes that a revision cannot be put in force.
func (s *Service) fail(r Record, reason error) {
	s.log.Error("settings of the cluster are not in force on this node", "revision", r.Revision, "reason", inLine(reason))
	s.mu.Lock()
	s.problem = fmt.Sprintf("revision %d is not in force: %s", r.Revision, inLine(reason))
	s.failed = r.Revision
	s.mu.Unlock()
	s.announce()
}

// await waits until a revision, or a later one, is in force on this node. The
// error says why it is not.
func (s *Service) await(ctx context.Context, revision uint64) error {
	for {
		s.mu.Lock()
		force, problem, failed, moved := s.force.Revision, s.problem, s.failed, s.moved
		s.mu.Unlock()
		switch {
		case force >= revision:
			return nil
		case failed >= revision && problem != "":
			return &NotInForceError{revision, problem}
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return &NotInForceError{revision, "it has not arrived yet"}
		}
	}
}

// Sync waits until what is the current revision now is in force on this node.
func (s *Service) Sync(ctx context.Context) error {
	now, err := s.Current(ctx)
	if err != nil {
		return err
	}
	return s.await(ctx, now.Revision)
}

// keep writes the last known copy.
func (s *Service) keep(r Record) {
	if err := writeCopy(s.cfg.Dir, r); err != nil {
		s.log.Error("the last known settings of the cluster cannot be kept; this node needs the store at its next start", "file", copyFile(s.cfg.Dir), "reason", err)
	}
}
