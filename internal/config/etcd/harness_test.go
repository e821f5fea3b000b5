package etcd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/ports"
)

const (
	testHeartbeat = 10 * time.Millisecond
	testElection  = 100 * time.Millisecond
	// patience is how long a condition may take that should hold at once.
	patience = 15 * time.Second
)

// freeAddresses are n addresses on loopback that nobody listens on, at most
// [ports.Size].
func freeAddresses(t testing.TB, n int) []string {
	t.Helper()
	b, err := ports.Claim()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Release)
	addresses := make([]string, n)
	for i := range addresses {
		addresses[i] = b.Address(i)
	}
	return addresses
}

// config is one node's, with ticks for tests.
func config(t testing.TB, name string) MemberConfig {
	t.Helper()
	a := freeAddresses(t, 2)
	return MemberConfig{
		Dir: filepath.Join(t.TempDir(), name), Name: name, Cluster: t.Name(),
		PeerListen: a[0], ClientListen: a[1],
		Heartbeat: testHeartbeat, Election: testElection,
	}
}

// within is a context for what the test waits for.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until ok says so.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// closed waits for c.
func closed(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-within(t).Done():
		t.Fatalf("not within %v: %s", patience, what)
	}
}

func form(t testing.TB, cfg MemberConfig) *Member {
	t.Helper()
	m, err := Form(within(t), cfg)
	if err != nil {
		t.Fatalf("form: %v", err)
	}
	t.Cleanup(m.Stop)
	return m
}

func join(t testing.TB, cfg MemberConfig, through *Store) *Member {
	t.Helper()
	m, err := Join(within(t), cfg, through)
	if err != nil {
		t.Fatalf("join: %v", err)
	}
	t.Cleanup(m.Stop)
	return m
}

func restart(t testing.TB, cfg MemberConfig) *Member {
	t.Helper()
	m, err := Restart(within(t), cfg)
	if err != nil {
		t.Fatalf("restart: %v", err)
	}
	t.Cleanup(m.Stop)
	return m
}

// kill ends m without a word to the others.
func kill(m *Member) {
	m.end(func() {
		m.server.Server.HardStop()
		m.server.Close()
	})
}

// trio is a cluster of three; each joins through the first.
func trio(t testing.TB, change func(*MemberConfig)) (members [3]*Member, configs [3]MemberConfig) {
	t.Helper()
	for i := range members {
		configs[i] = config(t, fmt.Sprintf("n%d", i))
		if change != nil {
			change(&configs[i])
		}
		if i == 0 {
			members[0] = form(t, configs[0])
		} else {
			members[i] = join(t, configs[i], members[0].Store(""))
		}
	}
	return members, configs
}

// connect is a store over the members' sockets.
func connect(t testing.TB, cfg ClientConfig) *Store {
	t.Helper()
	s, err := Connect(within(t), cfg)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

func put(t testing.TB, s *Store, key, data string, conditions ...Condition) Revision {
	t.Helper()
	r, err := s.Put(within(t), key, []byte(data), conditions...)
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return r
}

func has(s *Store, key, data string) bool {
	v, err := s.Get(context.Background(), key)
	return err == nil && string(v.Data) == data
}

func clients(configs ...MemberConfig) (endpoints []string) {
	for _, c := range configs {
		endpoints = append(endpoints, c.ClientListen)
	}
	return endpoints
}

// debianEtcd is the path of a real etcd server, "" when there is none. In a
// complete run it must be there.
func debianEtcd(t testing.TB) string {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, "etcd")); err == nil && !info.IsDir() {
			return filepath.Join(dir, "etcd")
		}
	}
	if os.Getenv("LARDER_TEST_COMPLETE") != "" {
		t.Fatal("etcd is not installed; scripts/install-test-deps.sh etcd")
	}
	t.Skip("etcd is not installed; scripts/install-test-deps.sh etcd")
	return ""
}
