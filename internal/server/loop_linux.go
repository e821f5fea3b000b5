package server

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/larder-cache/larder/internal/command"
)

// loop serves its share of the connections in one goroutine. Whatever has no
// comment about others belongs to that goroutine.
//
// Descriptors are watched edge-triggered. An event is therefore an order to
// read until nothing is left, spread over as many turns as that takes: a
// connection that may have more is put into again. In return nothing has to be
// changed in epoll when a connection is parked or has to wait, only when output
// has to.
type loop struct {
	srv    *Server
	all    *loops
	poll   *poller
	counts counters

	conns  []*loopConn // by slot; nil where free
	gens   []int32     // by slot: raised when a slot is left, tells late events apart
	free   []int32     // free slots
	again  []*loopConn // to be served without an event
	spare  []*loopConn // room for the next again
	listen []*acceptor // on loop 0 only
	paused atomic.Bool // a listener waits for the next tick

	lanes   []command.Lane // to other nodes, to be flushed
	in      []byte         // what connections without input of their own read into
	out     []byte         // what they write replies to; nil while lent
	ticks   uint32         // since the start, while there were connections
	turns   int            // since it has slept or yielded
	sweep   int            // slot to look at next
	lane    int            // number of the loop: what is forwarded for its clients goes by that lane
	replies replies        // of other nodes
	holds   loopHolds      // replies that copies have to acknowledge
	sized   [2][][]byte    // memory for output that waits; see outputRoom
	touched []*loopConn    // connections that have got some of them
	rooms   [][]byte       // memory to gather such replies in
	slow    []*loopConn    // connections with output pending
	hung    []*loopConn    // connections that were away when their client left
	drained bool           // stop accepting, close what is idle

	// post is how others reach the loop.
	post struct {
		waiting atomic.Bool
		sync.Mutex
		notes []note // GUARDED_BY(Mutex)
		spare []note // GUARDED_BY(Mutex)
	}
}

// note is a message to a loop.
type note struct {
	kind noteKind
	conn *loopConn
}

type noteKind uint8

const (
	noteAdopt   noteKind = iota // take over a new connection
	noteMail                    // a connection has mail
	noteReturn                  // a parked connection comes back
	noteTick                    // tickEvery has passed
	noteDrain                   // stop when idle
	noteCut                     // stop at once
	noteReplies                 // replies of other nodes have arrived
	noteAcks                    // copies have acknowledged something
)

// Bounds of the turns of a loop, beside those that all connections have.
const (
	// turnLarge is the most that one turn reads of a large argument.
	turnLarge = 512 << 10
	// headBytes is what is read into the loop's buffer where a large argument may
	// follow: the request up to it, and little that has to be copied from there.
	headBytes = 4 << 10
	// turnOutput is the output after which a turn ends.
	turnOutput = 1 << 20
	// gatheredEvents is after how many events what is for other nodes leaves at the
	// latest: some 200 us of work.
	gatheredEvents = 32
	// polls is how often a loop without events looks again before it sleeps:
	// often the next request is there already, which saves the sleep.
	polls = 2
	// yieldTurns is the number of turns after which a loop that never sleeps lets
	// parked commands run: a millisecond or two, rather than the ten after which
	// the runtime would make it. Not without any: to yield wakes another thread,
	// which at one request per turn costs some 10 % of processor time.
	yieldTurns = 32
	// keptOut is the room for replies, in bytes, that a loop keeps.
	keptOut = 1 << 20
)

func newLoop(srv *Server, all *loops) (*loop, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	l := &loop{srv: srv, all: all, poll: p, in: make([]byte, turnBytes)}
	l.replies.l = l
	l.holds.l = l
	if srv.hold != nil {
		l.holds.stop = srv.hold.WakeOnAcknowledged(&l.holds)
	}
	return l, nil
}

// run is the loop. It returns when it has been drained and has no connection.
func (l *loop) run() {
	for {
		events := l.next()
		l.beginTurn()
		for i, e := range events {
			l.handle(e)
			if i%gatheredEvents == gatheredEvents-1 {
				l.endTurn()
				l.beginTurn()
			}
		}
		l.turns += len(events) + len(l.again)
		if l.post.waiting.Load() {
			l.readPost()
		}
		if len(l.again) > 0 {
			l.serveAgain()
		}
		l.endTurn()
		if l.turns >= yieldTurns && l.srv.parked.Load() > 0 {
			l.turns = 0
			runtime.Gosched()
		}
		if l.drained && l.counts.live.Load() == 0 && l.end() {
			return
		}
	}
}

func (l *loop) beginTurn() {
	if l.srv.hold != nil {
		l.srv.hold.BeginTurn()
	}
}

// endTurn sends what other nodes are to get of what was executed.
func (l *loop) endTurn() {
	if l.srv.hold != nil {
		l.srv.hold.EndTurn()
	}
	l.flushLanes()
}

