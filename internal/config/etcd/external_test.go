package etcd

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// external is a cluster of real etcd servers, each its own process.
type external struct {
	client, peer []string
	args         [][]string
	processes    []*exec.Cmd
}

func startExternal(t *testing.T, n int) *external {
	t.Helper()
	binary := debianEtcd(t)
	addresses := freeAddresses(t, 2*n)
	e := &external{client: addresses[:n], peer: addresses[n:], processes: make([]*exec.Cmd, n)}
	var initial []string
	for i := range n {
		initial = append(initial, string(rune('a'+i))+"=http://"+e.peer[i])
	}
	for i := range n {
		e.args = append(e.args, []string{
			binary, "--name", string(rune('a' + i)), "--data-dir", t.TempDir(),
			"--listen-peer-urls", "http://" + e.peer[i], "--initial-advertise-peer-urls", "http://" + e.peer[i],
			"--listen-client-urls", "http://" + e.client[i], "--advertise-client-urls", "http://" + e.client[i],
			"--initial-cluster", strings.Join(initial, ","), "--initial-cluster-token", t.Name(),
			"--heartbeat-interval", "20", "--election-timeout", "200",
		})
		e.start(t, i)
	}
	return e
}

func (e *external) start(t *testing.T, i int) {
	t.Helper()
	e.processes[i] = exec.Command(e.args[i][0], e.args[i][1:]...)
	if err := e.processes[i].Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.kill(i) })
}

// kill is kill -9.
func (e *external) kill(i int) {
	if p := e.processes[i]; p.ProcessState == nil {
		_ = p.Process.Signal(syscall.SIGKILL)
		_ = p.Wait()
	}
}

func TestExternalEtcd(t *testing.T) {
	t.Parallel()
	e := startExternal(t, 3)
	s := connect(t, ClientConfig{Endpoints: e.client, Prefix: "/larder/x/"})
	eventually(t, "the cluster", func() bool { return s.Health(context.Background()) == nil })
	testValues(t, s.Under("values/"))

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	changes := s.Watch(ctx, "w", 0)
	mirror(t, changes, map[string]string{}, func(c Change) bool { return c.Resync })
	r, err := s.Register(within(t), "nodes/1", []byte("a"), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Campaign(within(t), "controller", "a", 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}

	list, err := s.Members(within(t))
	if err != nil || len(list) != 3 {
		t.Fatalf("members: %+v, %v", list, err)
	}
	e.kill(0)
	eventually(t, "a write with two of three", func() bool {
		_, err := s.Put(context.Background(), "w", []byte("1"), IfOwner(first))
		return err == nil
	})
	mirror(t, changes, map[string]string{}, func(c Change) bool { return c.Events[0].Key == "w" })
	if err := s.RemoveMember(within(t), "b"); !errors.Is(err, ErrWouldLoseQuorum) {
		t.Errorf("removing a live one while another is dead: %v", err)
	}

	e.kill(1)
	began := time.Now()
	if _, err := s.Put(context.Background(), "w", nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without quorum: %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	state(t, r, false)
	closed(t, "the leadership's end", first.Done())

	e.start(t, 0)
	state(t, r, true)
	eventually(t, "the key", func() bool { return has(s, "nodes/1", "a") })
	second, err := s.Campaign(within(t), "controller", "b", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(within(t), "w", nil, IfOwner(first)); !errors.Is(err, ErrDeposed) {
		t.Errorf("the deposed leader wrote: %v", err)
	}
	last := put(t, s, "w", "2", IfOwner(second))
	mirror(t, changes, map[string]string{}, func(c Change) bool { return c.Revision >= last })
}

func TestExternalEtcdWithPassword(t *testing.T) {
	t.Parallel()
	e := startExternal(t, 1)
	admin := connect(t, ClientConfig{Endpoints: e.client})
	eventually(t, "the server", func() bool { return admin.Health(context.Background()) == nil })
	c := admin.conn.client()
	for what, call := range map[string]func() error{
		"user": func() error { _, err := c.UserAdd(within(t), "root", "secret"); return err },
		"role": func() error { _, err := c.RoleAdd(within(t), "root"); return err },
	} {
		if err := call(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if _, err := c.UserGrantRole(within(t), "root", "root"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AuthEnable(within(t)); err != nil {
		t.Fatal(err)
	}
	s := connect(t, ClientConfig{Endpoints: e.client, User: "root", Password: "secret"})
	put(t, s, "k", "1")
	if list, err := s.Members(within(t)); err != nil || !list[0].Healthy {
		t.Errorf("members: %+v, %v", list, err)
	}
	if _, err := admin.Get(within(t), "k"); !errors.Is(err, ErrDenied) {
		t.Errorf("without a password: %v", err)
	}
	if s, err := Connect(within(t), ClientConfig{Endpoints: e.client, User: "root", Password: "wrong"}); !errors.Is(err, ErrDenied) {
		s.Close()
		t.Errorf("with a wrong password: %v", err)
	}
}
