package etcd

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

func TestClusterLosesAndRegainsCoordinators(t *testing.T) {
	t.Parallel()
	m, cfg := trio(t, nil)
	s := connect(t, ClientConfig{Endpoints: clients(cfg[:]...), Timeout: time.Second})
	put(t, s, "a", "1")

	list, err := s.Members(within(t))
	if err != nil || len(list) != 3 {
		t.Fatalf("members: %v, %v", list, err)
	}
	leaders := 0
	for _, c := range list {
		if c.Leader {
			leaders++
		}
		if !c.Healthy || c.Learner || c.Problem != "" {
			t.Errorf("coordinator %+v is not a healthy voter", c)
		}
	}
	if leaders != 1 {
		t.Errorf("%d leaders", leaders)
	}

	kill(m[0])
	eventually(t, "a write with two of three", func() bool {
		_, err := s.Put(context.Background(), "a", []byte("2"))
		return err == nil
	})
	kill(m[1])
	for name, call := range map[string]func(context.Context, *Store) error{
		"get":    func(ctx context.Context, s *Store) error { _, err := s.Get(ctx, "a"); return err },
		"list":   func(ctx context.Context, s *Store) error { _, _, err := s.List(ctx, ""); return err },
		"put":    func(ctx context.Context, s *Store) error { _, err := s.Put(ctx, "a", nil); return err },
		"health": func(ctx context.Context, s *Store) error { return s.Health(ctx) },
		"register": func(ctx context.Context, s *Store) error {
			_, err := s.Register(ctx, "r", nil, time.Second)
			return err
		},
		"remove": func(ctx context.Context, s *Store) error {
			if err := s.RemoveMember(ctx, "n0"); errors.Is(err, ErrWouldLoseQuorum) {
				return ErrUnavailable
			} else {
				return err
			}
		},
	} {
		for place, store := range map[string]*Store{"endpoints": s, "in process": m[2].Store("")} {
			t.Run(name+" without quorum, "+place, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				if err := call(context.Background(), store); !errors.Is(err, ErrUnavailable) {
					t.Errorf("%v, want ErrUnavailable", err)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("took %v", took)
				}
			})
		}
	}
	t.Run("back", func(t *testing.T) {
		m[1] = restart(t, cfg[1])
		closed(t, "ready", m[1].Ready())
		eventually(t, "the last write", func() bool { return has(s, "a", "2") })
		m[0] = restart(t, cfg[0])
		closed(t, "ready", m[0].Ready())
		eventually(t, "health", func() bool { return m[0].Store("").Health(context.Background()) == nil })
	})
}

func TestReplaceDeadCoordinator(t *testing.T) {
	t.Parallel()
	m, cfg := trio(t, nil)
	s := m[0].Store("")
	put(t, s, "a", "1")
	kill(m[2])

	if err := s.RemoveMember(within(t), "n1"); !errors.Is(err, ErrWouldLoseQuorum) {
		t.Errorf("removing a live one while another is dead: %v, want ErrWouldLoseQuorum", err)
	}
	if err := s.RemoveMember(within(t), "n9"); !errors.Is(err, ErrNotFound) {
		t.Errorf("removing nobody: %v", err)
	}
	eventually(t, "removal of the dead one", func() bool { return s.RemoveMember(context.Background(), "n2") == nil })
	n3 := join(t, config(t, "n3"), s)
	if !has(n3.Store(""), "a", "1") {
		t.Error("the replacement does not have the data")
	}

	back := restart(t, cfg[2])
	closed(t, "the removed member's end", back.Done())
	if !errors.Is(back.Err(), ErrRemoved) {
		t.Errorf("removed member ended with %v", back.Err())
	}
	if _, err := back.Store("").Get(within(t), "a"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("its store says %v", err)
	}
}

