package command

import (
	"bytes"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// transaction is what a session has between MULTI and EXEC, and what it
// watches.
//
// What clients see is as in Redis, but for this: keys may expire, be evicted,
// or be filled from their source while a transaction runs, since the engine
// does that by itself; KEYS, SCAN and RANDOMKEY of others that take long, which
// see writes as they come anyway, do not wait for a transaction nor it for
// them; and a watched key that was absent, came and went has not changed.
//
// That MULTI has been sent is in its gates. It belongs to the goroutine
// that executes the client's commands.
type transaction struct {
	queue   []queued
	flags   Flags    // of all commands in queue together
	bytes   int      // of their words, with what it takes to keep them
	broken  bool     // a request was refused: EXEC will not run the others
	running bool     // EXEC is at work
	parked  *Command // of the last request, if that asked to be parked
	watched []watchedKey

	// In a cluster:
	slot     int           // of all its keys and of those watched, plus one; zero: there are none
	epoch    cluster.Epoch // of the slot's ownership when the keys were watched
	moved    bool          // the partition has moved since the first was watched
	personal bool          // a command in queue is about the connection
	selects  bool          // a command in queue is SELECT
}

// queued is a request that waits for EXEC, its words in memory of its own.
type queued struct {
	cmd  *Command
	args [][]byte
}

// Texts of EXEC when it does not run what was queued.
const (
	errAborted      = "EXECABORT Transaction discarded because of previous errors."
	errAbortedBy    = "EXECABORT Transaction discarded because of: "
	errNotInMulti   = "ERR Command not allowed inside a transaction"
	queuedOverhead  = 64 // bytes to keep one request, besides its words
	queuedWordSpace = 24 // bytes to keep one word, besides its own
)

// notQueued are the commands that run at once though MULTI was sent.
var notQueued = map[string]bool{
	"multi": true, "exec": true, "discard": true, "watch": true, "quit": true, "reset": true,
}

func runMulti(c *Context) {
	s := c.Session
	if s.gates&gateMulti != 0 {
		c.Error("ERR MULTI calls can not be nested")
		return
	}
	s.gate(gateMulti, true)
	s.set(flagMulti, true)
	c.Out.OK()
}

func runDiscard(c *Context) {
	if c.Session.gates&gateMulti == 0 {
		c.Error("ERR DISCARD without MULTI")
		return
	}
	c.Exec.discard(c.Session)
	c.Out.OK()
}

// discard forgets what was queued and watched. With the transaction also ends
// what CLIENT CACHING has said before it.
func (x *Executor) discard(s *Session) {
	x.unwatch(s)
	s.tx = transaction{}
	s.tracking.caching = cachingUnset
	s.shared.queued.Store(0)
	s.shared.queuedBytes.Store(0)
	s.set(flagMulti, false)
	s.gate(gateMulti, false)
}

// enqueue keeps a request for EXEC. A client that queues more than may be in
// its query buffer is closed.
func (x *Executor) enqueue(s *Session, cmd *Command, args [][]byte) Outcome {
	if x.cache.Reserve(0) != nil {
		return x.refuse(s, cmd, args, errOOM)
	}
	if s.routes != nil && cmd.keys.form != noKeys {
		if text := s.joinQueued(cmd, args); text != "" {
			return x.refuse(s, cmd, args, text)
		}
	}
	tx := &s.tx
	if !tx.broken {
		n := 0
		for _, arg := range args {
			n += len(arg)
		}
		tx.bytes += n + len(args)*queuedWordSpace + queuedOverhead
		if limit := x.Limits().QueryBuffer; limit > 0 && tx.bytes > limit {
			if x.hooks.Log != nil {
				x.hooks.Log("the transaction of " + s.Link.RemoteAddr() + " is longer than the limit of the query buffer; the connection is closed")
			}
			return Close
		}
		tx.queue = append(tx.queue, queued{cmd, copyWords(args, n)})
		tx.note(cmd)
		s.shared.queued.Store(int32(len(tx.queue)))
		s.shared.queuedBytes.Store(int64(tx.bytes))
	}
	s.shared.lastCommand.Store(cmd)
	s.Out.Simple("QUEUED")
	return Continue
}

// afterPark comes before the request that follows one of a transaction that
// asked to be parked. When that is not the same again, off the event loop, the
// server has refused it, and the client was told: of EXEC it means that the
// transaction is over, of another that EXEC must not run.
func (x *Executor) afterPark(s *Session) {
	refused := s.tx.parked
	s.tx.parked = nil
	switch {
	case s.MayBlock:
	case refused.full == "exec":
		x.discard(s)
	default:
		s.tx.broken = true
	}
}

// copyWords copies words of n bytes together.
func copyWords(args [][]byte, n int) [][]byte {
	text := make([]byte, 0, n)
	words := make([][]byte, len(args))
	for i, arg := range args {
		from := len(text)
		text = append(text, arg...)
		words[i] = text[from:len(text):len(text)]
	}
	return words
}

// refuse answers a request that does not run with an error. Of a transaction
// nothing will run then.
func (x *Executor) refuse(s *Session, cmd *Command, args [][]byte, text string) Outcome {
	if cmd != nil && cmd.full == "exec" {
		return x.abort(s, cmd, args, strings.TrimPrefix(text, "ERR "))
	}
	if s.gates&gateMulti != 0 {
		s.tx.broken = true
	}
	return x.reject(s, cmd, args, text)
}

// abort ends a transaction without running it, for a reason that the client is
// told.
func (x *Executor) abort(s *Session, cmd *Command, args [][]byte, text string) Outcome {
	x.discard(s)
	out := x.reject(s, cmd, args, errAbortedBy+text)
	x.feedExec(s, cmd, args)
	return out
}

// exec runs what was queued: alone, or not at all.
func (x *Executor) exec(s *Session, cmd *Command, args [][]byte) Outcome {
	tx := &s.tx
	if tx.broken {
		out := x.run(s, cmd, args, true)
		x.feedExec(s, cmd, args)
		return out
	}
	if s.routes != nil && tx.slot != 0 {
		if out, done := x.execAway(s, cmd, args); done {
			return out
		}
	}
	if tx.flags&DenyOOM != 0 && x.cache.Reserve(0) != nil {
		return x.refuse(s, cmd, args, errOOM)
	}
	if text := x.refusesQueued(s); text != "" {
		return x.refuse(s, cmd, args, text)
	}
	begun := x.clock.monotonic()
	switch missing, err := x.loadQueued(s); {
	case missing:
		return Park
	case err != nil:
		return x.abort(s, cmd, args, err.Error())
	case x.parksQueued(s):
		return Park
	}
	// A transaction cannot be in two minds about the time: it is that of its
	// beginning.
	waiting := x.clock.monotonic()
	if s.flights.underway() > 0 {
		// The table may be replaced before everybody is out, and then the requests
		// under way would have gone by another one than those to come.
		return Park
	}
	if !x.exclude(s) {
		return Park
	}
	if s.routes != nil && tx.slot != 0 && !s.isHere(tx.keySlot()) {
		x.readmit(s) // the partition has gone while nobody was inside
		return x.exec(s, cmd, args)
	}
	defer x.readmit(s)
	now := x.clock.monotonic()
	s.local.wait(now - waiting)
	s.ctx.Now += int64((now - begun) / time.Millisecond)
	out := x.run(s, cmd, args, true)
	x.feedExec(s, cmd, args)
	return out
}

// feedExec shows EXEC to those who monitor: behind what it has run.
func (x *Executor) feedExec(s *Session, cmd *Command, args [][]byte) {
	if gate(x.gates.Load())&gateMonitor != 0 {
		x.monitors.feed(x, s, cmd, args)
	}
}

// parksQueued reports whether one of the queued requests has to leave the event
// loop.
func (x *Executor) parksQueued(s *Session) bool {
	if s.MayBlock || s.tx.flags&Slow == 0 {
		return false
	}
	for _, q := range s.tx.queue {
		if x.parks(s, q.cmd, q.args) {
			return true
		}
	}
	return false
}

// runExec is the body of EXEC.
//
// REQUIRES: nobody else is inside, unless the client has nothing to run.
func runExec(c *Context) {
	s, x := c.Session, c.Exec
	if s.gates&gateMulti == 0 {
		c.Error("ERR EXEC without MULTI")
		return
	}
	defer x.discard(s)
	if s.tx.broken {
		c.Error(errAborted)
		return
	}
	if !c.unchanged() {
		c.Out.NullArray()
		return
	}
	x.unwatch(s)
	cmd, args := c.Cmd, c.Args
	outcome, timed := Continue, s.local.timed
	s.tx.running = true
	c.Out.Array(len(s.tx.queue))
	for _, q := range s.tx.queue {
		if x.runQueued(s, q) == Close {
			outcome = Close
		}
	}
	s.tx.running = false
	s.local.timed = timed // EXEC's own time includes it
	c.Cmd, c.Args, c.outcome, c.failed = cmd, args, outcome, ""
}

func (x *Executor) runQueued(s *Session, q queued) Outcome {
	if gate(x.gates.Load())&gateMonitor != 0 {
		x.monitors.feed(x, s, q.cmd, q.args)
	}
	if s.gates&gateTracking != 0 {
		return x.runTracked(s, q.cmd, q.args, true)
	}
	return x.run(s, q.cmd, q.args, true)
}

// pausedFor returns the command that decides whether a pause holds a request
// back: for EXEC one that was queued, if that writes.
func (s *Session) pausedFor(cmd *Command) *Command {
	if cmd.full == "exec" {
		for _, q := range s.tx.queue {
			if q.cmd.pausedAsWrite() {
				return q.cmd
			}
		}
	}
	return cmd
}

// loadQueued has sources supply what the queued requests read, since inside the
// transaction a miss is a miss. It reports missing, having done nothing, when
// the client has to leave its event loop for that.
func (x *Executor) loadQueued(s *Session) (missing bool, err error) {
	if len(x.sourced) == 0 {
		return false, nil
	}
	c := &s.ctx
	defer c.reads.Reset()
	db := s.DB
	for _, q := range s.tx.queue {
		if q.cmd.full == "select" {
			if n, ok := parseInt(q.args[1]); ok {
				db = int(n)
			}
		}
		if db != 0 || !q.cmd.asksSources() {
			continue
		}
		for _, use := range q.cmd.keyUses(q.args) {
			x.lookAhead(c, q.args[use.At])
		}
	}
	switch {
	case !c.reads.Missed():
		return false, nil
	case !s.MayBlock:
		return true, nil
	}
	return false, x.load(s, &c.reads)
}

// asksSources reports whether a command may read what a source has.
func (c *Command) asksSources() bool {
	return c.Flags&ReadOnly != 0 || c.full == "getex" || c.full == "getdel"
}

// lookAhead notes in c.reads if a source has to be asked for a key of database
// 0. Nothing is counted.
func (x *Executor) lookAhead(c *Context, key []byte) {
	if !x.hasSource(key) {
		return
	}
	h := c.Cache.Lock(0, key, c.Now)
	defer h.Release()
	if e, known := h.PeekAny(); !known || e.IsFilled() && e.Kind() == 0 {
		c.Cache.Lookup(&h, &c.reads)
	}
}

// hasSource reports whether the namespace of a key has a source.
func (x *Executor) hasSource(key []byte) bool {
	for _, n := range x.sourced {
		if bytes.HasPrefix(key, n.prefix) {
			return n.has
		}
	}
	return false
}

// sourcedPrefix tells whether the keys with a prefix come from a source, unless
// a longer prefix says otherwise.
type sourcedPrefix struct {
	prefix []byte
	has    bool
}

// learnSources fills x.sourced; it stays empty when there is no source at all.
func (x *Executor) learnSources() {
	var list []sourcedPrefix
	any := false
	for _, n := range x.cache.Namespaces() {
		list = append(list, sourcedPrefix{[]byte(n.Prefix), n.Loader != nil})
		any = any || n.Loader != nil
	}
	if any {
		x.sourced = list
	}
}
