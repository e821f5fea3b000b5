package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// larder runs a command for operators against a node, and returns what it prints.
func larder(t *testing.T, n *nodes.Node, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(within(t), binary, args...)
	cmd.Env = append(os.Environ(), "LARDER_ADDR="+n.RESP)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mustLarder is larder for what has to succeed.
func mustLarder(t *testing.T, n *nodes.Node, args ...string) string {
	t.Helper()
	out, err := larder(t, n, args...)
	if err != nil {
		t.Fatalf("larder %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// refused expects that a node has ended at its start and has said why.
func refused(t *testing.T, err error, n *nodes.Node, words ...string) {
	t.Helper()
	if !errors.Is(err, nodes.ErrEnded) {
		t.Fatalf("the node started, or hangs: %v", err)
	}
	said := strings.Join(strings.Fields(n.Tail(20)), " ")
	for _, w := range words {
		if !strings.Contains(said, w) {
			t.Errorf("it does not say %q:\n%s", w, said)
		}
	}
}

// newToken makes a join token.
func newToken(t *testing.T, n *nodes.Node, args ...string) string {
	t.Helper()
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(mustLarder(t, n, append([]string{"cluster", "token", "--json"}, args...)...)), &made); err != nil {
		t.Fatal(err)
	}
	return made.Token
}

// put writes keys, and check reads them, both through one node.
func put(t *testing.T, n *nodes.Node, prefix string, count int) {
	t.Helper()
	each(t, n, count, func(i int) []string { return []string{"SET", fmt.Sprint(prefix, i), fmt.Sprint(i)} }, func(int) string { return "OK" })
}

func check(t *testing.T, n *nodes.Node, prefix string, count int) {
	t.Helper()
	each(t, n, count, func(i int) []string { return []string{"GET", fmt.Sprint(prefix, i)} }, func(i int) string { return fmt.Sprint(i) })
}

// values reads keys; those that are not there are empty. No reply may be an error.
func values(t *testing.T, n *nodes.Node, prefix string, count int) (list []string) {
	t.Helper()
	pipeline(t, n, count, func(i int) []string { return []string{"GET", fmt.Sprint(prefix, i)} }, func(i int, r nodes.Reply) {
		if r.Err() != nil {
			t.Fatalf("node %s, GET %s%d: %v", n.Name, prefix, i, r.Err())
		}
		list = append(list, r.Text)
	})
	return list
}

// each sends count requests in one pipeline, and compares the replies.
func each(t *testing.T, n *nodes.Node, count int, request func(int) []string, want func(int) string) {
	t.Helper()
	wrong := 0
	pipeline(t, n, count, request, func(i int, r nodes.Reply) {
		if r.Text != want(i) {
			if wrong++; wrong <= 3 {
				t.Errorf("node %s, %v: %.100v, want %.100q", n.Name, request(i), r, want(i))
			}
		}
	})
	if wrong > 0 {
		t.Errorf("node %s: %d of %d replies are wrong", n.Name, wrong, count)
	}
}

// pipeline sends count requests, then takes the replies.
func pipeline(t *testing.T, n *nodes.Node, count int, request func(int) []string, take func(int, nodes.Reply)) {
	t.Helper()
	ctx := within(t)
	c, err := nodes.Dial(ctx, n.RESP)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Expire(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() { // while replies are taken: neither side may have to wait for the other
		for i := range count {
			c.Send(request(i)...)
		}
		sent <- c.Flush()
	}()
	for i := range count {
		r, err := c.Receive()
		if err != nil {
			t.Fatal(err)
		}
		take(i, r)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something is so; it returns what is missing.
func eventually(t *testing.T, what string, holds func(ctx context.Context) error) {
	t.Helper()
	ctx := within(t)
	for {
		err := holds(ctx)
		if err == nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// copyDirectory copies a data directory as an operator would who clones a machine.
func copyDirectory(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// TestSecondProcess starts a node a second time: from its own directory, and from
// copies of one of a coordinator and one of a node that is none.
func TestSecondProcess(t *testing.T) {
	c := grow(t, 4)
	for _, row := range []struct {
		name, dir string
		says      []string
	}{
		{"its own directory", c.Nodes()[1].Dir, []string{"in use"}},
		{"a copy of a coordinator's", copyDirectory(t, c.Nodes()[1].Dir), []string{c.Nodes()[1].ID()[:8], "a copy of its data directory"}},
		{"a copy of another one's", copyDirectory(t, c.Nodes()[3].Dir), []string{c.Nodes()[3].ID()[:8], "a copy of its data directory"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			n, err := c.Add(within(t), "--data-dir", row.dir)
			refused(t, err, n, row.says...)
		})
	}
	put(t, c.Nodes()[0], "k", 500)
	await(t, c, nodes.Members(4), nodes.Balanced(4))
	for _, n := range c.Nodes()[:4] {
		if !n.Running() {
			t.Errorf("node %s, the first of its kind, has ended: %s", n.Name, n.Tail(5))
			continue
		}
		check(t, n, "k", 500)
	}
}

// TestAnotherCluster joins with what belongs to another cluster.
func TestAnotherCluster(t *testing.T) {
	c, other := grow(t, 1), grow(t, 2)
	n, err := c.Add(within(t), "--token", newToken(t, other.Nodes()[0]))
	refused(t, err, n, "another cluster")

	old := other.Nodes()[1]
	if err := old.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	n, err = c.Add(within(t), "--data-dir", old.Dir)
	refused(t, err, n, "another cluster")
	if err := old.Start(within(t)); err != nil {
		t.Errorf("in its own cluster: %v", err)
	}
	await(t, c, nodes.Members(1), nodes.Balanced(1))
}

// TestTokens: a token that is no token, one that is used up, and one that was
// taken back.
func TestTokens(t *testing.T) {
	c := grow(t, 1)
	first := c.Nodes()[0]
	n, err := c.Add(within(t), "--token", "larder1.nonsense")
	refused(t, err, n, "token")
	once := newToken(t, first, "--uses", "1")
	if _, err := c.Add(within(t), "--token", once); err != nil {
		t.Fatal(err)
	}
	n, err = c.Add(within(t), "--token", once)
	refused(t, err, n, "which have joined")
	taken := newToken(t, first, "--note", "for n9")
	id := ""
	for line := range strings.Lines(mustLarder(t, first, "cluster", "token", "list")) {
		if strings.Contains(line, "for n9") {
			id = strings.Fields(line)[0]
		}
	}
	mustLarder(t, first, "cluster", "token", "revoke", id)
	n, err = c.Add(within(t), "--token", taken)
	refused(t, err, n, "token")
	await(t, c, nodes.Members(2), nodes.Balanced(2))
}

// TestUnreachable: what a node says of itself does not lead to it.
func TestUnreachable(t *testing.T) {
	c := grow(t, 1)
	for _, host := range []string{"192.0.2.1", "no-such-host.invalid"} {
		t.Run(host, func(t *testing.T) {
			n, err := c.Add(within(t), "--token", newToken(t, c.Nodes()[0]), "--peer-addr", anyAddress(t), "--advertise", host, "--insecure")
			refused(t, err, n, "cannot be reached", "--advertise")
		})
	}
	await(t, c, nodes.Members(1), nodes.Balanced(1))
}

// TestRemovedNode removes nodes, and starts one again: its id does not return.
// The last but one was a coordinator, which the others need no longer.
func TestRemovedNode(t *testing.T) {
	for count := 4; count > 1; count -= 2 {
		t.Run(fmt.Sprintf("%d nodes", count), func(t *testing.T) {
			c := grow(t, count)
			first, n := c.Nodes()[0], c.Nodes()[count-1]
			put(t, n, "k", 300)
			if out := mustLarder(t, first, "cluster", "remove", n.Name); !strings.Contains(out, "has left") {
				t.Errorf("remove: %s", out)
			}
			n.Kill()
			await(t, c, nodes.Members(count-1), nodes.Balanced(count-1))
			check(t, first, "k", 300)
			if _, err := first.Do(within(t), "CONFIG", "SET", "slowlog-max-len", "99"); err != nil {
				t.Errorf("without it: %v", err)
			}
			refused(t, n.Start(within(t)), n, "removed", "data directory")
		})
	}
}