func TestJoinRefusals(t *testing.T) {
	t.Parallel()
	first := config(t, "n0")
	m := form(t, first)
	s := m.Store("")

	if _, err := Form(within(t), first); !errors.Is(err, ErrInUse) {
		t.Errorf("forming in a directory in use: %v", err)
	}
	if _, err := Restart(within(t), config(t, "n1")); !errors.Is(err, ErrNoMember) {
		t.Errorf("restarting from nothing: %v", err)
	}
	twin := config(t, "n0")
	if _, err := Join(within(t), twin, s); !errors.Is(err, ErrExists) {
		t.Errorf("a second n0: %v", err)
	}
	m.Stop()
	m.Stop()
	if _, err := Form(within(t), first); !errors.Is(err, ErrExists) {
		t.Errorf("forming over a member: %v", err)
	}
	if _, err := s.Get(within(t), "a"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("store of a stopped member: %v", err)
	}
	if m.Err() != nil {
		t.Errorf("after Stop: %v", m.Err())
	}
}

func TestJoinThatDiedHalfWay(t *testing.T) {
	t.Parallel()
	m := form(t, config(t, "n0"))
	s := m.Store("")
	cfg, err := config(t, "n1").filled()
	if err != nil {
		t.Fatal(err)
	}

	// 1. It was added and died before it had written anything.
	_, _, err = s.addLearner(within(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "1") // a learner that is away costs no quorum
	// 2. The next attempt was added, started, and died before it had a vote.
	if err := s.dropLearner(within(t), cfg); err != nil {
		t.Fatal(err)
	}
	var initial string
	eventually(t, "being added again", func() bool {
		_, initial, err = s.addLearner(context.Background(), cfg)
		return err == nil
	})
	half, err := start(cfg, holdsNone, initial, "existing")
	if err != nil {
		t.Fatal(err)
	}
	kill(half)
	put(t, s, "a", "2")
	// 3. Its restart finishes the join.
	whole := restart(t, cfg)
	closed(t, "a vote", whole.Ready())
	if !has(whole.Store(""), "a", "2") {
		t.Error("data missing")
	}
}

func TestJoinThatCannotReachLeavesNothing(t *testing.T) {
	t.Parallel()
	m := form(t, config(t, "n0"))
	s := m.Store("")
	cfg := config(t, "n1")
	// Another one has the port that it wants.
	cfg.PeerListen = m.cfg.PeerListen
	cfg.PeerAdvertise = freeAddresses(t, 1)[0]
	if _, err := Join(within(t), cfg, s); err == nil {
		t.Fatal("joined on a port that is taken")
	}
	list, err := s.Members(within(t))
	if err != nil || len(list) != 1 {
		t.Errorf("members after a failed join: %+v, %v", list, err)
	}
	if used, err := holdsMember(cfg.Dir); used || err != nil {
		t.Errorf("directory after a failed join: used %v, %v", used, err)
	}
}

func TestTwoJoinAtOnce(t *testing.T) {
	t.Parallel()
	m := form(t, config(t, "n0"))
	done := make(chan error, 2)
	for _, name := range []string{"n1", "n2"} {
		cfg := config(t, name)
		go func() {
			j, err := Join(within(t), cfg, m.Store(""))
			if err == nil {
				t.Cleanup(j.Stop)
			}
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	list, err := m.Store("").Members(within(t))
	if err != nil || len(list) != 3 || list[0].Learner || list[1].Learner || list[2].Learner {
		t.Errorf("members: %+v, %v", list, err)
	}
}

// TestListOfALateCoordinator starts with another list than the coordinator that etcd
// asks has: the joiner tries again, though the cluster's list is what it was given.
func TestListOfALateCoordinator(t *testing.T) {
	t.Parallel()
	s := form(t, config(t, "n0")).Store("")
	cfg, err := config(t, "n1").filled()
	if err != nil {
		t.Fatal(err)
	}
	_, initial, err := s.addLearner(within(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = start(cfg, holdsNone, initial+",n2=http://"+freeAddresses(t, 1)[0], "existing")
	if err = s.whyNot(within(t), initial, cfg, err); !errors.Is(err, errMembersChanged) {
		t.Error(err)
	}
}

func TestRestartWithAnotherAddress(t *testing.T) {
	t.Parallel()
	m, cfg := trio(t, nil)
	m[2].Stop()
	moved := cfg[2]
	moved.PeerListen = freeAddresses(t, 1)[0]
	back := restart(t, moved)
	closed(t, "ready", back.Ready())
	eventually(t, "the new address in the list", func() bool {
		list, err := m[0].Store("").Members(context.Background())
		if err != nil {
			return false
		}
		for _, c := range list {
			if c.Name == "n2" {
				return c.PeerAddresses[0] == moved.PeerListen
			}
		}
		return false
	})
	kill(m[1])
	eventually(t, "a write that needs the moved one", func() bool {
		_, err := m[0].Store("").Put(context.Background(), "a", []byte("1"))
		return err == nil
	})
}

func TestFullStore(t *testing.T) {
	t.Parallel()
	cfg := config(t, "n0")
	cfg.QuotaBytes = 2 << 20
	m := form(t, cfg)
	s := m.Store("")
	block := make([]byte, 256<<10)
	var err error
	eventually(t, "the quota's end", func() bool {
		_, err = s.Put(context.Background(), "big", block)
		return err != nil
	})
	if !errors.Is(err, ErrFull) {
		t.Fatalf("writing past the quota: %v", err)
	}
	if err := s.Health(within(t)); !errors.Is(err, ErrFull) {
		t.Errorf("health: %v", err)
	}
	if _, err := s.Get(within(t), "big"); err != nil {
		t.Errorf("reading when full: %v", err)
	}
	if _, err := s.Delete(within(t), "big"); err != nil {
		t.Errorf("deleting when full: %v", err)
	}
	if err := s.Reclaim(within(t)); err != nil {
		t.Fatalf("reclaim: %v", err)
	}
	put(t, s, "small", "1")
	if err := s.Health(within(t)); err != nil {
		t.Errorf("health after reclaiming: %v", err)
	}
}

func TestFaultEndsTheMemberNotTheProcess(t *testing.T) {
	t.Parallel()
	m := form(t, config(t, "n0"))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.journal.logger().Fatal("write failed")
	}()
	closed(t, "the goroutine's end", ended)
	closed(t, "the member's end", m.Done())
	if !errors.Is(m.Err(), ErrFailed) {
		t.Errorf("ended with %v", m.Err())
	}
	// Its parts end one after the other: a read may still be answered.
	ctx := within(t)
	_, err := m.Store("").Get(ctx, "a")
	for errors.Is(err, ErrNotFound) {
		_, err = m.Store("").Get(ctx, "a")
	}
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("store of a failed member: %v", err)
	}
	if m.Warnings() == 0 {
		t.Error("the fatal line was not counted")
	}
}

func TestConfigRefusals(t *testing.T) {
	good := config(t, "n0")
	for name, spoil := range map[string]func(*MemberConfig){
		"no directory":         func(c *MemberConfig) { c.Dir = "" },
		"no name":              func(c *MemberConfig) { c.Name = "" },
		"election too short":   func(c *MemberConfig) { c.Election = 2 * c.Heartbeat },
		"listen by name":       func(c *MemberConfig) { c.PeerListen = "example.org:7380" },
		"no port":              func(c *MemberConfig) { c.ClientListen = "127.0.0.1" },
		"wildcard advertised":  func(c *MemberConfig) { c.PeerListen = "0.0.0.0:7380" },
		"half of TLS":          func(c *MemberConfig) { c.TLS.CAFile = "ca.pem" },
		"negative quota":       func(c *MemberConfig) { c.QuotaBytes = -1 },
		"certificates missing": func(c *MemberConfig) { c.TLS = TLS{CAFile: "/no/ca", CertFile: "/no/c", KeyFile: "/no/k"} },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			spoil(&cfg)
			if m, err := Form(within(t), cfg); err == nil {
				m.Stop()
				t.Error("accepted")
			}
		})
	}
	if _, err := os.Stat(good.Dir + "/member"); err == nil {
		t.Error("a refused configuration left a member behind")
	}
}
