package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/server/v3/embed"
)

// cleanUpWithin bounds taking a failed joiner out of the cluster again.
const cleanUpWithin = 5 * time.Second

// Join adds this node to the cluster that through reaches, as a learner first, and
// returns when it has caught up and votes. Until ctx ends it tries again whatever
// may get better; then the learner is taken out of the cluster again, as far as it
// can be reached. The cluster's quorum is the same all the while.
//
// The directory must be empty ([ErrExists]); a join that was interrupted after the
// directory was written is finished by [Restart]. What an interrupted join of the
// same name or address has left in the cluster, a learner, is replaced; a voter of
// the same name or address is [ErrExists]: it has to be removed first.
func Join(ctx context.Context, cfg MemberConfig, through *Store) (*Member, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, err
	}
	for {
		m, err := joinOnce(ctx, cfg, through)
		if err == nil {
			return m, nil
		}
		if !errors.Is(err, ErrUnavailable) && !errors.Is(err, errMembersChanged) {
			return nil, fmt.Errorf("join as coordinator: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("join as coordinator: %w", err)
		case <-time.After(retryEvery):
		}
	}
}

// errMembersChanged: two joined at once, and the list that one started with is old.
var errMembersChanged = errors.New("the list of coordinators changed while joining")

func joinOnce(ctx context.Context, cfg MemberConfig, through *Store) (*Member, error) {
	if err := through.dropLearner(ctx, cfg); err != nil {
		return nil, err
	}
	id, initial, err := through.addLearner(ctx, cfg)
	if err != nil {
		return nil, err
	}
	m, err := start(cfg, holdsNone, initial, embed.ClusterStateFlagExisting)
	if err == nil {
		m, err = m.orStop(ctx)
	}
	if err == nil || errors.Is(err, ErrExists) || errors.Is(err, ErrInUse) {
		return m, errors.Join(err, through.takeOutUnless(ctx, err == nil, id))
	}
	return nil, errors.Join(through.whyNot(ctx, initial, cfg, err),
		through.takeOutUnless(ctx, false, id), forgetMember(cfg.Dir))
}

// otherList is what etcd's error begins with when the coordinator that a joiner asked
// has another list of members than the joiner was given. etcd has no value for it.
const otherList = "error validating peerURLs"

// whyNot is errMembersChanged when the list is another one than initial by now, or
// the coordinator that etcd asked had another one: it may have been changed back
// since, and a coordinator may be late. Otherwise it is err.
func (s *Store) whyNot(ctx context.Context, initial string, cfg MemberConfig, err error) error {
	if err != nil && strings.HasPrefix(err.Error(), otherList) {
		return fmt.Errorf("%w: %w", errMembersChanged, err)
	}
	if members, listErr := s.listMembers(ctx); listErr == nil && initialOf(members, cfg) != initial {
		return fmt.Errorf("%w: %w", errMembersChanged, err)
	}
	return err
}

// dropLearner removes what an earlier attempt of this node has left.
func (s *Store) dropLearner(ctx context.Context, cfg MemberConfig) error {
	members, err := s.listMembers(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.Name != cfg.Name && !slices.Contains(m.PeerURLs, cfg.peerURL()) {
			continue
		}
		if !m.IsLearner {
			return fmt.Errorf("%w: %s at %s; remove it first", ErrExists, m.Name, strings.Join(m.PeerURLs, ", "))
		}
		if err := s.removeByID(ctx, m.ID); err != nil {
			return err
		}
	}
	return nil
}

// addLearner makes the place that cfg's member will take; initial is the list of
// members that it starts with.
func (s *Store) addLearner(ctx context.Context, cfg MemberConfig) (id uint64, initial string, err error) {
	cctx, cancel := s.conn.bounded(ctx)
	defer cancel()
	added, err := s.conn.client().MemberAddAsLearner(cctx, []string{cfg.peerURL()})
	if errors.Is(err, rpctypes.ErrMemberNotFound) {
		// A member's id comes from its address and the second: this one was used,
		// and removed, within the same second.
		return 0, "", fmt.Errorf("%w: removed a moment ago", errMembersChanged)
	}
	if err != nil {
		return 0, "", failure(ctx, "add coordinator "+cfg.Name, err)
	}
	return added.Member.ID, initialOf(added.Members, cfg), nil
}

// initialOf writes members as etcd reads them: name=url,... A member that has not
// started has no name yet, its id will do.
func initialOf(members []*pb.Member, cfg MemberConfig) string {
	var list []string
	for _, m := range members {
		name := orString(m.Name, idString(m.ID))
		if slices.Contains(m.PeerURLs, cfg.peerURL()) {
			name = cfg.Name
		}
		for _, u := range m.PeerURLs {
			list = append(list, name+"="+u)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

// takeOutUnless removes the learner id unless it has joined, also when ctx ended.
func (s *Store) takeOutUnless(ctx context.Context, joined bool, id uint64) error {
	if joined {
		return nil
	}
	cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpWithin)
	defer cancel()
	if err := s.removeByID(cctx, id); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}