// flushLanes sends what clients have had queued for other nodes: one write for
// the requests of all that were served since.
func (l *loop) flushLanes() {
	for i, lane := range l.lanes {
		lane.Flush()
		l.lanes[i] = nil
	}
	l.lanes = l.lanes[:0]
}

// next returns the events there are. It waits for some unless there is
// something else to do.
func (l *loop) next() []unix.EpollEvent {
	tries := polls
	if len(l.again) > 0 || l.post.waiting.Load() {
		tries = 1
	}
	for range tries {
		if events := l.poll.collect(); len(events) > 0 {
			return events
		}
	}
	if len(l.again) > 0 {
		return nil
	}
	l.poll.sleeping.Store(true)
	var events []unix.EpollEvent
	if !l.post.waiting.Load() {
		events = l.poll.wait()
		l.turns = 0
		l.counts.wakeups.Add(1)
	}
	l.poll.sleeping.Store(false)
	return events
}

// end closes the loop unless a note has come; false then.
func (l *loop) end() bool {
	l.post.Lock()
	defer l.post.Unlock()
	if len(l.post.notes) > 0 || !l.replies.close() || !l.holds.close() {
		return false
	}
	l.poll.close()
	return true
}

func (l *loop) handle(e unix.EpollEvent) {
	slot := e.Fd
	if slot < 0 {
		if slot <= slotListen {
			l.listen[slotListen-slot].ready()
		}
		return
	}
	c := l.conns[slot]
	if c == nil || l.gens[slot] != e.Pad {
		return
	}
	const gone = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	if e.Events&gone != 0 {
		c.hungUp = true
	}
	writable := e.Events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 && c.full.Swap(false)
	if c.away {
		if c.hungUp {
			l.leftWhileAway(c, e.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0)
		}
		return
	}
	if writable {
		c.disarm()
		c.wrote = 0
		l.settle(c)
	}
	if e.Events&^unix.EPOLLOUT != 0 && !c.closed && !c.away {
		l.serve(c)
	}
}

// later has a connection served in the next pass.
func (l *loop) later(c *loopConn) {
	if !c.queued {
		c.queued = true
		l.again = append(l.again, c)
	}
}

func (l *loop) serveAgain() {
	turn := l.again
	l.again, l.spare = l.spare[:0], nil
	for i, c := range turn {
		turn[i] = nil
		c.queued = false
		if !c.closed && !c.away {
			l.serve(c) // one that is away is served when it comes back
		}
	}
	l.spare = turn[:0]
}

// send leaves a note for the loop. Called from any goroutine.
func (l *loop) send(n note) {
	l.post.Lock()
	l.post.notes = append(l.post.notes, n)
	l.post.waiting.Store(true)
	l.post.Unlock()
	l.poll.wake()
}

func (l *loop) readPost() {
	l.post.Lock()
	l.post.waiting.Store(false)
	notes := l.post.notes
	l.post.notes, l.post.spare = l.post.spare[:0], nil
	l.post.Unlock()
	for i, n := range notes {
		notes[i] = note{}
		l.read(n)
	}
	l.post.Lock()
	l.post.spare = notes[:0]
	l.post.Unlock()
}

func (l *loop) read(n note) {
	c := n.conn
	switch n.kind {
	case noteAdopt:
		l.adopt(c)
	case noteMail:
		c.noted.Store(false)
		switch {
		case c.closed || c.slot < 0:
		case c.away:
			c.letGoIfKilled()
		default:
			c.attend()
			l.settle(c)
		}
	case noteReturn:
		l.takeBack(c)
	case noteTick:
		l.tick()
	case noteDrain:
		l.drain()
	case noteCut:
		l.cut()
	case noteReplies:
		l.takeReplies()
	case noteAcks:
		l.takeAcks()
	}
}

// adopt makes a new connection one of the loop's.
func (l *loop) adopt(c *loopConn) {
	if n := len(l.free); n > 0 {
		c.slot, l.free = l.free[n-1], l.free[:n-1]
	} else {
		c.slot = int32(len(l.conns))
		l.conns, l.gens = append(l.conns, nil), append(l.gens, 0)
	}
	l.conns[c.slot], c.gen, c.active = c, l.gens[c.slot], l.ticks
	if err := l.poll.add(c.sock, connEvents, c.slot, c.gen); err != nil {
		l.srv.log.Warn("client closed: can not be watched", "error", err)
		c.cut(ClosedByError)
		l.finish(c)
		return
	}
	if l.srv.away != nil {
		c.session.AnswerTo(&l.replies, replyTag(c.slot, c.gen), l.lane)
	}
	if l.srv.hold != nil {
		c.session.HoldReplies()
	}
	c.attend()
	l.settle(c)
}

