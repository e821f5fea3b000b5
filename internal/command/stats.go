package command

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// How commands are timed
//
// Reading the clock costs as much as a tenth of a pipelined GET, so quick
// commands share one reading per batch: the time between Begin and End, less
// what was measured by itself, is divided among them evenly. Measured by
// themselves are
//
//   - all commands that are not quick, since they have time to spare;
//   - a sample of the quick ones (latency_sample), which stands in the
//     histograms for all of those in batches of more than one: each counts as
//     many times as were passed over;
//   - every one while a threshold of the slow log or of LATENCY is below 1 ms;
//   - those of a client for the next [carefulFor] requests after a batch of
//     several quick ones together exceeded a threshold.
//
// Time in which a command waits, for a source, the end of a pause or another
// client, is not its own and is left out, as in Redis; the sources have
// histograms of theirs.
//
// A batch of one quick command is its command's time, exactly and for nothing:
// the histograms have all of these, so that the sample stands for the commands
// of longer batches only; and a slow one is logged at once. Of a slow pipeline no
// single command can be accused the first time, it is counted in slow batches, and from then on each is timed.

// carefulFor is how many requests of a client are timed one by one after a
// slow batch.
const carefulFor = 1024

// localStats are the counts of one client's batch.
type localStats struct {
	start time.Duration // of the batch, or of the part of it not flushed yet
	timed time.Duration // part of it that was measured by itself, or waited
	// waited is how long the client has waited in all its life.
	waited time.Duration
	runs   [4]run // quick commands not counted elsewhere yet
	used   int    // of runs
	longer bool   // the batch has had more than what is in runs, or in held
	// held is a command of the sample whose weight depends on whether the batch
	// has others; nil when there is none.
	held    *Command
	heldFor time.Duration

	untilSample int
	random      uint64
	careful     int // requests still to be timed one by one
}

type run struct {
	cmd *Command
	n   uint64
}

var seeds atomic.Uint64

func (l *localStats) init() {
	l.random = seeds.Add(1)*0x9e3779b97f4a7c15 | 1
	l.untilSample = 1 + int(l.random>>40%100)
}

func (l *localStats) begin(now time.Duration) {
	l.start, l.timed, l.used, l.longer = now, 0, 0, false
}

// wait notes that the client has waited.
func (l *localStats) wait(d time.Duration) {
	l.waited += d
	l.timed += d
}

// sample reports whether the next request is one of the sample.
func (l *localStats) sample(x *Executor) bool {
	l.untilSample--
	if l.untilSample > 0 {
		return false
	}
	o := x.Options()
	switch {
	case o.LatencySample <= 0 || !o.LatencyTracking:
		l.untilSample = 1 << 16
		return false
	case o.LatencySample >= 1:
		l.untilSample = 1
		return true
	}
	// Uniform over twice the mean distance, so that no rhythm of the
	// application falls in with the sample.
	l.random ^= l.random << 13
	l.random ^= l.random >> 7
	l.random ^= l.random << 17
	l.untilSample = 1 + int(l.random%uint64(2/o.LatencySample))
	return true
}

// add counts a quick command of the batch.
func (l *localStats) add(x *Executor, cmd *Command) {
	for i := range l.used {
		if l.runs[i].cmd == cmd {
			l.runs[i].n++
			return
		}
	}
	if l.used == len(l.runs) {
		l.shareOut(x)
		l.longer = true
	}
	l.runs[l.used] = run{cmd, 1}
	l.used++
}

// shareOut moves the counts to where others read them, with the time that has
// passed divided among the commands. It returns how many there were, and the
// time of all.
func (l *localStats) shareOut(x *Executor) (n uint64, d time.Duration) {
	now := x.clock.monotonic()
	d = max(0, now-l.start-l.timed)
	for _, r := range l.runs[:l.used] {
		n += r.n
	}
	for _, r := range l.runs[:l.used] {
		c := x.stats.of(r.cmd, l.random)
		c.calls.Add(r.n)
		c.nanos.Add(uint64(d) * r.n / n)
	}
	l.start, l.timed, l.used = now, 0, 0
	return n, d
}

// flush ends the batch of a client.
func (x *Executor) flush(s *Session) {
	l := &s.local
	alone := !l.longer
	if l.held != nil {
		x.recordHeld(l, alone && l.used == 0)
		alone = false
	}
	if l.used == 0 {
		return
	}
	cmd := l.runs[0].cmd
	if s.shared.lastCommand.Load() != cmd {
		s.shared.lastCommand.Store(cmd)
	}
	n, d := l.shareOut(x)
	o := x.Options()
	if alone = alone && n == 1; alone && o.LatencyTracking && o.LatencySample > 0 {
		x.stats.histogram(cmd).record(d, 1)
	}
	if d < time.Millisecond {
		return
	}
	slow := o.SlowLogSlower >= 0 && d >= o.SlowLogSlower
	if !slow && (o.LatencyThreshold <= 0 || d < o.LatencyThreshold) {
		return
	}
	if alone && s.ctx.Cmd == cmd && s.ctx.Args != nil {
		x.slow(s, cmd, d)
		return
	}
	x.stats.slowBatches.Add(1)
	l.careful = carefulFor
	s.gate(gateCareful, true)
}

