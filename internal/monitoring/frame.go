package monitoring

import (
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// frame are all counters of a node at one time.
type frame struct {
	at         time.Time
	executor   command.Snapshot
	namespaces []cache.NamespaceStats
	server     server.Stats
	memory     memory.Stats
	sources    []source.GateStats // as in Config.Sources
}

func (m *Monitor) frame(now time.Time) *frame {
	f := &frame{
		at: now, executor: m.cfg.Executor.Snapshot(), namespaces: m.cfg.Cache.Namespaces(),
		server: m.cfg.Server(), memory: m.cfg.Cache.Store().Stats(),
	}
	for _, s := range m.cfg.Sources {
		f.sources = append(f.sources, s.Gate.Stats())
	}
	return f
}

// calls returns the number of all requests, rejected ones included.
func (f *frame) calls() (n uint64) {
	for i := range f.executor.Commands {
		n += f.executor.Commands[i].Calls + f.executor.Commands[i].Rejected
	}
	return n
}

func (f *frame) reads() (hits, misses uint64) {
	for i := range f.namespaces {
		hits += f.namespaces[i].Hits
		misses += f.namespaces[i].Misses
	}
	return hits, misses
}

func (f *frame) command(name string) *command.CommandSnapshot {
	for i := range f.executor.Commands {
		if f.executor.Commands[i].Name == name {
			return &f.executor.Commands[i]
		}
	}
	return &command.CommandSnapshot{}
}

const (
	// window is how many seconds rates are taken over.
	window = 5
	// historyLength is how many intervals are remembered for curves.
	historyLength = 120
)

// frames are the last frames, and curves of what they showed.
type frames struct {
	last  []*frame // oldest first, at most window+1
	curve []point  // oldest first, at most historyLength
}

// point is what happened in one interval.
type point struct {
	requests float64       // per second
	hitRatio float64       // -1 without reads
	p99      time.Duration // 0 without measurements
}

// sample takes a frame.
func (m *Monitor) sample(now time.Time) {
	f := m.frame(now)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frames.add(f)
}

func (f *frames) add(next *frame) {
	if len(f.last) > 0 {
		f.curve = shift(f.curve, historyLength, span{f.last[len(f.last)-1], next}.point())
	}
	f.last = shift(f.last, window+1, next)
}

// shift appends and keeps the length below a limit.
func shift[T any](list []T, limit int, next T) []T {
	if len(list) < limit {
		return append(list, next)
	}
	copy(list, list[1:])
	list[len(list)-1] = next
	return list
}

// span returns the time from the oldest frame to the newest.
//
// REQUIRES: at least one frame.
func (f *frames) span() span { return span{f.last[0], f.last[len(f.last)-1]} }

// span is the time between two frames, which may be the same one.
type span struct{ from, to *frame }

func (s span) seconds() float64 { return s.to.at.Sub(s.from.at).Seconds() }

// grown returns what a counter has grown by; after a reset of the counters
// (CONFIG RESETSTAT) what has been counted since.
func grown(from, to uint64) uint64 {
	if to < from {
		return to
	}
	return to - from
}

// rate returns the growth of a counter per second, 0 for no time.
func (s span) rate(from, to uint64) float64 {
	if d := s.seconds(); d > 0 {
		return float64(grown(from, to)) / d
	}
	return 0
}

func (s span) point() point {
	p := point{requests: s.rate(s.from.calls(), s.to.calls()), hitRatio: -1}
	if hits, misses := s.reads(); hits+misses > 0 {
		p.hitRatio = ratio(hits, hits+misses)
	}
	p.p99 = s.latency().Percentile(99)
	return p
}

// reads returns the hits and misses of the span.
func (s span) reads() (hits, misses uint64) {
	h0, m0 := s.from.reads()
	h1, m1 := s.to.reads()
	return grown(h0, h1), grown(m0, m1)
}

// latency returns the durations of all commands in the span.
func (s span) latency() command.Histogram {
	var all command.Histogram
	for i := range s.to.executor.Commands {
		to := &s.to.executor.Commands[i]
		merge(&all, between(s.from.command(to.Name).Latency, to.Latency))
	}
	return all
}

// between returns what a histogram has grown by.
func between(from, to command.Histogram) command.Histogram {
	if from.Total > to.Total || len(from.Counts) != len(to.Counts) {
		return to
	}
	d := command.Histogram{Counts: make([]uint64, len(to.Counts))}
	for i := range to.Counts {
		d.Counts[i] = grown(from.Counts[i], to.Counts[i])
		d.Total += d.Counts[i]
	}
	return d
}

func merge(into *command.Histogram, h command.Histogram) {
	if len(into.Counts) < len(h.Counts) {
		into.Counts = append(into.Counts, make([]uint64, len(h.Counts)-len(into.Counts))...)
	}
	for i, n := range h.Counts {
		into.Counts[i] += n
	}
	into.Total += h.Total
}

func ratio(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
