package etcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
)

const (
	// retryEvery is the pause between attempts of what a member does by itself.
	retryEvery = 50 * time.Millisecond
	// stopWithin bounds Stop of a member whose parts may hang after a fault.
	stopWithin = 10 * time.Second
)

// Member is a coordinator's part of etcd, running in this process. Safe for
// concurrent use.
//
// Life: started -> ready (it votes, and there is a quorum) -> done. [Form] and
// [Join] return a ready one, [Restart] a started one, since it may be the first of
// its cluster to come back.
type Member struct {
	cfg     MemberConfig
	journal *journal
	server  *embed.Etcd
	lock    *os.File
	conn    *connection      // in process; closed before the server
	client  *clientv3.Client // that of conn, until [Store.Switch]

	ready chan struct{}
	done  chan struct{}
	err   error // read after done is closed

	succession succession // see Succeed

	stopOnce sync.Once
	stopping chan struct{}
	settled  sync.WaitGroup // settle and watchOver
}

// Form begins a new cluster with this member alone. Its directory must hold no
// member yet ([ErrExists]). Takes one election time-out.
func Form(ctx context.Context, cfg MemberConfig) (*Member, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, err
	}
	m, err := start(cfg, holdsNone, cfg.Name+"="+cfg.peerURL(), embed.ClusterStateFlagNew)
	if err != nil {
		return nil, fmt.Errorf("form a cluster: %w", err)
	}
	return m.orStop(ctx)
}

// Restart goes on with the member in the data directory ([ErrNoMember] without).
// It returns when the member runs; whether the cluster has a quorum yet shows on
// [Member.Ready]. A member that was removed meanwhile ends by itself: [Member.Done],
// with [ErrRemoved]. An address that has changed is made known to the cluster, and
// a join that was interrupted is finished.
func Restart(_ context.Context, cfg MemberConfig) (*Member, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, err
	}
	m, err := start(cfg, holdsOne, cfg.Name+"="+cfg.peerURL(), embed.ClusterStateFlagExisting)
	if err != nil {
		return nil, fmt.Errorf("restart coordinator: %w", err)
	}
	return m, nil
}

// contents is what a data directory must hold for a way of starting.
type contents int

const (
	holdsNone contents = iota // a new member begins in it
	holdsOne                  // a member goes on from it
)

func start(cfg MemberConfig, want contents, initial, state string) (*Member, error) {
	lock, used, err := openDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	switch {
	case used && want == holdsNone:
		err = fmt.Errorf("%w: %s holds its data; restart it, or empty the directory when it was removed", ErrExists, cfg.Dir)
	case !used && want == holdsOne:
		err = fmt.Errorf("%w: %s", ErrNoMember, cfg.Dir)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	j := newJournal(cfg.Log)
	server, err := launch(cfg.embed(j, initial, state), j)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	client := v3client.New(server.Server)
	m := &Member{
		cfg: cfg, journal: j, server: server, lock: lock, client: client,
		conn:  newConnection(client, cfg.TLS, defaultTimeout, j.logger()),
		ready: make(chan struct{}), done: make(chan struct{}), stopping: make(chan struct{}),
	}
	m.settled.Add(2)
	go m.settle()
	go m.watchOver()
	return m, nil
}

// launch starts etcd in a goroutine of its own, because a fatal line of etcd's
// ends the goroutine that wrote it.
func launch(cfg *embed.Config, j *journal) (server *embed.Etcd, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = ErrFailed
		server, err = embed.StartEtcd(cfg)
	}()
	<-ended
	select {
	case <-j.failed:
		return nil, fmt.Errorf("%w: %s", ErrFailed, j.fatal)
	default:
		return server, err
	}
}

