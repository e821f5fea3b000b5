// Command chaos does to a cluster of larder what machines do, and checks that
// clients never see it in their data. It starts real processes that keep copies,
// lets clients write and read through all of them, does harm to nodes, their
// network and their disks in an order that comes from a seed, and judges the
// recorded history: acknowledged writes that are lost, stale reads,
// linearizability per key. docs/operations.md lists the faults; those that are
// not permitted on this machine are left out, and named.
//
//	go run ./bench/chaos -for 2m -seed 7 -nodes 3 -faults kill,stop,partition
//	go run ./bench/chaos -count 30 -faults kill
//
// LARDER=/path takes another build. The results are a table, the history as
// lines of JSON, the logs of the nodes and a timeline as one HTML file. It ends
// with 1 when something is lost, stale or not linearizable, or when the cluster
// did not come back.
//
//	main.go          what to run, where results go
//	run.go           a run from its start to its verdict
//	faults.go        what is done to processes
//	surroundings.go  what is done to their network and their disks
//	report.go        the tables
//	timeline.go      the picture; timeline.html is its form
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// options are what the command line says.
type options struct {
	length   time.Duration
	count    int // of faults; 0: what fits into length
	seed     uint64
	nodes    int
	replicas int
	faults   []string
	clients  int
	think    time.Duration
	patience time.Duration
	out      string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := begin(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	known := slices.Sorted(maps.Keys(faults))
	usual := slices.DeleteFunc(slices.Clone(known), func(name string) bool { return name == clockFault })
	chosen := flags.String("faults", strings.Join(usual, ","), "what to do to nodes, separated by commas; "+clockFault+" only when it is named: clients send no EXPIRE then")
	flags.DurationVar(&o.length, "for", time.Minute, "begin no fault later than this")
	flags.IntVar(&o.count, "count", 0, "end after so many faults, however long that takes unless -for is given; 0: any number")
	flags.Uint64Var(&o.seed, "seed", 0, "same seed, same faults; 0 takes one from the clock")
	flags.IntVar(&o.nodes, "nodes", 3, "nodes of the cluster")
	flags.IntVar(&o.replicas, "replicas", 1, "copies of each partition beside the owner's")
	flags.IntVar(&o.clients, "clients", 8, "clients; one of four stays with a node that hangs")
	flags.DurationVar(&o.think, "think", 10*time.Millisecond, "mean pause between two operations of a client")
	flags.DurationVar(&o.patience, "patience", time.Minute, "after a fault all copies must be in sync again so soon")
	flags.StringVar(&o.out, "out", "", "directory of the results; empty: a new one for temporary files")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if o.count > 0 && !given["for"] {
		o.length = math.MaxInt64 / 2
	}
	o.faults = strings.Split(*chosen, ",")
	for _, f := range o.faults {
		if faults[f].does == nil {
			return o, fmt.Errorf("there is no fault %q; there are %s", f, strings.Join(known, ", "))
		}
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is not understood; everything is a flag", flags.Arg(0))
	case o.replicas < 1 || o.nodes <= o.replicas:
		return o, errors.New("there must be a copy at least, and more nodes than copies")
	case o.count < 0:
		return o, errors.New("count must not be negative")
	case o.clients < 1 || o.think <= 0 || o.length <= 0 || o.patience <= 0:
		return o, errors.New("clients, think, for and patience must be above 0")
	}
	return o, nil
}

func begin(ctx context.Context, args []string) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out, err = os.MkdirTemp("", "larder-chaos-")
	} else {
		err = os.MkdirAll(o.out, 0o755)
	}
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "larder-chaos-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := nodes.Build(ctx, dir)
	if err != nil {
		return err
	}
	return run(ctx, o, binary, dir)
}
