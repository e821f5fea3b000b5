package etcd

import (
	"context"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// reclaimWithin bounds the defragmentation of one member's file.
const reclaimWithin = 30 * time.Second

// Health is nil when the store reads and writes: a quorum answered a read, and no
// member is out of space ([ErrFull]).
func (s *Store) Health(ctx context.Context) error {
	if _, err := s.revision(ctx); err != nil {
		return err
	}
	cctx, cancel := s.conn.bounded(ctx)
	defer cancel()
	got, err := s.conn.client().AlarmList(cctx)
	if err != nil {
		return failure(ctx, "ask for alarms", err)
	}
	for _, a := range got.Alarms {
		if a.Alarm == pb.AlarmType_NOSPACE {
			return fmt.Errorf("coordinator %s: %w", idString(a.MemberID), ErrFull)
		}
	}
	return nil
}

// revision is the store's latest, read linearizably.
func (s *Store) revision(ctx context.Context) (int64, error) {
	cctx, cancel := s.conn.bounded(ctx)
	defer cancel()
	got, err := s.conn.client().Get(cctx, s.key("health"), clientv3.WithCountOnly())
	if err != nil {
		return 0, failure(ctx, "ask for the store's state", err)
	}
	return got.Header.Revision, nil
}

// Reclaim gives the space of old revisions and deleted keys back and lets a full
// store write again, when it has room now. Watches that are behind resync. Each
// member stands still for a moment (some 100 ms per 100 MB), one after the other;
// every one must answer.
func (s *Store) Reclaim(ctx context.Context) error {
	revision, err := s.revision(ctx)
	if err != nil {
		return err
	}
	if err := s.compact(ctx, revision); err != nil {
		return err
	}
	members, err := s.listMembers(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		cctx, cancel := context.WithTimeout(ctx, reclaimWithin)
		err := s.at(cctx, m, func(ctx context.Context, client *clientv3.Client) error {
			_, err := client.Defragment(ctx, m.ClientURLs[0])
			return err
		})
		cancel()
		if err != nil {
			return failure(ctx, "reclaim space of coordinator "+orString(m.Name, idString(m.ID)), err)
		}
	}
	cctx, cancel := s.conn.bounded(ctx)
	defer cancel()
	_, err = s.conn.client().AlarmDisarm(cctx, &clientv3.AlarmMember{})
	return failure(ctx, "end the alarm of a full store", err)
}

// compact forgets history up to revision; doing it twice is no error.
func (s *Store) compact(ctx context.Context, revision int64) error {
	cctx, cancel := s.conn.bounded(ctx)
	defer cancel()
	_, err := s.conn.client().Compact(cctx, revision, clientv3.WithCompactPhysical())
	if err != nil && !isCompacted(err) {
		return failure(ctx, "compact the store", err)
	}
	return nil
}
