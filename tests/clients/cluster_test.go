package clients

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// three has a cluster of three nodes that all tests of this package share, once
// one has asked for it.
var three struct {
	mu      sync.Mutex
	cluster *nodes.Cluster // GUARDED_BY(mu)
	err     error          // GUARDED_BY(mu): why there is none
}

// cluster returns the cluster, with its partitions at rest.
func cluster(t *testing.T) *nodes.Cluster {
	t.Helper()
	three.mu.Lock()
	defer three.mu.Unlock()
	if three.cluster == nil && three.err == nil {
		three.cluster, three.err = form()
	}
	if three.err != nil {
		t.Fatal(three.err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range three.cluster.Nodes() {
				t.Logf("%s:\n%s", n.Name, n.Tail(15))
			}
		}
	})
	return three.cluster
}

func form() (*nodes.Cluster, error) {
	c, err := nodes.Begin(nodes.Options{Binary: binary, Args: []string{"--maxmemory", "256mb", "--loops", "1"}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Grow(ctx, 3); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.Await(ctx, nodes.Members(3), nodes.Balanced(3)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// dissolve ends the cluster, if there is one.
func dissolve() error {
	if three.cluster == nil {
		return nil
	}
	return three.cluster.Close()
}

// cycle makes partitions move: a fourth node joins and gets its share, is
// emptied, and leaves. Its process, which forwards what it is still asked, ends
// with the test: no client can repeat a write that its connection was lost with.
func cycle(t *testing.T, c *nodes.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n, err := c.Add(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	if err := c.Await(ctx, nodes.Members(4), nodes.Balanced(4)); err != nil {
		t.Fatalf("join: %v", err)
	}
	if err := c.Drain(ctx, n); err != nil {
		t.Fatal(err)
	}
	if err := c.Await(ctx, nodes.Empty(n)); err != nil {
		t.Fatalf("drain: %v", err)
	}
	if err := c.Remove(ctx, n, false); err != nil {
		t.Fatal(err)
	}
	if err := c.Await(ctx, nodes.Members(3), nodes.Balanced(3)); err != nil {
		t.Fatalf("remove: %v", err)
	}
}

// seeds returns where the nodes answer clients of the cluster protocol.
func seeds(c *nodes.Cluster) (list []string) {
	for _, n := range c.Serving() {
		list = append(list, n.RESPCluster)
	}
	return list
}

// failures collects what clients complain of, from any goroutine.
type failures struct {
	mu    sync.Mutex
	count int    // GUARDED_BY(mu)
	first string // GUARDED_BY(mu)
	done  int    // GUARDED_BY(mu): rounds without any
}

func (f *failures) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count++; f.count <= 5 {
		f.first += "\n" + fmt.Sprintf(format, args...)
	}
}

func (f *failures) right() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done++
}

// underMoves runs work in a few goroutines, again and again, each with its number
// and that of the round, while the partitions of a cluster move.
func underMoves(t *testing.T, c *nodes.Cluster, work func(ctx context.Context, worker, round int) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const workers = 4
	var f failures
	var group sync.WaitGroup
	stop := make(chan struct{})
	for w := range workers {
		group.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := work(ctx, w, round); err != nil {
					f.add("worker %d, round %d: %v", w, round, err)
					continue
				}
				f.right()
			}
		})
	}
	cycle(t, c)
	close(stop)
	group.Wait()
	t.Logf("%d rounds without failure", f.done)
	if f.count > 0 || f.done == 0 {
		t.Errorf("%d rounds failed:%s", f.count, f.first)
	}
}

// TestNodeCluster runs the scripts that use clusters: they begin, say that they
// are ready, and work until their input ends.
func TestNodeCluster(t *testing.T) {
	for _, name := range []string{"ioredis-cluster.mjs", "node-redis-cluster.mjs"} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t)
			cmd := script(t, c.Nodes()[0].RESPCluster, name)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = cmd.Stdout
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			if line, err := lines.ReadString('\n'); line == "ready\n" {
				cycle(t, c)
			} else {
				t.Errorf("%q, %v instead of ready", line, err)
			}
			if err := in.Close(); err != nil {
				t.Error(err)
			}
			rest, _ := io.ReadAll(lines)
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, rest)
			}
			t.Logf("%s", rest)
		})
	}
}

// TestNodeAnywhere runs the scripts for a single node against nodes of a cluster:
// each is all of it.
func TestNodeAnywhere(t *testing.T) {
	for i, name := range scripts {
		t.Run(name, func(t *testing.T) {
			if out, err := script(t, cluster(t).Nodes()[1+i].RESP, name).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// channel is one that a client listens to.
type channel struct {
	name    string
	publish func(text string) error
	heard   chan string // the channel that the last message was said to be of
}

func newChannel(name string, publish func(string) error) *channel {
	return &channel{name, publish, make(chan string, 1)}
}

// hear takes a message.
func (c *channel) hear(of string) {
	select {
	case c.heard <- of:
	default: // one is enough
	}
}

// arrives publishes until a message comes: a client takes a while to follow a
// channel whose partition has moved.
func (c *channel) arrives(t *testing.T) {
	t.Helper()
	select {
	case <-c.heard: // an earlier one
	default:
	}
	deadline := time.After(20 * time.Second)
	for tries := 1; ; tries++ {
		if err := c.publish("hello"); err != nil {
			t.Errorf("publish in %s: %v", c.name, err)
			return
		}
		select {
		case of := <-c.heard:
			if of != c.name {
				t.Errorf("in %s: a message of %s", c.name, of)
			}
			return
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			t.Errorf("no message of %d published in %s has come", tries, c.name)
			return
		}
	}
}
