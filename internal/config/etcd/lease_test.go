package etcd

import (
	"context"
	"errors"
	"testing"
	"time"
)

// state waits for the registration to say held.
func state(t *testing.T, r *Registration, held bool) {
	t.Helper()
	for {
		select {
		case got, open := <-r.States():
			if !open {
				t.Fatal("the registration ended")
			}
			if got == held {
				return
			}
		case <-within(t).Done():
			t.Fatalf("registration does not become %v", held)
		}
	}
}

func TestRegistrationIsLostAndRegained(t *testing.T) {
	t.Parallel()
	m := form(t, config(t, "n0"))
	s := m.Store("")
	r, err := s.Register(within(t), "nodes/1", []byte("a"), time.Second, IfAbsent("nodes/1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Register(within(t), "nodes/1", []byte("b"), time.Second, IfAbsent("nodes/1")); !errors.Is(err, ErrConflict) {
		t.Errorf("registering twice: %v", err)
	}
	if err := r.Update(within(t), []byte("c")); err != nil || !has(s, "nodes/1", "c") {
		t.Errorf("update: %v", err)
	}

	leases, err := m.conn.client().Leases(within(t))
	if err != nil || len(leases.Leases) != 1 {
		t.Fatalf("leases: %+v, %v", leases, err)
	}
	if _, err := m.conn.client().Revoke(within(t), leases.Leases[0].ID); err != nil {
		t.Fatal(err)
	}
	state(t, r, true)
	if !has(s, "nodes/1", "c") {
		t.Error("regained, but the key is not as updated")
	}
	if err := r.Close(within(t)); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(within(t), "nodes/1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after Close: %v", err)
	}
	if err := r.Update(within(t), nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("update after Close: %v", err)
	}
	if err := r.Close(within(t)); err != nil {
		t.Error(err)
	}
}

func TestRegistrationThroughLossOfQuorum(t *testing.T) {
	t.Parallel()
	m, cfg := trio(t, nil)
	s := connect(t, ClientConfig{Endpoints: clients(cfg[:]...)})
	r, err := s.Register(within(t), "nodes/1", []byte("a"), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	kill(m[0])
	kill(m[1])
	state(t, r, false)
	if err := r.Update(within(t), []byte("b")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("update without quorum: %v", err)
	}
	restart(t, cfg[0])
	state(t, r, true)
	eventually(t, "the key as updated", func() bool { return has(s, "nodes/1", "b") })
}

func TestRegistrationDiesWithItsProcess(t *testing.T) {
	t.Parallel()
	cfg := config(t, "n0")
	m := form(t, cfg)
	s := connect(t, ClientConfig{Endpoints: clients(cfg)})
	if _, err := s.Register(within(t), "nodes/1", nil, time.Second); err != nil {
		t.Fatal(err)
	}
	s.Close()
	eventually(t, "the key's end", func() bool {
		_, err := m.Store("").Get(context.Background(), "nodes/1")
		return errors.Is(err, ErrNotFound)
	})
}

func TestElection(t *testing.T) {
	t.Parallel()
	cfg := config(t, "n0")
	m := form(t, cfg)
	a, b := m.Store("/p/"), connect(t, ClientConfig{Endpoints: clients(cfg), Prefix: "/p/"})
	first, err := a.Campaign(within(t), "controller", "a", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if id, since, err := b.Leader(within(t), "controller"); id != "a" || since != first.Revision() || err != nil {
		t.Errorf("leader %q since %d, %v", id, since, err)
	}
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.Campaign(short, "controller", "b", time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a campaign that lasts: %v", err)
	}
	put(t, a, "view", "1", IfOwner(first))

	// The leader is paused: it does not renew, and does not notice either.
	first.stop()
	second, err := b.Campaign(within(t), "controller", "b", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if second.Revision() <= first.Revision() {
		t.Errorf("tokens %d, then %d", first.Revision(), second.Revision())
	}
	put(t, b, "view", "2", IfOwner(second))
	_, err = a.Put(within(t), "view", []byte("3"), IfOwner(first))
	if !errors.Is(err, ErrDeposed) || !errors.Is(err, ErrConflict) {
		t.Errorf("the deposed leader wrote: %v", err)
	}

	third := make(chan *Leadership, 1)
	go func() {
		l, err := a.Campaign(within(t), "controller", "a", time.Second)
		if err != nil {
			t.Error(err)
		}
		third <- l
	}()
	if err := second.Resign(within(t)); err != nil {
		t.Error(err)
	}
	closed(t, "the end of the resigned", second.Done())
	if _, err := b.Put(within(t), "view", nil, IfOwner(second)); !errors.Is(err, ErrDeposed) {
		t.Errorf("the resigned leader wrote: %v", err)
	}
	l := <-third
	if l == nil {
		t.FailNow()
	}
	if _, err := m.conn.client().Revoke(within(t), l.lease.id); err != nil {
		t.Fatal(err)
	}
	closed(t, "notice of the lost lease", l.Done())
	if _, err := a.Campaign(within(t), "controller", "a", 0); err == nil {
		t.Error("a ttl of 0 was taken")
	}
}

// TestLeaderWithoutQuorumKnowsInTime: Done is closed within the ttl.
func TestLeaderWithoutQuorumKnowsInTime(t *testing.T) {
	t.Parallel()
	m, _ := trio(t, nil)
	l, err := m[0].Store("").Campaign(within(t), "controller", "a", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	kill(m[1])
	kill(m[2])
	expires := time.Now().Add(time.Second)
	closed(t, "the leadership's end", l.Done())
	if late := time.Since(expires); late > 500*time.Millisecond {
		t.Errorf("known %v after the last moment", late)
	}
}
