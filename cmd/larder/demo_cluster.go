package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/demo"
)

// showCluster runs several nodes, each as larder serve.
func (f *demoFlags) showCluster(ctx context.Context, screen *demo.Screen, database demo.Database, codes []rune) error {
	settings, err := f.settings(database)
	if err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to run nodes: %w", err)
	}
	fleet, err := demo.NewFleet(binary, settings)
	if err != nil {
		return err
	}
	return errors.Join(f.showFleet(ctx, screen, database, fleet, codes), fleet.Close())
}

// settings is what the nodes have in common, as the first one's file.
func (f *demoFlags) settings(database demo.Database) ([]byte, error) {
	pace := f.plan.StoryPace()
	cfg := f.config(database, demo.NewTimes(pace))
	// Nobody wants to watch for half a minute how a dead node is waited for.
	cfg.Cluster.Rebalance.Delay = max(time.Duration(pace*float64(2*time.Second)), 300*time.Millisecond)
	cfg.Cluster.Replicas = f.replicas
	shared, err := config.NewOwn(cfg).Seed()
	if err != nil {
		return nil, err
	}
	return shared.Document(), nil
}

// showFleet starts the nodes and shows what they do.
func (f *demoFlags) showFleet(ctx context.Context, screen *demo.Screen, database demo.Database, fleet *demo.Fleet, codes []rune) error {
	if err := f.launch(ctx, screen, fleet); err != nil {
		if ctx.Err() != nil {
			return nil // ended before anything was shown
		}
		return err
	}
	summary, err := demo.Run(ctx, demo.Stage{
		Addr: fleet.Addresses()[0], Fleet: fleet, Database: database, Screen: screen, Counts: fleet.Counts,
		MaxBytes: f.memory << 20, Codes: codes,
	}, f.plan)
	if summary != nil {
		screen.Say("\n%s", summary)
	}
	return err
}

// launch starts the nodes, waits until each has its share of the partitions, and
// says where they are.
func (f *demoFlags) launch(ctx context.Context, screen *demo.Screen, fleet *demo.Fleet) error {
	begin := time.Now()
	progress, done := screen.Bar("starting nodes", f.nodes)
	defer done()
	for i := range f.nodes {
		if _, err := fleet.Add(ctx); err != nil {
			return err
		}
		progress(i+1, f.nodes)
	}
	state, err := fleet.Spread(ctx)
	if err != nil {
		return err
	}
	done()
	kept := "without copies"
	if f.replicas > 0 {
		kept = fmt.Sprintf("each with copies: %d", f.replicas)
	}
	screen.Say("nodes      %d processes, ready after %.1f s; 1024 partitions, %s", f.nodes, time.Since(begin).Seconds(), kept)
	for _, n := range fleet.Running() {
		owned, _ := state.Owned(n.Name)
		screen.Say("           %s  redis-cli -p %-5s  http://%s/  %d partitions", n.Name, portOf(n.RESP), n.HTTP, owned)
	}
	first := fleet.Addresses()[0]
	screen.Say("           any node has every key: char:U+1F600, script:Greek, name:SNOWMAN")
	screen.Say("           larder cluster status --watch --addr %s", first)
	screen.Say("load       %d clients, %s reads/s through all nodes, and %d writes/s;\n"+
		"           %d MiB for each node; Ctrl-C ends it\n",
		f.plan.Clients, demo.Grouped(uint64(f.plan.Rate)), demo.LedgerRate, f.memory)
	return nil
}

// portOf returns the port of an address.
func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return port
}
