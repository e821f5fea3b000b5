// Command compare measures larder beside the caches it is measured by, on this
// machine, in one go: it starts each peer on a free loopback port with
// persistence off, puts all of them under the same loads in turn, and writes
// medians, spreads and ratios as Markdown and JSON. See bench/README.md.
//
//	main.go       what to run, whether the machine is quiet, where results go
//	peer.go       who takes part and how each is started
//	process.go    a running peer: its time, its memory, its keys
//	suite.go      the suites; one file for each follows
//	report.go     medians, ratios, tables
//	goals.go      what larder is to reach, and whether it does
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
)

// options are what the command line says.
type options struct {
	suites  []string
	peers   map[string]bool
	rounds  int
	quick   bool
	force   bool
	threads int
	length  time.Duration
	out     string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	var names []string
	for _, s := range suites {
		names = append(names, s.name)
	}
	chosen := flags.String("suites", strings.Join(names, ","), "what to measure, separated by commas")
	peers := flags.String("peers", "", "take only these, such as larder,redis; empty is all there are")
	flags.IntVar(&o.rounds, "rounds", 5, "how often everything is measured")
	flags.BoolVar(&o.quick, "quick", false, "one short round with less data: to see that it works")
	flags.BoolVar(&o.force, "force", false, "run although the machine is busy; the result says so")
	flags.IntVar(&o.threads, "threads", 1, "threads of the load generator")
	flags.DurationVar(&o.length, "length", 2*time.Second, "of one measurement of throughput")
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
	if *peers != "" {
		o.peers = map[string]bool{}
		for _, p := range strings.Split(*peers, ",") {
			o.peers[p] = true
		}
	}
	o.suites = strings.Split(*chosen, ",")
	for _, s := range o.suites {
		if !slices.Contains(names, s) {
			return o, fmt.Errorf("there is no suite %q; there are %s", s, strings.Join(names, ", "))
		}
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is not understood; everything is a flag", flags.Arg(0))
	case o.rounds < 1 || o.threads < 1 || o.length <= 0:
		return o, errors.New("rounds, threads and length must be above 0")
	}
	return o, nil
}

func compare(ctx context.Context, args []string) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "larder-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	peers, err := findPeers(ctx, dir, o.peers)
	if err != nil {
		return err
	}
	if len(peers) == 0 {
		return errors.New("nobody to measure: install redis-server and memcached, or name binaries with VALKEY= POGOCACHE= ...")
	}
	busy, err := machine.BusyCores(ctx)
	if err != nil {
		return err
	}
	loud := busy > machine.QuietCores
	if loud && !o.force {
		return fmt.Errorf("other work keeps %.2f cores busy (load average %s); numbers taken now mean nothing: wait, or use -force", busy, machine.LoadAverage())
	}
	// Loads that run at the same time must not wait for each other's processors.
	runtime.GOMAXPROCS(runtime.NumCPU() + o.threads + 4)
	rep := &report{Started: time.Now(), Machine: thisOrigin(ctx), Quick: o.quick, Forced: loud, Rounds: o.rounds, Versions: map[string]string{}}
	for _, p := range peers {
		rep.Peers = append(rep.Peers, p.name)
		rep.Versions[p.name] = p.version
	}
	b := &bench{dir: dir, rep: rep, rounds: o.rounds, quick: o.quick, threads: o.threads, length: o.length, log: os.Stderr}
	for _, p := range peers {
		if p.name == oneLoop {
			b.oneLoop = append(b.oneLoop, p)
			continue
		}
		b.peers = append(b.peers, p)
	}
	runErr := b.runSuites(ctx, o.suites)
	return errors.Join(runErr, finish(rep, o.out))
}

func (b *bench) runSuites(ctx context.Context, names []string) error {
	for _, s := range suites {
		if !slices.Contains(names, s.name) {
			continue
		}
		fmt.Fprintf(b.log, "%s: %s\n", s.name, s.what)
		if err := s.run(b, ctx); err != nil {
			if ctx.Err() != nil {
				b.rep.note("Ended early, in the suite %s.", s.name)
				return nil
			}
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// finish prints the report and saves it.
func finish(rep *report, dir string) error {
	rep.Finished = time.Now()
	rep.Machine.LoadAfter = machine.LoadAverage()
	rep.compute()
	rep.judge()
	if err := rep.markdown(os.Stdout); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	if dir == "" || len(rep.Cells) == 0 {
		return nil
	}
	path, err := rep.save(dir)
	if err != nil {
		return fmt.Errorf("save report: %w", err)
	}
	fmt.Fprintf(os.Stderr, "saved %s.md and .json\n", path)
	return nil
}