// orStop is m when it becomes ready first, and otherwise m's end.
func (m *Member) orStop(ctx context.Context) (*Member, error) {
	select {
	case <-m.ready:
		return m, nil
	case <-m.done:
		m.Stop()
		return nil, m.err
	case <-ctx.Done():
		m.Stop()
		return nil, fmt.Errorf("coordinator is not ready: %w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

// settle makes a started member a voter, and corrects its address.
//
// etcd calls a member ready when a proposal with its name went through, and
// repeats one that got lost (sent to a leader that was just dying) after more than
// 5 s. A vote and a read need no name, so nothing here waits for it; the member's
// client port does.
func (m *Member) settle() {
	defer m.settled.Done()
	if !m.insist(m.elect) || !m.insist(m.promote) {
		return
	}
	close(m.ready)
	m.insist(m.publishAddress)
}

// insist repeats step until it succeeds (true) or the member ends.
func (m *Member) insist(step func() error) bool {
	for {
		if step() == nil {
			return true
		}
		select {
		case <-time.After(retryEvery):
		case <-m.stopping:
			return false
		case <-m.done:
			return false
		}
	}
}

// publishAddress tells the cluster where this member's peers find it.
func (m *Member) publishAddress() error {
	self := m.server.Server.Cluster().Member(m.server.Server.MemberID())
	if self == nil || slices.Equal(self.PeerURLs, []string{m.cfg.peerURL()}) {
		return nil
	}
	ctx, cancel := m.conn.bounded(context.Background())
	defer cancel()
	_, err := m.conn.client().MemberUpdate(ctx, m.id(), []string{m.cfg.peerURL()})
	return err
}

// promote makes a learner a voter; etcd refuses it until it has caught up. What
// this member is has to be read from the quorum: its own list calls everybody a
// voter until it has applied the entries that say otherwise.
func (m *Member) promote() error {
	members, err := m.Store("").listMembers(context.Background())
	if err != nil {
		return err
	}
	self := slices.IndexFunc(members, func(other *pb.Member) bool { return other.ID == m.id() })
	if self < 0 {
		return ErrNotFound
	}
	if !members[self].IsLearner {
		return nil
	}
	ctx, cancel := m.conn.bounded(context.Background())
	defer cancel()
	_, err = m.conn.client().MemberPromote(ctx, m.id())
	return err
}

func (m *Member) id() uint64 { return uint64(m.server.Server.MemberID()) }

// watchOver ends the member when etcd ended by itself: removed, or failed.
func (m *Member) watchOver() {
	defer m.settled.Done()
	failed := false
	select {
	case <-m.stopping:
	case <-m.server.Server.StopNotify():
		m.err = ErrRemoved
	case <-m.journal.failed:
		failed = true
		m.err = fmt.Errorf("%w: %s", ErrFailed, m.journal.fatal)
	}
	m.conn.suspend(m.client)
	close(m.done)
	if failed {
		// What is left of it may still lead, although it applies nothing: leases
		// would not be renewed. An error means that it does not lead, or that
		// nobody is there to take over.
		_ = m.server.Server.TryTransferLeadershipOnShutdown()
	}
}

// Store reads and writes through this member, without a socket. Keys are taken
// below prefix. It ends with Stop; when the member has ended by itself its calls
// are [ErrUnavailable], until it is made to [Store.Switch].
func (m *Member) Store(prefix string) *Store { return &Store{conn: m.conn, prefix: prefix} }

// Name is the node id the member was started with.
func (m *Member) Name() string { return m.cfg.Name }

// ID is the member's id in the cluster, as [Store.Members] shows it.
func (m *Member) ID() string { return idString(m.id()) }

// Ready is closed when the member has a vote and has seen a quorum.
func (m *Member) Ready() <-chan struct{} { return m.ready }

// Done is closed when the member has ended, by Stop or by itself: see [Member.Err].
func (m *Member) Done() <-chan struct{} { return m.done }

// Err is why the member ended by itself ([ErrRemoved], [ErrFailed]); nil while it
// runs and after Stop.
func (m *Member) Err() error {
	select {
	case <-m.done:
		return m.err
	default:
		return nil
	}
}

// Warnings is how many warnings and errors etcd has logged.
func (m *Member) Warnings() uint64 { return m.journal.warnings.Load() }

// Stop hands leadership over when the member has it, and ends the member. It
// returns when the last goroutine has ended, at the latest after 10 s: a member
// that failed may not be able to end. May be called several times.
func (m *Member) Stop() { m.end(m.shut) }

func (m *Member) shut() {
	select {
	case <-m.server.Server.ReadyNotify():
	default:
		// Close alone would wait for the client's listener to be served, which
		// happens only when etcd calls itself ready.
		m.server.Server.HardStop()
	}
	m.server.Close()
}

func (m *Member) end(shut func()) {
	m.stopOnce.Do(func() {
		close(m.stopping)
		m.settled.Wait()
		m.conn.closeIf(m.client)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			shut()
		}()
		select {
		case <-ended:
			// A member that still holds its files keeps the lock on them as well.
			_ = m.lock.Close()
		case <-time.After(stopWithin):
		}
	})
}

func idString(id uint64) string { return strconv.FormatUint(id, 16) }
