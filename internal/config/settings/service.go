package settings

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/config"
)

// Config is what a [Service] is made of.
type Config struct {
	// Own is what the node was given by itself. Required.
	Own *config.Own
	// Dir is the directory of the last known copy. Empty: none is kept.
	Dir string
	// Log is told of revisions, and of what could not be done. Nil: nobody is.
	Log *slog.Logger
	// Report is told of each new state, by one goroutine at a time and never with
	// a lock held. It must return soon. Nil: nobody is.
	Report func(State)
	// Nodes returns what is known of the nodes of the cluster, this one included.
	// Nil: nothing is known of others.
	Nodes func() []NodeState
	// Now is the clock for the history. Nil: time.Now.
	Now func() time.Time
}

// Service is one node's part in the settings of its cluster. It is safe for
// concurrent use.
type Service struct {
	cfg   Config
	log   *slog.Logger
	store Store // set by Connect, before everything else but Open

	mu      sync.Mutex
	seen    Record           // GUARDED_BY(mu): the newest this node knows
	force   Record           // GUARDED_BY(mu): the one in force
	now     config.Effective // GUARDED_BY(mu): the configuration in force
	started config.Config    // GUARDED_BY(mu): the configuration the node has started with
	origin  Origin           // GUARDED_BY(mu)
	problem string           // GUARDED_BY(mu): why a revision is not in force
	failed  uint64           // GUARDED_BY(mu): that revision
	moved   chan struct{}    // GUARDED_BY(mu): closed, and made anew, when anything of this changes
}

// ErrNotConnected says that a node has never had a connection to the store.
var ErrNotConnected = errors.New("this node has no connection to the configuration of its cluster yet")

// Open returns the service of a node, with its last known copy when there is
// one. A copy that cannot be read is as none; the log has it.
func Open(cfg Config) *Service {
	s := &Service{cfg: cfg, log: cfg.Log, origin: FromNowhere, moved: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.cfg.Now == nil {
		s.cfg.Now = time.Now
	}
	r, found, err := readCopy(cfg.Dir)
	switch {
	case err != nil:
		s.log.Error("the last known settings of the cluster cannot be used", "file", copyFile(cfg.Dir), "reason", err)
	case found:
		s.seen, s.origin = r, FromCopy
	}
	return s
}

// Connect gives the service its store and reads what is there now. After an
// error the service goes by its copy, and by the store once that answers: the
// error is to be told, not to end the node. Once, before all that follows.
func (s *Service) Connect(ctx context.Context, store Store) error {
	s.store = store
	r, _, err := s.read(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.log.Warn("the settings of the cluster cannot be read; going by the last known ones", "revision", s.seen.Revision, "origin", string(s.origin), "reason", err)
		return err
	}
	if r.Revision == 0 && s.seen.Revision > 0 {
		err := emptiedError(s.seen.Revision)
		s.log.Error("the settings of the cluster are gone", "reason", err)
		return err
	}
	s.seen, s.origin = r, FromStore
	return nil
}

// Form makes what the node was given by its own file and flags the first
// settings of a cluster. A cluster that has settings keeps them.
func (s *Service) Form(ctx context.Context, author string) error {
	seed, err := s.cfg.Own.Seed()
	if err != nil {
		return err
	}
	first := Record{Author: author, Comment: "as the node that formed the cluster was started"}
	r, err := s.commit(ctx, first, func(now Record) (config.Shared, error) {
		if now.Revision > 0 {
			return now.Settings, nil
		}
		return seed, nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.origin = r, FromStore
	return nil
}

// Start returns the configuration that the node starts with. The error is a
// [config.Problems]: what the node was given does not go with the settings of
// the cluster. Once, before Run.
func (s *Service) Start() (config.Config, error) {
	s.mu.Lock()
	seen, origin := s.seen, s.origin
	s.mu.Unlock()
	e, err := s.cfg.Own.Over(seen.Settings)
	if err != nil {
		return config.Config{}, err
	}
	s.mu.Lock()
	s.force, s.now, s.started = seen, e, e.Config
	s.mu.Unlock()
	if origin != FromStore {
		s.log.Warn("starting without the configuration of the cluster", "settings", string(origin), "revision", seen.Revision)
	}
	s.keep(seen)
	s.announce()
	return e.Config, nil
}

// State returns how far the node has come.
func (s *Service) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{
		Revision: s.force.Revision, Seen: s.seen.Revision, Origin: s.origin, Problem: s.problem,
		Restart:    config.Restart(s.started, s.now.Config),
		Overridden: s.now.Overridden(), Unknown: s.now.Unknown,
	}
}

// Effective returns the configuration in force, with the layer of each setting.
// The caller must not change it.
func (s *Service) Effective() config.Effective {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Get returns settings of these paths as they are on this node: no path for all,
// a section for those in it. The error is a [config.Problems].
func (s *Service) Get(paths ...string) ([]config.Value, error) {
	e := s.Effective()
	return e.Values(paths...)
}

// announce tells the new state to whoever waits for it.
func (s *Service) announce() {
	s.mu.Lock()
	close(s.moved)
	s.moved = make(chan struct{})
	s.mu.Unlock()
	if s.cfg.Report != nil {
		s.cfg.Report(s.State())
	}
}

// read returns the current revision and the revision of its key in the store.
func (s *Service) read(ctx context.Context) (Record, int64, error) {
	if s.store == nil {
		return Record{}, 0, ErrNotConnected
	}
	data, at, err := s.store.Get(ctx, currentKey)
	if err != nil || at == 0 {
		return Record{}, 0, err
	}
	r, err := decode(data)
	return r, at, err
}

// inOrder sorts paths and returns them.
func inOrder(paths []string) []string {
	slices.Sort(paths)
	return paths
}

// nodes returns the nodes of the cluster by name, at least this one.
func (s *Service) nodes() []NodeState {
	var list []NodeState
	if s.cfg.Nodes != nil {
		list = slices.Clone(s.cfg.Nodes())
	}
	slices.SortFunc(list, func(a, b NodeState) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