// serve gives a connection its turn: one read, the requests that have arrived,
// one write.
func (l *loop) serve(c *loopConn) {
	c.wrote = 0
	waiting := c.ready
	if c.end != open || waiting && !c.mayGoOn() {
		l.settle(c)
		return
	}
	c.active = l.ticks
	buf, length := l.input(c)
	if !waiting {
		var ok bool
		if length, ok = l.fill(c, buf, length); !ok {
			l.settle(c)
			return
		}
	}
	l.lendOutput(c)
	used, why := c.execute(buf[:length], turnRequests)
	c.keep(buf[used:length], why)
	if why == parks {
		l.park(c)
		return
	}
	if waiting || why == spent {
		l.later(c) // the socket may have more, and will not say so again
	}
	l.settle(c)
}

// input returns where to read to and how much input is at its start already.
func (l *loop) input(c *loopConn) (buf []byte, have int) {
	if len(c.in) <= keptInput {
		return l.in, copy(l.in, c.in)
	}
	if cap(c.in)-len(c.in) < keptInput {
		c.in = append(make([]byte, 0, 2*cap(c.in)), c.in...)
	}
	return c.in[:cap(c.in)], len(c.in)
}

// fill reads once. It returns the bytes in buf and whether a request may have
// become complete. At the end of the stream the connection is to be closed.
func (l *loop) fill(c *loopConn, buf []byte, have int) (length int, ok bool) {
	room := buf[have:]
	if most := c.mostInput(); len(room) > most {
		room = room[:most]
	}
	var direct []byte
	if c.intake.active() {
		if direct = c.intake.target(&l.srv.pool); len(direct) > turnLarge {
			direct, room = direct[:turnLarge], nil
		} else if c.intake.got+len(direct) < c.intake.want {
			room = nil
		}
	}
	n, errno := c.read(direct, room)
	if errno != 0 || n == 0 {
		c.readFailed(errno)
		return have, false
	}
	l.counts.bytesIn.Add(uint64(n))
	if n == len(direct)+len(room) || c.hungUp {
		l.later(c)
	}
	if !c.intake.active() {
		return have + n, true
	}
	arrived := min(n, len(direct))
	c.intake.got += arrived
	length, ok = c.finish(buf, have, n-arrived)
	if !ok {
		c.measureInput()
	}
	return length, ok
}

// mostInput returns how much to read at once of what is not known to be a large
// argument. Who has sent one is likely to send the next, of which as little as
// possible is to arrive in the wrong place; once, since that costs another read.
func (c *loopConn) mostInput() int {
	if !c.large {
		return turnLarge
	}
	c.large = c.intake.active()
	return headBytes
}

// lendOutput gives a connection the loop's buffer for its replies.
func (l *loop) lendOutput(c *loopConn) {
	if c.session.Out.Buf != nil {
		return
	}
	if l.out == nil {
		l.out = make([]byte, 0, turnBytes)
	}
	c.session.Out.Buf, l.out = l.out, nil
}

// settle ends a turn: output is sent, buffers are taken back, limits judged,
// and the connection is closed when its time has come.
func (l *loop) settle(c *loopConn) {
	out := &c.session.Out
	if c.session.Held() {
		l.hold(c)
	}
	if !c.drop && out.Ready() {
		c.flush()
		c.active = l.ticks // to be told something counts as activity, as in Redis
	}
	c.judgeOutput()
	if c.drop || c.end != open && out.Size() == 0 && c.session.InFlight() == 0 {
		l.finish(c)
		return
	}
	if out.Size() == 0 {
		if out.Buf != nil {
			l.reclaim(out.Compact(nil))
		}
	} else {
		l.keepOutput(c)
	}
	if c.ready && c.mayGoOn() || out.Ready() && c.tired() {
		l.later(c)
	}
	if l.drained && !c.queued && c.idle() {
		c.close(ClosedShutdown)
		l.finish(c)
	}
}

// keepOutput stores output that the socket did not take in memory of the
// connection's own, of fitting size.
func (l *loop) keepOutput(c *loopConn) {
	out := &c.session.Out
	rest := len(out.Buf) - out.Gone()
	if rest < cap(out.Buf)/4 {
		l.reclaim(out.Compact(l.outputRoom(rest)))
	} else if out.Gone() > rest {
		out.Compact(out.Buf[:0])
	}
	if !c.slow {
		c.slow = true
		l.slow = append(l.slow, c)
	}
}

// finish closes a connection.
func (l *loop) finish(c *loopConn) {
	if c.closed {
		return
	}
	c.closed = true
	l.reclaim(c.session.Out.Buf)
	l.conns[c.slot] = nil
	l.gens[c.slot]++
	l.free = append(l.free, c.slot)
	c.release()
	c.session.Out.Buf = nil
	syscall.Close(c.sock)
}
