// Command simulate runs clusters in virtual time, many seeds of several sizes,
// and prints what they needed to come to rest. The first run in which something
// does not hold that must is printed with its seed and its trace, and ends the
// program with exit code 1.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/larder-cache/larder/internal/simulate"
)

func main() {
	seeds := flag.Int("seeds", 100, "runs of each size")
	nodes := flag.String("nodes", "3,5,8", "how many nodes the clusters begin with")
	first := flag.Uint64("seed", 1, "the first seed")
	zones := flag.Int("zones", 0, "zones of the clusters; 0: one to four, by the seed")
	quiet := flag.Bool("quiet", false, "nothing goes wrong; one node joins, one is drained")
	duration := flag.Duration("duration", 0, "virtual time in which things go wrong (default 15s)")
	replicas := flag.Int("replicas", 0, "copies of each partition beside its owner's; then no acknowledged write may be lost")
	kills := flag.Int("kills", 0, "with -replicas: nothing goes wrong but that so many processes are killed, one after the other")
	trace := flag.Bool("trace", false, "print the trace of every run")
	flag.Parse()

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "nodes\tseeds\tfaults\tat rest after p50\tmax\tmoves\tof least\tviews\tview bytes\tbytes/view/node\trequests\trefused\tlost\tlongest\ttook\tserved again p50\tmax\t")
	for _, word := range strings.Split(*nodes, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			fmt.Fprintf(os.Stderr, "simulate: -nodes %q: want numbers of nodes, such as 3,5,8\n", *nodes)
			os.Exit(2)
		}
		began := time.Now()
		results := runAll(*seeds, func(i int) simulate.Config {
			seed := *first + uint64(i)
			cfg := simulate.Config{Seed: seed, Nodes: n, Zones: *zones, Quiet: *quiet, Duration: *duration, Replicas: *replicas, Kills: *kills}
			if cfg.Zones == 0 {
				cfg.Zones = 1 + int(seed%4)
			}
			return cfg
		})
		for _, r := range results {
			if r.Err != nil || *trace {
				fmt.Printf("%s%s\n", r.Trace, r)
			}
			if r.Err != nil {
				fmt.Printf("again: make simulate ARGS='-seeds 1 -seed %d -nodes %d -zones %d -quiet=%v -replicas %d -kills %d'\n", r.Config.Seed, n, r.Config.Zones, *quiet, *replicas, *kills)
				os.Exit(1)
			}
		}
		printRow(table, n, results, time.Since(began))
	}
	table.Flush()
}

// runAll runs the seeds on all processors. After a failure no more are begun.
func runAll(count int, config func(i int) simulate.Config) []simulate.Result {
	var mu sync.Mutex
	var results []simulate.Result // GUARDED_BY(mu), as the next two
	next, failed := 0, false
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				stop := failed || i >= count
				mu.Unlock()
				if stop {
					return
				}
				r := simulate.Run(config(i))
				mu.Lock()
				results = append(results, r)
				failed = failed || r.Err != nil
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return results
}

func printRow(table *tabwriter.Writer, nodes int, results []simulate.Result, took time.Duration) {
	var sum simulate.Result
	var rest []time.Duration
	lost := 0
	for _, r := range results {
		sum.Faults += r.Faults
		sum.Moves += r.Moves
		sum.Least += r.Least
		sum.Views += r.Views
		sum.ViewBytes = max(sum.ViewBytes, r.ViewBytes)
		sum.BytesPerChange = max(sum.BytesPerChange, r.BytesPerChange)
		sum.Requests.Sent += r.Requests.Sent
		sum.Requests.Refused += r.Requests.Refused
		sum.Requests.Longest = max(sum.Requests.Longest, r.Requests.Longest)
		lost += r.Requests.Sent - r.Requests.Executed - r.Requests.Refused
		rest = append(rest, r.Converged)
	}
	var served []time.Duration
	for _, r := range results {
		served = append(served, r.Served...)
	}
	slices.Sort(served)
	again, longest := "-", "-"
	if n := len(served); n > 0 {
		again, longest = served[n/2].Round(time.Millisecond).String(), served[n-1].Round(time.Millisecond).String()
	}
	slices.Sort(rest)
	ratio := "-"
	if sum.Least > 0 {
		ratio = fmt.Sprintf("%.3f", float64(sum.Moves)/float64(sum.Least))
	}
	fmt.Fprintf(table, "%d\t%d\t%d\t%v\t%v\t%d\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%v\t%v\t%s\t%s\t\n", nodes, len(results), sum.Faults,
		rest[len(rest)/2].Round(10*time.Millisecond), rest[len(rest)-1].Round(10*time.Millisecond), sum.Moves, ratio, sum.Views,
		sum.ViewBytes, sum.BytesPerChange, sum.Requests.Sent, sum.Requests.Refused, lost,
		sum.Requests.Longest.Round(10*time.Microsecond), took.Round(100*time.Millisecond), again, longest)
}
