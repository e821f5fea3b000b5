// Command cluster measures clusters of larder on this machine: what going
// through the wrong node costs, what being in a cluster and what copies cost, what
// clients notice of moving partitions, how fast settings arrive, and what a cluster
// takes at rest. It starts real processes on free loopback ports and writes
// medians, ratios and goals as Markdown and JSON. See bench/README.md.
//
//	main.go       what to run, where results go
//	suite.go      the suites, and what they share; one file for each follows
//	goals.go      what a cluster is to reach, line by line
//	report.go     medians, tables
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/larder-cache/larder/bench/machine"
	"github.com/larder-cache/larder/internal/nodes"
)

// options are what the command line says.
type options struct {
	only    []string
	nodes   int
	many    int
	seed    uint64
	rounds  int
	writes  float64
	quick   bool
	keep    bool
	threads int
	within  time.Duration
	length  time.Duration
	pace    string
	out     string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	names := suiteNames()
	only := flags.String("only", strings.Join(names, ","), "what to measure, separated by commas")
	flags.IntVar(&o.nodes, "nodes", 3, "nodes of a cluster")
	flags.IntVar(&o.many, "many", 25, "nodes of the suite many")
	flags.Uint64Var(&o.seed, "seed", 1, "same seed, same requests")
	flags.IntVar(&o.rounds, "rounds", 5, "how often everything but moves and many is measured")
	flags.Float64Var(&o.writes, "writes", 30_000, "writes per second while partitions move")
	flags.BoolVar(&o.quick, "quick", false, "one short round with less data: to see that it works")
	flags.BoolVar(&o.keep, "logs", false, "print the end of the nodes' logs when a suite fails")
	flags.IntVar(&o.threads, "threads", 1, "threads of the load generator")
	flags.DurationVar(&o.within, "within", 2*time.Minute, "what operators ask for must be done so soon")
	flags.DurationVar(&o.length, "length", 2*time.Second, "of one measurement")
	flags.StringVar(&o.pace, "pace", "0", "what a node copies in a second in the suite recreate, such as 32mb; 0: as much as it can")
	flags.StringVar(&o.out, "out", "bench/results", "directory of the results; empty prints them only")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if o.quick {
		if !given["rounds"] {
			o.rounds = 1
		}
		if !given["length"] {
			o.length = 500 * time.Millisecond
		}
		if !given["out"] {
			o.out = "" // quick results are not kept
		}
	}
	o.only = strings.Split(*only, ",")
	for _, s := range o.only {
		if !slices.Contains(names, s) {
			return o, fmt.Errorf("there is no suite %q; there are %s", s, strings.Join(names, ", "))
		}
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is not understood; everything is a flag", flags.Arg(0))
	case o.nodes < 2 || o.many < 2:
		return o, errors.New("a cluster has two nodes at least")
	case o.rounds < 1 || o.threads < 1 || o.length <= 0 || o.within <= 0 || o.writes <= 0:
		return o, errors.New("rounds, threads, length, within and writes must be above 0")
	}
	return o, nil
}

func measure(ctx context.Context, args []string) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "larder-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, dir: dir, log: os.Stderr}
	if b.binary, err = nodes.Build(ctx, dir); err != nil {
		return err
	}
	// Loads that run at the same time must not wait for each other's processors.
	runtime.GOMAXPROCS(runtime.NumCPU() + o.threads + 4)
	b.rep = newReport(origin{Machine: machine.This(ctx)}, o)
	if b.rep.Machine.Busy, err = machine.BusyCores(ctx); err != nil {
		return err
	}
	runErr := b.runSuites(ctx)
	return errors.Join(runErr, b.finish())
}

// runSuites runs what was chosen. One suite that fails does not keep the others
// from running: its fault is in the report, and the end of this program.
func (b *bench) runSuites(ctx context.Context) error {
	var errs []error
	for _, s := range suites {
		if !slices.Contains(b.only, s.name) {
			continue
		}
		fmt.Fprintf(b.log, "%s: %s\n", s.name, s.what)
		err := s.run(b, ctx)
		switch {
		case ctx.Err() != nil:
			b.rep.note("Ended early, in the suite %s.", s.name)
			return errors.Join(errs...)
		case err != nil:
			b.rep.note("The suite %s failed: %v", s.name, err)
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}

// finish prints the report and saves it.
func (b *bench) finish() error {
	b.rep.finish()
	if err := b.rep.markdown(os.Stdout); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	if b.out == "" || len(b.rep.Cells) == 0 {
		return nil
	}
	path, err := b.rep.save(b.out)
	if err != nil {
		return fmt.Errorf("save report: %w", err)
	}
	fmt.Fprintf(b.log, "saved %s.md and .json\n", path)
	return nil
}
