package etcd

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/raft/v3/raftpb"
)

// succeedInTurn is how long a member leaves to the one before it to become the
// leader in place of one that is dead: of several that stand at the same time none
// may get a majority.
const succeedInTurn = 150 * time.Millisecond

// succession is what a member knows of a leader that others take for dead.
type succession struct {
	leader types.ID
	since  time.Time
}

// Follows reports whether this member takes the one called name for the leader.
func (m *Member) Follows(name string) bool {
	s := m.server.Server
	leader := s.Cluster().Member(s.Leader())
	return leader != nil && leader.Name == name
}

// Succeed has this member stand for leader when it follows the one called name: the
// caller takes that one for dead. By themselves members wait for an election
// time-out. To be called again and again while that is so, by one goroutine: the
// members stand in turn. Being wrong costs an election.
func (m *Member) Succeed(ctx context.Context, name string) error {
	dead := m.server.Server.Leader()
	if !m.Follows(name) {
		return nil
	}
	if m.succession.leader != dead {
		m.succession = succession{dead, time.Now()}
	}
	before, votes := m.turn(dead)
	if !votes || time.Since(m.succession.since) < time.Duration(before)*succeedInTurn {
		return nil
	}
	m.succession = succession{}
	return m.stand(ctx)
}

// turn returns how many voters stand before this member when one of them is dead,
// and whether it is one itself.
func (m *Member) turn(dead types.ID) (before int, votes bool) {
	own := m.server.Server.MemberID()
	for _, other := range m.server.Server.Cluster().Members() {
		switch {
		case other.IsLearner:
		case other.ID == own:
			votes = true
		case other.ID < own && other.ID != dead:
			before++
		}
	}
	return before, votes
}

// stand begins an election, as a leader that resigns has its successor do.
func (m *Member) stand(ctx context.Context) error {
	own := m.id()
	return m.server.Server.Process(ctx, &raftpb.Message{Type: raftpb.MsgTimeoutNow.Enum(), From: &own, To: &own})
}

// Why a member that is alone is not ready.
var (
	errNoLeader  = errors.New("there is no leader yet")
	errNoVersion = errors.New("the version of the cluster is not decided yet")
)

// elect has a member that is alone elect itself. It is refused until the member has
// applied what it was begun with. The leader's first act is to decide the version of
// the cluster; a member that joined before would take it for an incompatible one.
func (m *Member) elect() error {
	s := m.server.Server
	switch {
	case len(s.Cluster().Members()) > 1:
		return nil
	case s.Leader() == 0:
		ctx, cancel := m.conn.bounded(context.Background())
		defer cancel()
		return errors.Join(errNoLeader, m.stand(ctx))
	case s.ClusterVersion() == nil:
		return errNoVersion
	}
	return nil
}
