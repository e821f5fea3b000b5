package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/loadgen"
)

const benchLong = `Put a Redis-compatible server, or memcached, under a load and measure it.

Without --rate every connection sends its next batch when the last is answered
(closed loop): that finds the highest throughput. With --rate requests start at
fixed times (open loop), and latency counts from the time a request should have
started, so that a server that stalls is charged for everything it held up.

Latencies are in microseconds. The load generator's own processor time is shown
too: it shares the machine with a local server.`

const benchExample = `  # nine GETs to one SET of 64 B on a million keys, 50 connections, 10 seconds
  larder bench --preload

  # what the server reaches with 16 requests in flight per connection
  larder bench --pipeline 16 --ratio 1:0 --preload

  # latency at 5,000 requests per second, popular keys as in practice
  larder bench --rate 5000 --arrivals poisson --distribution zipf --preload

  # sessions: values around 300 B, gone after 30 minutes, popular set drifting
  larder bench --value-size lognormal:300,1.2 --ttl 30m \
      --distribution zipf --drift 100

  # commands of your own, three reads to one write
  larder bench --command 'GET __key__' \
      --command 'SET __key__ __data__ EX 60' --weights 3,1

  # another server, and a file to compare with
  larder bench --addr 10.0.0.7:6379 --password secret --json > redis.json
  larder bench --addr 127.0.0.1:11211 --protocol memcached`

// benchFlags holds the flags that need reading before they are a
// [loadgen.Config]; the others are bound to it directly.
type benchFlags struct {
	config    loadgen.Config
	values    string
	ttl       string
	ratio     string
	commands  []string
	weights   []int
	arrivals  string
	protocol  string
	keyChoice string
	json      bool
}

// newBenchCommand returns `larder bench`.
func newBenchCommand() *cobra.Command {
	f := &benchFlags{config: loadgen.DefaultConfig()}
	cmd := &cobra.Command{
		Use:     "bench",
		Short:   "Measure a server under load",
		Long:    benchLong,
		Example: benchExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := f.read(cmd)
			if err != nil {
				return err
			}
			cmd.SilenceUsage = true
			return runBench(cmd, config, f.json)
		},
	}
	f.bindTarget(cmd)
	f.bindLoad(cmd)
	// Help fits a terminal of 80 columns.
	cmd.SetUsageTemplate(strings.ReplaceAll(cmd.UsageTemplate(), "Flags.FlagUsages ", "Flags.FlagUsagesWrapped 80 "))
	cmd.AddCommand(newBenchHitratioCommand())
	return cmd
}

func (f *benchFlags) bindTarget(cmd *cobra.Command) {
	c, flags := &f.config, cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&c.Address, "addr", "a", c.Address, "server: host:port or unix:/path")
	flags.StringVar(&f.protocol, "protocol", string(c.Protocol), "resp2, resp3, memcached or memcached-meta")
	flags.StringVar(&c.User, "user", "", "user name; needs --password")
	flags.StringVar(&c.Password, "password", "", "password")
	flags.IntVar(&c.Database, "db", 0, "database number")
	flags.IntVarP(&c.Connections, "connections", "c", c.Connections, "connections")
	flags.IntVar(&c.Threads, "threads", c.Threads, "threads that share the connections")
	flags.IntVarP(&c.Pipeline, "pipeline", "P", c.Pipeline, "requests in flight per connection")
	flags.Float64VarP(&c.Rate, "rate", "r", 0, "requests per second (open loop); 0 is as fast as possible")
	flags.StringVar(&f.arrivals, "arrivals", string(c.Arrivals), "with --rate: even or poisson")
	flags.DurationVarP(&c.Duration, "duration", "t", c.Duration, "measure for so long")
	flags.Uint64VarP(&c.Requests, "requests", "n", 0, "measure so many requests instead")
	flags.DurationVar(&c.Warmup, "warmup", 0, "load before the measurement")
	flags.BoolVar(&c.Preload, "preload", false, "write every key once before")
	flags.DurationVar(&c.Timeout, "timeout", c.Timeout, "give up when the server is silent for so long")
}

