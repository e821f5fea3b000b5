package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/nodes"
)

// configured writes a configuration file and returns the flag for it.
func configured(t *testing.T, lines ...string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "larder.yaml")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--config", path}
}

// moving waits until partitions are under way.
func moving(t *testing.T, c *nodes.Cluster) {
	t.Helper()
	eventually(t, "moves", func(ctx context.Context) error {
		s, err := c.Nodes()[0].Status(ctx)
		if err == nil && s.Moving == 0 {
			err = errors.New("nothing is moving")
		}
		return err
	})
}

// TestLeavingMidMove ends a node in the middle of moves from it or to it, by a
// crash or in order. Nothing is stuck; what it did not own by then is all there.
func TestLeavingMidMove(t *testing.T) {
	for _, row := range []struct {
		name           string
		source, killed bool
	}{
		{"target, killed", false, true},
		{"target, stopped", false, false},
		{"source, killed", true, true},
		{"source, stopped", true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			slow := configured(t, "cluster:", "  replicas: 0", "  rebalance:", "    bytes_per_second: 1mb", "    delay: 1s")
			const keys = 5000
			filler := strings.Repeat("x", 500)
			count := 2
			if row.source {
				count = 3
			}
			c := grow(t, count, slow...)
			value := func(i int) string { return fmt.Sprint(i, filler) }
			each(t, c.Nodes()[0], keys, func(i int) []string { return []string{"SET", fmt.Sprint("k", i), value(i)} }, func(int) string { return "OK" })
			if row.source {
				if err := c.Drain(within(t), c.Nodes()[2]); err != nil {
					t.Fatal(err)
				}
			} else if _, err := c.Add(within(t)); err != nil {
				t.Fatal(err)
			}
			n, survivor := c.Nodes()[2], c.Nodes()[1]
			moving(t, c)
			if row.killed {
				n.Kill()
			} else if err := n.Stop(within(t)); err != nil {
				t.Error(err)
			}
			await(t, c) // the survivors agree
			s, err := survivor.Status(within(t))
			if err != nil {
				t.Fatal(err)
			}
			await(t, c, nodes.Empty(n))
			missing, back := 0, 0
			for i, text := range values(t, survivor, "k", keys) {
				switch at := s.Owner[hashing.PartitionOf([]byte(fmt.Sprint("k", i)))]; {
				case text == value(i) && at == n.ID():
					back++ // its former owner had not given it away for good
				case text != "" && text != value(i), text == "" && at != n.ID():
					t.Fatalf("k%d, which was at %.8s: %q", i, at, text)
				case text == "":
					missing++
				}
			}
			t.Logf("of %d values %d are gone with the node, %d are back", keys, missing, back)
			put(t, survivor, "again", 500)
			if err := n.Start(within(t)); err != nil {
				t.Fatal(err)
			}
			if row.source {
				if err := c.Activate(within(t), n); err != nil {
					t.Fatal(err)
				}
			}
			await(t, c, nodes.Members(3), nodes.Still)
			check(t, n, "again", 500)
		})
	}
}

// TestTwoOperators lets two people rebalance, move and drain at once, through
// different nodes: each is answered, and the cluster comes to rest.
func TestTwoOperators(t *testing.T) {
	c := grow(t, 3)
	n := c.Nodes()
	put(t, n[0], "k", 1000)
	ended := make(chan error, 2)
	for i, through := range n[:2] {
		go func() {
			to := n[1+i].ID()
			var errs []error
			for range 5 {
				for _, words := range [][]string{
					{"MOVE", to, "10-25", "FORCE"}, {"PAUSE"}, {"REBALANCE"}, {"RESUME", "FORCE"}, {"DRAIN", n[2].ID()}, {"PLAN", "JSON"},
					{"MOVE", to, "100", "FORCE"}, {"ACTIVATE", n[2].ID()}, {"RELEASE", "100", "FORCE"}, {"REBALANCE"},
				} {
					if _, err := through.Do(context.Background(), append([]string{"LARDER", "CLUSTER"}, words...)...); err != nil {
						errs = append(errs, fmt.Errorf("%v: %w", words, err))
					}
				}
			}
			ended <- errors.Join(errs...)
		}()
	}
	for range 2 {
		select {
		case err := <-ended:
			if err != nil {
				t.Logf("what operators were told:\n%v", err)
			}
			for line := range strings.Lines(fmt.Sprint(err)) {
				if strings.Contains(line, "CONFLICT") || strings.Contains(line, "changed by someone else") {
					t.Errorf("an operator has to try again what a node could: %s", line)
				}
			}
		case <-time.After(patience):
			t.Fatal("an operator is not answered")
		}
	}
	for _, wish := range [][]string{{"ACTIVATE", n[2].ID()}, {"RESUME", "FORCE"}} {
		_, _ = c.Operate(within(t), wish...) // as it may be already
	}
	await(t, c, nodes.Members(3), nodes.Still, func(s *nodes.Status) error {
		for p := 10; p < 26; p++ {
			if s.Owner[p] != s.Owner[10] || s.Owner[p] == n[0].ID() {
				return fmt.Errorf("partition %d, moved by hand, is at %.8s, and 10 at %.8s", p, s.Owner[p], s.Owner[10])
			}
		}
		return nil
	})
	if err := c.Release(within(t)); err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Balanced(3))
	check(t, n[2], "k", 1000)
}
