package simulate

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
)

// try runs a simulation and tells how to repeat it when it fails.
func try(t *testing.T, cfg Config) Result {
	t.Helper()
	r := Run(cfg)
	if r.Err != nil {
		t.Errorf("%s\n%s", r, r.Trace)
		t.Logf("again: make simulate ARGS='-seeds 1 -seed %d -nodes %d -zones %d -quiet=%v'", cfg.Seed, cfg.Nodes, cfg.Zones, cfg.Quiet)
	}
	return r
}

func TestClustersSurviveFaults(t *testing.T) {
	for nodes, seeds := range map[int]int{3: 100, 4: 60, 5: 40, 8: 15, 25: 2} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(max(1, seeds/seedsShare)) {
				if try(t, Config{Seed: seed, Nodes: nodes, Zones: 1 + int(seed%4)}); t.Failed() {
					return
				}
			}
		})
	}
}

// TestQuietClustersFailNoRequest: joining and draining under load.
func TestQuietClustersFailNoRequest(t *testing.T) {
	for _, nodes := range []int{3, 5, 10, 100 / seedsShare} {
		r := try(t, Config{Seed: uint64(nodes), Nodes: nodes, Quiet: true})
		t.Logf("%d nodes: %d moves, %d at least; %d views of up to %d bytes, %d bytes per view and node; longest request %v",
			nodes, r.Moves, r.Least, r.Views, r.ViewBytes, r.BytesPerChange, r.Requests.Longest)
		if float64(r.Moves) > 1.1*float64(r.Least) {
			t.Errorf("%d nodes: %d moves, %d would have done", nodes, r.Moves, r.Least)
		}
		if r.ViewBytes > 100_000 || r.BytesPerChange > 100_000 {
			t.Errorf("%d nodes: a change of the view costs %d bytes", nodes, max(r.ViewBytes, r.BytesPerChange))
		}
	}
}

func TestNoAcknowledgedWriteIsLost(t *testing.T) {
	for _, c := range []struct{ nodes, replicas, seeds int }{{3, 1, 8}, {3, 2, 6}, {5, 2, 3}, {8, 1, 1}} {
		t.Run(fmt.Sprint(c.nodes, " nodes, ", c.replicas, " replicas"), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(max(1, c.seeds/seedsShare)) {
				if try(t, Config{Seed: seed, Nodes: c.nodes, Replicas: c.replicas, Zones: 1 + int(seed%4)}); t.Failed() {
					return
				}
			}
		})
	}
}

// TestFoundSeeds repeats runs that have failed once: a copy to a process that was
// killed and started anew, unnoticed by all and with nothing to send, was waited for.
func TestFoundSeeds(t *testing.T) {
	try(t, Config{Seed: 5035, Nodes: 3, Replicas: 1, Zones: 4})
}

// TestServedAgainSoon kills owners, controllers among them, and once each while
// the store elects.
func TestServedAgainSoon(t *testing.T) {
	for _, nodes := range []int{3, 5} {
		r := try(t, Config{Seed: uint64(nodes), Nodes: nodes, Replicas: 1, Kills: 8, RequestsPerSecond: 1000})
		slices.Sort(r.Served)
		if len(r.Served) == 0 {
			t.Fatal("no owner was killed")
		}
		worst := r.Served[len(r.Served)-1]
		t.Logf("%d nodes, %d kills: %d partitions served again, p50 %v, worst %v", nodes, r.Faults, len(r.Served), r.Served[len(r.Served)/2], worst)
		if worst > time.Second {
			t.Errorf("%d nodes: served again only after %v", nodes, worst)
		}
	}
}

func TestSameSeedSameRun(t *testing.T) {
	for _, replicas := range []int{0, 1} {
		a, b := Run(Config{Seed: 7, Nodes: 4, Replicas: replicas}), Run(Config{Seed: 7, Nodes: 4, Replicas: replicas})
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s\n%s", a, b)
		}
		if c := Run(Config{Seed: 8, Nodes: 4, Replicas: replicas}); reflect.DeepEqual(a.Requests, c.Requests) {
			t.Error("another seed, the same run")
		}
	}
}