func (f *benchFlags) bindLoad(cmd *cobra.Command) {
	c, flags := &f.config, cmd.Flags()
	flags.Uint64VarP(&c.Keys, "keys", "k", c.Keys, "size of the key space")
	flags.StringVar(&c.KeyPrefix, "key-prefix", c.KeyPrefix, "what keys begin with")
	flags.IntVar(&c.KeyLength, "key-length", c.KeyLength, "length of a key in bytes")
	flags.StringVar(&f.keyChoice, "distribution", string(c.Distribution), "of keys: uniform, zipf or sequential")
	flags.Float64Var(&c.Exponent, "zipf", c.Exponent, "exponent of the zipf distribution")
	flags.Float64Var(&c.Drift, "drift", 0, "keys per second by which the popular set moves (zipf)")
	flags.StringVarP(&f.values, "value-size", "d", c.Values.String(), "`bytes`: 64, 1KiB, uniform:64-4KiB, lognormal:MEDIAN,SIGMA[,MAX], or 64:9,1KiB:1 (size:weight)")
	flags.StringVar(&f.ttl, "ttl", "", "time to live of what is written: 60s, or 30s-90s at random")
	flags.StringVar(&f.ratio, "ratio", "9:1", "GET:SET")
	flags.StringArrayVar(&f.commands, "command", nil, "`command` instead of GET and SET, repeatable; __key__, __data__ and __rand__ are filled in")
	flags.IntSliceVar(&f.weights, "weights", nil, "`shares` of the commands, such as 3,1; equal by default")
	flags.Uint64Var(&c.Seed, "seed", c.Seed, "same seed, same requests")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
	flags.BoolVar(&c.Blocking, "blocking", false, "a goroutine per connection, even where epoll is available")
	_ = flags.MarkHidden("blocking") // fails only for a flag that does not exist
}

// read makes a configuration of the flags and validates it as a whole.
func (f *benchFlags) read(cmd *cobra.Command) (loadgen.Config, error) {
	c := f.config
	c.Protocol = loadgen.Protocol(f.protocol)
	c.Arrivals = loadgen.Arrivals(f.arrivals)
	c.Distribution = loadgen.Distribution(f.keyChoice)
	changed := cmd.Flags().Changed
	if changed("requests") && !changed("duration") {
		c.Duration = 0
	}
	var err error
	if c.Values, err = loadgen.ParseSizes(f.values); err != nil {
		return c, err
	}
	if c.TTL, err = parseTTL(f.ttl); err != nil {
		return c, err
	}
	if c.Gets, c.Sets, err = parseRatio(f.ratio); err != nil {
		return c, err
	}
	if c.Commands, err = pairCommands(f.commands, f.weights); err != nil {
		return c, err
	}
	switch {
	case len(c.Commands) > 0 && changed("ratio"):
		return c, errors.New("--ratio is of GET and SET, which --command replaces; use --weights")
	case c.Rate == 0 && changed("arrivals"):
		return c, errors.New("--arrivals needs a --rate")
	case c.Distribution != loadgen.Zipf && (changed("zipf") || changed("drift")):
		return c, errors.New("--zipf and --drift need --distribution zipf")
	}
	return c, c.Validate()
}

// parseTTL reads "", "60s" or "30s-90s".
func parseTTL(text string) (loadgen.TTL, error) {
	if text == "" {
		return loadgen.TTL{}, nil
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	lo, err := time.ParseDuration(first)
	if err == nil {
		var hi time.Duration
		if hi, err = time.ParseDuration(last); err == nil && lo > 0 && hi >= lo {
			return loadgen.TTL{Min: lo, Max: hi}, nil
		}
	}
	return loadgen.TTL{}, fmt.Errorf("--ttl %q is not a time above 0 such as 60s, or a range such as 30s-90s", text)
}

// parseRatio reads "GETS:SETS".
func parseRatio(text string) (gets, sets int, err error) {
	a, b, ok := strings.Cut(text, ":")
	if ok {
		if gets, err = strconv.Atoi(a); err == nil {
			sets, err = strconv.Atoi(b)
		}
	}
	if !ok || err != nil || gets < 0 || sets < 0 {
		return 0, 0, fmt.Errorf("--ratio %q is not GET:SET such as 9:1", text)
	}
	return gets, sets, nil
}

// pairCommands gives each command its weight.
func pairCommands(templates []string, weights []int) ([]loadgen.Command, error) {
	if len(weights) > 0 && len(weights) != len(templates) {
		return nil, fmt.Errorf("--weights has %d numbers for %d commands", len(weights), len(templates))
	}
	var list []loadgen.Command
	for i, t := range templates {
		w := 1
		if len(weights) > 0 {
			w = weights[i]
		}
		list = append(list, loadgen.Command{Template: t, Weight: w})
	}
	return list, nil
}

// runBench runs the load until its end or until the person at the terminal ends
// it, and prints what was measured.
func runBench(cmd *cobra.Command, c loadgen.Config, asJSON bool) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	bar := newBenchBar(cmd.ErrOrStderr())
	c.Progress = bar.show
	result, err := loadgen.Run(ctx, c)
	bar.clear()
	if result != nil {
		if printErr := printBench(cmd.OutOrStdout(), result, asJSON); printErr != nil {
			return fmt.Errorf("print result: %w", printErr)
		}
	}
	return err
}

func printBench(w io.Writer, r *loadgen.Result, asJSON bool) error {
	if !asJSON {
		return writeBenchTable(w, r)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
