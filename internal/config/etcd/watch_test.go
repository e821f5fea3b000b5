package etcd

import (
	"context"
	"fmt"
	"testing"
)

// mirror applies changes as a reader would, until done says it has seen enough.
func mirror(t *testing.T, changes <-chan Change, into map[string]string, done func(Change) bool) {
	t.Helper()
	ctx := within(t)
	for {
		select {
		case c, open := <-changes:
			if !open {
				t.Fatal("the watch ended")
			}
			if c.Resync {
				clear(into)
			}
			for _, e := range c.Events {
				if e.Removed {
					delete(into, e.Key)
				} else {
					into[e.Key] = string(e.Data)
				}
			}
			if done(c) {
				return
			}
		case <-ctx.Done():
			t.Fatalf("not seen; state is %v", into)
		}
	}
}

func TestWatchDeliversCommitsInOrder(t *testing.T) {
	t.Parallel()
	cfg := config(t, "n0")
	m := form(t, cfg)
	local := m.Store("/p/")
	put(t, local, "old", "0")
	for place, s := range map[string]*Store{
		"in process": local,
		"endpoints":  connect(t, ClientConfig{Endpoints: clients(cfg), Prefix: "/p/"}),
	} {
		t.Run(place, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			changes := s.Watch(ctx, "", 0)
			state := map[string]string{}
			mirror(t, changes, state, func(c Change) bool { return c.Resync })
			if state["old"] != "0" {
				t.Errorf("resync: %v", state)
			}
			put(t, s, "a", "1")
			if _, err := s.Commit(within(t), []Op{Remove("a"), Write("b", []byte("2")), Write("c", nil)}); err != nil {
				t.Fatal(err)
			}
			put(t, m.Store(""), "/elsewhere", "x")
			last := put(t, s, "end", place)
			seen, previous := 0, Revision(0)
			mirror(t, changes, state, func(c Change) bool {
				for _, e := range c.Events {
					if e.Revision < previous {
						t.Errorf("revision %d after %d", e.Revision, previous)
					}
					previous, seen = e.Revision, seen+1
				}
				return c.Revision >= last
			})
			if seen != 5 || state["b"] != "2" || state["end"] != place {
				t.Errorf("%d events, %v", seen, state)
			}
			if _, there := state["a"]; there {
				t.Error("a is there after its removal")
			}
			cancel()
			for range changes {
				t.Error("a change after the end")
			}
		})
	}
}

func TestWatchOverCompaction(t *testing.T) {
	t.Parallel()
	m := form(t, config(t, "n0"))
	s := m.Store("")
	before := put(t, s, "gone", "1")
	put(t, s, "kept", "1")
	if _, err := s.Delete(within(t), "gone"); err != nil {
		t.Fatal(err)
	}
	now := put(t, s, "kept", "2")
	if err := s.compact(within(t), int64(now)); err != nil {
		t.Fatal(err)
	}
	if err := s.compact(within(t), int64(now)); err != nil {
		t.Errorf("a second time: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	changes := s.Watch(ctx, "", before)
	state := map[string]string{"gone": "1"}
	mirror(t, changes, state, func(c Change) bool { return c.Resync })
	last := put(t, s, "kept", "3")
	mirror(t, changes, state, func(c Change) bool { return c.Revision >= last })
	if len(state) != 1 || state["kept"] != "3" {
		t.Errorf("state %v", state)
	}
}

// TestWatchOverLostMembers restarts every member in turn under a watch that talks
// to whichever is there: each write is seen once, in order.
func TestWatchOverLostMembers(t *testing.T) {
	t.Parallel()
	m, cfg := trio(t, nil)
	s := connect(t, ClientConfig{Endpoints: clients(cfg[:]...)})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	changes := s.Watch(ctx, "k", 0)
	mirror(t, changes, map[string]string{}, func(c Change) bool { return c.Resync })
	for i := range m {
		kill(m[i])
		key := fmt.Sprint("k", i)
		eventually(t, "a write without one member", func() bool {
			_, err := s.Put(context.Background(), key, nil, IfAbsent(key))
			return err == nil || has(s, key, "")
		})
		seen := 0
		mirror(t, changes, map[string]string{}, func(c Change) bool {
			for _, e := range c.Events {
				if e.Key != key || e.Removed || c.Resync {
					t.Errorf("saw %+v while waiting for %s", e, key)
				}
				seen++
			}
			return seen == 1
		})
		m[i] = restart(t, cfg[i])
		closed(t, "its return", m[i].Ready())
	}
}
