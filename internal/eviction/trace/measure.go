package trace

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"

	"golang.org/x/sync/errgroup"

	"github.com/larder-cache/larder/internal/eviction"
)

// Options say what [Measure] measures. The zero value is usable.
type Options struct {
	// Policies to compare with LRU, which is always run. None: the default
	// policy and the other policies that track the whole key space.
	Policies []eviction.Name
	// Percents are the cache sizes, in percent of the distinct keys, or of the
	// sum of the objects' first sizes when Sized. None: DefaultPercents.
	Percents []float64
	// Sized gives capacities in bytes and leaves out traces without sizes.
	Sized bool
	// Shards is the number of independent caches; zero is one.
	Shards int
	// Parallel is the number of runs at a time; zero is one.
	Parallel int
	// Micro is a shell pattern: traces whose name matches are shown but left
	// out of the averages. Empty: none.
	Micro string
	// Only, unless empty, are the names of the traces to run.
	Only []string
	// Progress, if not nil, is called after every run with the runs done and
	// to do. It may be called concurrently.
	Progress func(done, total int)
}

// DefaultPercents is the usual grid of cache sizes.
func DefaultPercents() []float64 { return []float64{1, 2, 5, 10, 20, 40} }

// withDefaults returns o with its zero fields filled in, or what is wrong.
func (o Options) withDefaults() (Options, error) {
	if len(o.Policies) == 0 {
		o.Policies = eviction.TrackedNames()
	}
	if len(o.Percents) == 0 {
		o.Percents = DefaultPercents()
	}
	o.Shards, o.Parallel = max(o.Shards, 1), max(o.Parallel, 1)
	if _, err := path.Match(o.Micro, ""); err != nil {
		return o, fmt.Errorf("pattern %q: %w", o.Micro, err)
	}
	for _, p := range o.Percents {
		if !(p > 0 && p <= 100) {
			return o, fmt.Errorf("cache size of %g %%: it must be above 0 and at most 100", p)
		}
	}
	for _, name := range o.Policies {
		if !name.Tracked() {
			return o, fmt.Errorf("policy %q keeps no order of entries and cannot be simulated", name)
		}
	}
	return o, nil
}

// Measure runs every policy on every trace of dir at every size. Traces are
// loaded one after the other, so that memory holds one at a time. It stops at
// the first error or when ctx ends.
func Measure(ctx context.Context, dir string, o Options) (*Table, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	files, err := o.files(dir)
	if err != nil {
		return nil, err
	}
	table := &Table{Policies: o.Policies, Percents: o.Percents, Sized: o.Sized, Shards: o.Shards}
	progress := newProgress(o, len(files))
	for _, file := range files {
		t, err := Open(file)
		if err != nil {
			return nil, err
		}
		if o.Sized && !t.Sized() {
			progress.skip()
			continue
		}
		cells, err := measureTrace(ctx, t, o, progress)
		if err != nil {
			return nil, err
		}
		table.Cells = append(table.Cells, cells...)
	}
	if len(table.Cells) == 0 {
		return nil, errors.New("none of the traces has sizes")
	}
	return table, nil
}

// files returns the paths of the traces to run.
func (o Options) files(dir string) ([]string, error) {
	all, err := Files(dir)
	if err != nil || len(o.Only) == 0 {
		return all, err
	}
	byName := make(map[string]string, len(all))
	for _, p := range all {
		byName[NameOf(p)] = p
	}
	var files []string
	for _, name := range o.Only {
		p, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("no trace %q in %q", name, dir)
		}
		files = append(files, p)
	}
	return files, nil
}

// measureTrace fills the cells of one trace.
func measureTrace(ctx context.Context, t *Trace, o Options, progress *progress) ([]Cell, error) {
	whole := uint64(t.Distinct)
	if o.Sized {
		whole = t.Bytes()
	}
	micro, _ := path.Match(o.Micro, t.Name) // the pattern was checked
	cells := make([]Cell, len(o.Percents))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.Parallel)
	do := func(f func() error) {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := f()
			progress.step()
			return err
		})
	}
	for i, percent := range o.Percents {
		c := &cells[i]
		*c = Cell{
			Trace: t.Name, Micro: micro, Percent: percent, Requests: len(t.Keys),
			Capacity: max(uint64(math.Round(float64(whole)*percent/100)), 1),
			Policies: make([]Misses, len(o.Policies)),
		}
		cache := Cache{Capacity: c.Capacity, Sized: o.Sized, Shards: o.Shards}
		do(func() error { c.optimum(t, o.Sized); return nil })
		do(func() (err error) {
			// The base line is one LRU: sharding is the policy's burden.
			c.LRU, err = Run(t, eviction.AllKeysLRU, Cache{Capacity: c.Capacity, Sized: o.Sized})
			return err
		})
		for k, name := range o.Policies {
			do(func() (err error) {
				c.Policies[k], err = Run(t, name, cache)
				return err
			})
		}
	}
	return cells, group.Wait()
}

// optimum fills in the optimum of the cell.
func (c *Cell) optimum(t *Trace, sized bool) {
	if !sized {
		c.Optimum.Objects = Optimum(t, int(c.Capacity))
		c.Bound = c.Optimum
		return
	}
	objects, bound := SizedOptimum(t, c.Capacity, FewestObjects)
	bytes, byteBound := SizedOptimum(t, c.Capacity, FewestBytes)
	c.Optimum = Misses{Objects: objects.Objects, Bytes: bytes.Bytes}
	c.Bound = Misses{Objects: bound.Objects, Bytes: byteBound.Bytes}
}
