package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/nodes"
)

// network is a bridge with machines, each a network namespace with an address.
type network struct {
	t    *testing.T
	name string
	base string // of all addresses, with the last dot
}

// newNetwork makes a network, which is gone with the test.
func newNetwork(t *testing.T) *network {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		missing(t, "%v; scripts/install-test-deps.sh network installs it", err)
	}
	id := os.Getpid()
	w := &network{t, fmt.Sprintf("ld%x", id&0xffffff), fmt.Sprintf("10.%d.%d.", 128+id>>8&0x7f, id&0xff)}
	if out, err := exec.Command("ip", "link", "add", w.name, "type", "bridge").CombinedOutput(); err != nil {
		t.Skipf("network namespaces are not permitted here: %v: %s", err, out)
	}
	t.Cleanup(func() { w.ip("link", "del", w.name) })
	w.ip("addr", "add", w.base+"254/24", "dev", w.name)
	w.ip("link", "set", w.name, "up")
	return w
}

func (w *network) ip(args ...string) {
	w.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		w.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func (w *network) space(i int) string   { return fmt.Sprint(w.name, "n", i) }
func (w *network) address(i int) string { return w.base + fmt.Sprint(i) }

// machine adds one.
func (w *network) machine(i int) {
	w.t.Helper()
	space, outside := w.space(i), fmt.Sprint(w.name, "v", i)
	w.ip("netns", "add", space)
	w.t.Cleanup(func() { w.ip("netns", "del", space) })
	w.ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space)
	w.ip("link", "set", outside, "master", w.name, "up")
	w.ip("-n", space, "addr", "add", w.address(i)+"/24", "dev", "eth0")
	w.ip("-n", space, "link", "set", "eth0", "up")
	w.ip("-n", space, "link", "set", "lo", "up")
}

// cut lets nothing more from one machine arrive at another; the other way stays
// open. Nobody is told: packets go to a machine that does not exist.
func (w *network) cut(from, to int) {
	w.t.Helper()
	w.ip("-n", w.space(from), "neigh", "replace", w.address(to), "lladdr", "02:00:00:00:00:01", "dev", "eth0", "nud", "permanent")
}

func (w *network) heal(from, to int) {
	w.t.Helper()
	w.ip("-n", w.space(from), "neigh", "del", w.address(to), "dev", "eth0")
}

// remote is a node on a machine of a network.
type remote struct {
	*nodes.Node // asked from outside: only what needs nothing but its address
	cmd         *exec.Cmd
	exited      chan struct{}
}

// start runs a node on machine i, listening on the machine's address.
func (w *network) start(i int, args ...string) *remote {
	w.t.Helper()
	return w.startOn(i, w.address(i), args...)
}

// startOn is start with another address to listen on.
func (w *network) startOn(i int, host string, args ...string) *remote {
	w.t.Helper()
	dir := w.t.TempDir()
	r := &remote{
		Node:   &nodes.Node{Name: fmt.Sprint("n", i), RESP: w.address(i) + ":6379", Log: filepath.Join(dir, "log")},
		exited: make(chan struct{}),
	}
	log, err := os.Create(r.Log)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close() // the process has its own
	r.cmd = exec.Command("ip", append([]string{
		"netns", "exec", w.space(i), binary, "serve", "--insecure", "--resp-addr", host + ":6379", "--resp-cluster-addr", host + ":7379",
		"--peer-addr", host + ":7380", "--data-dir", filepath.Join(dir, "data"), "--name", r.Name, "--maxmemory", "256mb", "--loops", "1",
	}, args...)...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { // ends with the process
		_ = r.cmd.Wait()
		close(r.exited)
	}()
	w.t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it may have ended
		<-r.exited
		if w.t.Failed() {
			w.t.Logf("%s:\n%s", r.Name, r.Tail(20))
		}
	})
	return r
}

// serves waits until the node does.
func (r *remote) serves(t *testing.T) {
	t.Helper()
	eventually(t, r.Name, func(ctx context.Context) error {
		select {
		case <-r.exited:
			t.Fatalf("%s has ended: %s", r.Name, r.Tail(10))
		default:
		}
		_, err := r.Do(ctx, "PING")
		return err
	})
}

// awaitRemote waits until nodes agree and conditions hold at each.
func awaitRemote(t *testing.T, list []*remote, conditions ...nodes.Condition) {
	t.Helper()
	eventually(t, "the nodes", func(ctx context.Context) error {
		var errs []error
		views := map[uint64]bool{}
		for _, r := range list {
			s, err := r.Status(ctx)
			if err != nil {
				return err
			}
			views[s.View] = true
			for _, holds := range conditions {
				errs = append(errs, holds(s))
			}
		}
		if len(views) > 1 {
			errs = append(errs, fmt.Errorf("they have %d views", len(views)))
		}
		return errors.Join(errs...)
	})
}

// TestMachines forms a cluster of nodes on machines of their own: without a token
// nobody joins; what is advertised is what others use; packets that are lost in
// one direction do harm to those two alone, and are forgotten afterwards.
func TestMachines(t *testing.T) {
	w := newNetwork(t)
	for i := 1; i <= 3; i++ {
		w.machine(i)
	}
	list := []*remote{w.start(1, "--cluster")}
	list[0].serves(t)
	seed := w.address(1)
	stranger := w.start(2, "--join", seed)
	<-stranger.exited
	if said := strings.Join(strings.Fields(stranger.Tail(10)), " "); !strings.Contains(said, "token") {
		t.Errorf("without a token: %s", said)
	}
	token := newToken(t, list[0].Node)
	list = append(list, w.start(2, "--join", seed, "--token", token))
	list[1].serves(t)
	// The third listens on all its addresses, and says which one is for others.
	list = append(list, w.startOn(3, "0.0.0.0", "--join", seed, "--token", token, "--advertise", w.address(3)))
	list[2].serves(t)
	awaitRemote(t, list, nodes.Members(3), nodes.Balanced(3))
	r, err := list[0].Do(within(t), "CLUSTER", "NODES")
	if err != nil || !strings.Contains(r.Text, w.address(3)+":7379@") {
		t.Errorf("CLUSTER NODES: %s, %v", r.Text, err)
	}
	put(t, list[0].Node, "k", 1000)
	check(t, list[1].Node, "k", 1000)

	w.cut(1, 2)
	eventually(t, "CONFIG SET at the third", func(ctx context.Context) error {
		_, err := list[2].Do(ctx, "CONFIG", "SET", "slowlog-max-len", "88")
		return err
	})
	s, err := list[2].Status(within(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("while the way from the first to the second is cut: view %d, %d of %d partitions served", s.View, s.Serving, nodes.Partitions)
	w.heal(1, 2)
	awaitRemote(t, list, nodes.Members(3), nodes.Balanced(3))
	for _, r := range list {
		put(t, r.Node, "after:", 1000)
		check(t, r.Node, "after:", 1000)
	}
	w.cut(2, 1)
	w.cut(2, 3)
	eventually(t, "that the second is missed", func(ctx context.Context) error {
		out, err := larder(t, list[2].Node, "cluster", "status")
		if err == nil && !strings.Contains(out, "down") {
			err = errors.New(out)
		}
		return err
	})
	w.heal(2, 1)
	w.heal(2, 3)
	awaitRemote(t, list, nodes.Members(3), nodes.Balanced(3))
	for _, r := range list {
		put(t, r.Node, "again:", 1000)
		check(t, r.Node, "again:", 1000)
	}
}
