package settings

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/config/etcd"
	"github.com/larder-cache/larder/internal/ports"
)

// etcdStore is a [Store] in etcd.
type etcdStore struct{ *etcd.Store }

func (s etcdStore) Get(ctx context.Context, key string) ([]byte, int64, error) {
	v, err := s.Store.Get(ctx, key)
	if errors.Is(err, etcd.ErrNotFound) {
		return nil, 0, nil
	}
	return v.Data, int64(v.Revision), err
}

func (s etcdStore) Commit(ctx context.Context, c Commit) error {
	var ops []etcd.Op
	for key, data := range c.Writes {
		ops = append(ops, etcd.Write(key, data))
	}
	for _, key := range c.Removes {
		ops = append(ops, etcd.Remove(key))
	}
	_, err := s.Store.Commit(ctx, ops, etcd.If(c.Key, etcd.Revision(c.Revision)))
	switch {
	case errors.Is(err, etcd.ErrConflict):
		return fmt.Errorf("%w: %w", ErrConflict, err)
	case errors.Is(err, etcd.ErrFull), errors.Is(err, etcd.ErrTooLarge), errors.Is(err, etcd.ErrDenied):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

func (s etcdStore) Watch(ctx context.Context, key string) <-chan []byte {
	out := make(chan []byte)
	go func() { // ends with ctx or the store
		defer close(out)
		for change := range s.Store.Watch(ctx, key, 0) {
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

// members starts a cluster of three members of etcd.
func members(t *testing.T) (list [3]*etcd.Member) {
	t.Helper()
	for i := range list {
		free, err := ports.Claim()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(free.Release)
		name := fmt.Sprint("n", i)
		cfg := etcd.MemberConfig{Dir: filepath.Join(t.TempDir(), name), Name: name, Cluster: t.Name(),
			PeerListen: free.Address(0), ClientListen: free.Address(1), Heartbeat: 10 * time.Millisecond, Election: 100 * time.Millisecond}
		if i == 0 {
			list[i], err = etcd.Form(within(t), cfg)
		} else {
			list[i], err = etcd.Join(within(t), cfg, list[0].Store(""))
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(list[i].Stop)
	}
	return list
}

// The whole over etcd: while clients change settings through three nodes, the
// coordinator that everybody joined through is lost. What was answered before,
// meanwhile and after looks as if done one after the other.
func TestLossOfACoordinator(t *testing.T) {
	coordinators := members(t)
	var stores []Store
	for _, m := range coordinators {
		stores = append(stores, etcdStore{m.Store("/larder/test/")})
	}
	var nodes []*node
	for _, m := range coordinators {
		nodes = append(nodes, startNode(t, etcdStore{m.Store("/larder/another/")}))
	}
	var longest time.Duration
	for i := range 20 {
		begun := time.Now()
		r := nodes[i%3].must(fmt.Sprintf("limits.keepalive=%ds", i+1))
		for _, n := range nodes {
			n.until("the change", func(st State) bool { return st.Revision >= r.Revision })
		}
		longest = max(longest, time.Since(begun))
	}
	t.Logf("the slowest of 20 changes was in force on 3 nodes after %v", longest)
	checkHistory(t, 1, stores, func() { coordinators[0].Stop() })
	n := startNode(t, stores[1])
	begun := time.Now()
	r := n.must("limits.idle_timeout=1m")
	t.Logf("a change is in force on its node after %v", time.Since(begun))
	if now, err := n.Current(within(t)); err != nil || now.Revision != r.Revision {
		t.Errorf("%v, revision %d after %d", err, now.Revision, r.Revision)
	}
	checkRevisions(t, stores[2])
	coordinators[2].Stop()
	if _, err := n.set("limits.idle_timeout=2m"); !errors.Is(err, etcd.ErrUnavailable) {
		t.Errorf("a change without a quorum gave %v", err)
	}
	if n.value("limits.idle_timeout") != "1m" {
		t.Error("the node does not go on with what it has")
	}
}