// finish counts a command that was measured by itself: with timed as every
// one of its kind, otherwise as one of the sample.
func (x *Executor) finish(s *Session, cmd *Command, d time.Duration, timed bool) {
	s.local.timed += d
	s.shared.lastCommand.Store(cmd)
	c := x.stats.of(cmd, s.local.random)
	c.calls.Add(1)
	c.nanos.Add(uint64(d))
	o := x.Options()
	l := &s.local
	if l.held != nil {
		x.recordHeld(l, false)
		l.longer = true
	}
	switch {
	case timed:
		l.longer = true
		if o.LatencyTracking {
			x.stats.histogram(cmd).record(d, 1)
		}
	case o.LatencyTracking:
		l.held, l.heldFor = cmd, d
	}
	if s.local.careful > 0 {
		if s.local.careful--; s.local.careful == 0 {
			s.gate(gateCareful, false)
		}
	}
	if o.SlowLogSlower >= 0 && d >= o.SlowLogSlower || o.LatencyThreshold > 0 && d >= o.LatencyThreshold {
		x.slow(s, cmd, d)
	}
}

// recordHeld records the command of the sample that was held back: for itself
// when it was alone in its batch, otherwise for those that were passed over too.
func (x *Executor) recordHeld(l *localStats, alone bool) {
	weight := uint64(1)
	if !alone {
		weight = uint64(math.Round(1 / min(1, max(x.Options().LatencySample, 1e-6))))
	}
	x.stats.histogram(l.held).record(l.heldFor, weight)
	l.held = nil
}

// slow tells the slow log and the latency monitor of a command.
func (x *Executor) slow(s *Session, cmd *Command, d time.Duration) {
	o := x.Options()
	if o.SlowLogSlower >= 0 && d >= o.SlowLogSlower && cmd.Flags&SkipSlowLog == 0 {
		x.slowLog.add(s, cmd, d)
	}
	if o.LatencyThreshold > 0 && d >= o.LatencyThreshold {
		event := "command"
		if cmd.Flags&Fast != 0 {
			event = "fast-command"
		}
		x.latency.add(event, d, time.Now())
	}
}

// stripes is over how many places the counters of a command are spread, so
// that event loops do not fight for one cache line. A power of two.
const stripes = 8

// commandCounters are the counters of one command in one stripe.
type commandCounters struct {
	calls    atomic.Uint64
	nanos    atomic.Uint64
	rejected atomic.Uint64
	failed   atomic.Uint64
}

// stats are the counters of the executor.
type stats struct {
	counters   [stripes][]commandCounters // by Command.id
	histograms []atomic.Pointer[histogram]

	connections atomic.Uint64 // accepted since the start, refused ones included
	refused     atomic.Uint64 // for there being too many
	slowBatches atomic.Uint64
	errorsTotal atomic.Uint64
	authFailed  atomic.Uint64

	mu     sync.Mutex
	errors map[string]uint64 // GUARDED_BY(mu): replies by error code
}

// maxErrorCodes is how many different codes are counted; it bounds what a
// client that invents codes can take.
const maxErrorCodes = 128

func (st *stats) init(commands int) {
	for i := range st.counters {
		st.counters[i] = make([]commandCounters, commands)
	}
	st.histograms = make([]atomic.Pointer[histogram], commands)
	st.errors = map[string]uint64{}
}

func (st *stats) of(cmd *Command, stripe uint64) *commandCounters {
	return &st.counters[stripe>>32%stripes][cmd.id]
}

func (st *stats) histogram(cmd *Command) *histogram {
	h := st.histograms[cmd.id].Load()
	if h == nil {
		h = new(histogram)
		if !st.histograms[cmd.id].CompareAndSwap(nil, h) {
			h = st.histograms[cmd.id].Load()
		}
	}
	return h
}

// failed counts an error answered by a command that ran.
func (st *stats) failed(cmd *Command, text string) {
	st.counters[0][cmd.id].failed.Add(1)
	st.countError(text)
}

// rejected counts a request that did not run. cmd may be nil.
func (st *stats) rejected(cmd *Command, text string) {
	if cmd != nil {
		st.counters[0][cmd.id].rejected.Add(1)
	}
	st.countError(text)
}

func (st *stats) countError(text string) {
	st.errorsTotal.Add(1)
	code := "ERR"
	for i := range len(text) {
		if text[i] == ' ' {
			code = text[:i]
			break
		}
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if _, known := st.errors[code]; !known && len(st.errors) >= maxErrorCodes {
		return
	}
	st.errors[code]++
}

// reset sets the counters of commands and errors to zero (CONFIG RESETSTAT).
func (st *stats) reset() {
	for i := range st.counters {
		for j := range st.counters[i] {
			c := &st.counters[i][j]
			c.calls.Store(0)
			c.nanos.Store(0)
			c.rejected.Store(0)
			c.failed.Store(0)
		}
	}
	st.resetHistograms(nil)
	st.connections.Store(0)
	st.refused.Store(0)
	st.slowBatches.Store(0)
	st.errorsTotal.Store(0)
	st.authFailed.Store(0)
	st.mu.Lock()
	defer st.mu.Unlock()
	clear(st.errors)
}

// resetHistograms forgets the histogram of one command, or of all, and returns
// how many there were.
func (st *stats) resetHistograms(cmd *Command) (n int) {
	for id := range st.histograms {
		if (cmd == nil || cmd.id == id) && st.histograms[id].Swap(nil) != nil {
			n++
		}
	}
	return n
}
