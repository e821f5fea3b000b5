package main

import (
	"fmt"
	"io"
	"os/signal"
	"sync"
	"syscall"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/eviction"
	"github.com/larder-cache/larder/internal/eviction/trace"
)

const benchHitratioLong = `Replay recorded traces (*.dct.gz in DIR) against eviction policies, beside LRU
and the offline optimum.

Each cell shows the share of the gap between LRU's misses and the optimum's that
a policy closes: 0 is LRU, 100 the optimum, below 0 worse than LRU. The default
policy is compared with the others; --policy selects. Policies whose victims are
random or chosen by TTL cannot be replayed.`

const benchHitratioExample = `  # the default policy at the usual sizes
  larder bench hitratio traces --policy adaptive

  # as the server runs it, 16 shards, as a table for a document
  larder bench hitratio traces --policy adaptive,s3-fifo --shards 16 --format markdown

  # capacities in bytes, for the traces that have sizes
  larder bench hitratio traces --bytes`

// hitratioFlags holds the flags that need reading before they are
// [trace.Options]; the others are bound to them directly.
type hitratioFlags struct {
	options  trace.Options
	policies []string
	format   string
	quiet    bool
}

// newBenchHitratioCommand returns `larder bench hitratio`.
func newBenchHitratioCommand() *cobra.Command {
	var f hitratioFlags
	c := &cobra.Command{
		Use:     "hitratio DIR",
		Short:   "Compare eviction policies on recorded traces",
		Long:    benchHitratioLong,
		Example: benchHitratioExample,
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return f.run(c, args[0]) },
	}
	flags := c.Flags()
	flags.StringSliceVar(&f.policies, "policy", nil, "policies to run (default all that keep an order)")
	flags.Float64SliceVar(&f.options.Percents, "size", trace.DefaultPercents(), "cache sizes, in percent of the distinct keys or of all bytes")
	flags.StringSliceVar(&f.options.Only, "trace", nil, "names of the traces to run (default all)")
	flags.BoolVar(&f.options.Sized, "bytes", false, "capacities in bytes, on the traces that have sizes")
	flags.IntVar(&f.options.Shards, "shards", 1, "independent caches the keys are spread over, as in the server")
	flags.IntVar(&f.options.Parallel, "parallel", 1, "runs at a time")
	flags.StringVar(&f.options.Micro, "micro", "lirs-*", "pattern of trace names to leave out of the averages")
	flags.StringVar(&f.format, "format", "text", "output: text, markdown or json")
	flags.BoolVar(&f.quiet, "quiet", false, "no progress bar")
	return c
}

// run measures and prints.
func (f *hitratioFlags) run(c *cobra.Command, dir string) error {
	write, err := hitratioWriter(f.format)
	if err != nil {
		return err
	}
	for _, s := range f.policies {
		name, err := eviction.ParseName(s)
		if err != nil {
			return err
		}
		f.options.Policies = append(f.options.Policies, name)
	}
	if !f.quiet {
		f.options.Progress = hitratioProgress(c.ErrOrStderr())
	}
	ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	table, err := trace.Measure(ctx, dir, f.options)
	if err != nil {
		return err
	}
	return write(table, c.OutOrStdout())
}

// hitratioWriter returns the renderer of a format.
func hitratioWriter(format string) (func(*trace.Table, io.Writer) error, error) {
	switch format {
	case "text":
		return (*trace.Table).WriteText, nil
	case "markdown":
		return (*trace.Table).WriteMarkdown, nil
	case "json":
		return (*trace.Table).WriteJSON, nil
	}
	return nil, fmt.Errorf("unknown format %q: text, markdown or json", format)
}

// hitratioProgress returns a progress callback that draws a bar on w.
func hitratioProgress(w io.Writer) func(done, total int) {
	bar := progressbar.NewOptions(0,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("replaying"),
		progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(),
	)
	var mu sync.Mutex // bar and order of calls
	return func(done, total int) {
		mu.Lock()
		defer mu.Unlock()
		bar.ChangeMax(total)
		_ = bar.Set(done) // a bar that cannot be drawn is no reason to stop
	}
}
