package cluster

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// binary is the larder under test.
var binary string

// patience bounds everything that a test waits for.
const patience = time.Minute

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		code = 1
	}
	os.Exit(code)
}

// run builds larder and runs the tests.
func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "larder-cluster-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if binary, err = nodes.Build(context.Background(), dir); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// grow starts a cluster of count nodes that share the partitions.
func grow(t *testing.T, count int, args ...string) *nodes.Cluster {
	t.Helper()
	c := begin(t, nodes.Options{Args: args})
	if err := c.Grow(within(t), count); err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(count), nodes.Balanced(count))
	return c
}

// begin makes a cluster without nodes, which are to be small. It is gone with the
// test; what a node said last is in the log of a test that failed.
func begin(t *testing.T, o nodes.Options) *nodes.Cluster {
	t.Helper()
	o.Binary, o.Args = binary, append([]string{"--maxmemory", "256mb", "--loops", "1"}, o.Args...)
	c, err := nodes.Begin(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range c.Nodes() {
				t.Logf("%s:\n%s", n.Name, n.Tail(20))
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// within returns a context that ends with the test's patience.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// await waits for conditions.
func await(t *testing.T, c *nodes.Cluster, conditions ...nodes.Condition) {
	t.Helper()
	if err := c.Await(within(t), conditions...); err != nil {
		t.Fatal(err)
	}
}
