package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/loadgen"
)

// bench is one comparison under way. All suites run one after the other, from
// one goroutine.
type bench struct {
	dir     string // for everything temporary
	peers   []peer // of all suites
	oneLoop []peer // larder with one event loop, when it takes part
	rep     *report
	rounds  int
	quick   bool
	threads int
	length  time.Duration // of one measurement of throughput
	log     io.Writer
}

// suite is a question that is put to all peers.
type suite struct {
	name string
	what string
	run  func(*bench, context.Context) error
}

var suites = []suite{
	{"throughput", "requests per second and processor time, 50 connections", (*bench).throughput},
	{"latency", "percentiles at a fixed rate", (*bench).latency},
	{"big", "bytes per second with values of 1 MiB", (*bench).big},
	{"memory", "resident bytes per key", (*bench).memory},
	{"churn", "resident memory over the maximum while value sizes change", (*bench).churn},
	{"growth", "latency while ten million entries are inserted", (*bench).growth},
	{"expiry", "latency and memory while a million keys expire", (*bench).expiry},
	{"start", "time to the first answer, idle memory", (*bench).startup},
}

// pick returns quick in a quick comparison, else full.
func pick[T any](b *bench, full, quick T) T {
	if b.quick {
		return quick
	}
	return full
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, "  "+format+"\n", args...)
}

// load returns the common part of all loads on s: one key in ten is written,
// seeds differ between rounds.
func (b *bench) load(s *process, round int) loadgen.Config {
	c := loadgen.DefaultConfig()
	c.Address, c.Protocol, c.Threads = s.address(), s.protocol, b.threads
	c.Seed = uint64(round) + 1
	c.Duration = b.length
	return c
}

// startAll starts every one of peers once. Those that do not start are noted
// and left out. Stop them with stopAll.
func (b *bench) startAll(ctx context.Context, peers []peer) []*process {
	var list []*process
	for _, p := range peers {
		if s := b.start(ctx, p, 0); s != nil {
			list = append(list, s)
		}
	}
	return list
}

// start starts p; when it does not start, that is noted and nil returned.
func (b *bench) start(ctx context.Context, p peer, maxMemory int64) *process {
	s, err := start(ctx, p, b.dir, maxMemory)
	if err != nil {
		if ctx.Err() == nil {
			b.say("%v", err)
			b.rep.note("%s did not start and is missing from some tables.", p.name)
		}
		return nil
	}
	return s
}

func stopAll(list []*process) {
	for _, s := range list {
		s.stop()
	}
}

// turn returns list rotated by round, so that no peer always comes first.
func turn[T any](list []T, round int) []T {
	if len(list) == 0 {
		return nil
	}
	k := round % len(list)
	return append(slices.Clone(list[k:]), list[:k]...)
}

// trouble notes errors that a result carries; they spoil its numbers.
func (b *bench) trouble(name, what string, p *loadgen.Part) {
	if p.Failed > 0 || p.Lost > 0 || p.Dropped > 0 {
		b.rep.note("%s, %s: %d requests failed, %d lost, %d connections broke.", name, what, p.Failed, p.Lost, p.Dropped)
	}
}

// fault notes that a measurement did not succeed. It returns an error only when
// the whole comparison is to end.
func (b *bench) fault(ctx context.Context, name, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.say("%s, %s: %v", name, what, err)
	b.rep.note("%s, %s: %v.", name, what, err)
	return nil
}

// sleep waits, or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
