package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/larder-cache/larder/internal/simulate"
)

// simulatedNodes is how many nodes are simulated.
const simulatedNodes = 100

// simulated runs large clusters in virtual time, as make simulate does with more
// seeds.
func (b *bench) simulated(ctx context.Context) error {
	for i := range uint64(pick(b, 5, 1)) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		seed := b.seed + i
		begun := time.Now()
		r := simulate.Run(simulate.Config{Seed: seed, Nodes: simulatedNodes, Zones: 1 + int(seed%4)})
		name, failed := fmt.Sprintf("%d nodes", simulatedNodes), 0.0
		if r.Err != nil {
			failed = 1
			b.rep.note("simulated, seed %d: %v", seed, r.Err)
		}
		b.rep.add("simulated", name, metric{"runs that fail", ""}, failed)
		b.rep.add("simulated", name, metric{"view change per node", "KB"}, float64(r.BytesPerChange)/1e3)
		b.rep.add("simulated", name, metric{"at rest after the last fault", "s"}, r.Converged.Seconds())
		b.rep.add("simulated", name, metric{"faults", ""}, float64(r.Faults))
		b.say("seed %d: %d faults, at rest after %.1f s, %.1f KB per view and node, took %v",
			seed, r.Faults, r.Converged.Seconds(), float64(r.BytesPerChange)/1e3, time.Since(begun).Round(time.Millisecond))
	}
	return nil
}

// linearizable runs the tests that check histories of the configuration while
// its coordinators are lost.
func (b *bench) linearizable(ctx context.Context) error {
	for range pick(b, 3, 1) {
		begun := time.Now()
		cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-run", "^(TestLinearizable|TestLossOfACoordinator)$", "./internal/config/settings")
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed := 0.0
		if err != nil {
			failed = 1
			b.rep.note("linearizable: %v: %s", err, out)
		}
		b.rep.add("linearizable", "settings over etcd", metric{"histories that are not", ""}, failed)
		b.say("failed: %.0f, took %v", failed, time.Since(begun).Round(time.Millisecond))
	}
	return nil
}
