package server

import "github.com/larder-cache/larder/internal/command"

// tick is what a loop does every tickEvery. Its work is bounded: a loop with
// many connections needs several ticks to look at all of them.
func (l *loop) tick() {
	l.ticks++
	if l.paused.Swap(false) {
		for _, a := range l.listen {
			a.resume()
		}
	}
	l.judgeSlow()
	l.judgeHung()
	for range min(len(l.conns), max(64, min(len(l.conns)/20, 1024))) {
		if l.sweep >= len(l.conns) {
			l.sweep = 0
		}
		if c := l.conns[l.sweep]; c != nil && !c.away {
			l.inspect(c)
		}
		l.sweep++
	}
}

// inspect enforces the idle time-out of a connection and frees what an idle one
// does not need.
func (l *loop) inspect(c *loopConn) {
	still := l.ticks - c.active
	if still > 1 && len(c.in) == 0 && c.in != nil {
		c.in = nil
		c.measureInput()
	}
	limit := l.srv.exec.Limits().IdleTimeout
	if limit > 0 && uint32(limit/tickEvery) < still && c.session.InFlight() == 0 && c.session.Class() != command.ClassPubSub {
		c.cut(ClosedIdle)
		l.settle(c)
	}
}

// judgeSlow looks after connections with output pending.
func (l *loop) judgeSlow() {
	kept := l.slow[:0]
	for _, c := range l.slow {
		switch {
		case c.closed:
			continue
		case c.away:
		case c.pending() == 0:
			c.slow = false
			continue
		default:
			if c.judgeOutput(); c.end != open {
				l.settle(c)
			}
		}
		kept = append(kept, c)
	}
	clear(l.slow[len(kept):])
	l.slow = kept
}

// judgeHung interrupts the commands of clients that have been gone for long.
func (l *loop) judgeHung() {
	kept := l.hung[:0]
	for _, c := range l.hung {
		switch {
		case !c.away || c.closed || c.reported:
			c.leftAt = 0
			continue
		case l.ticks-c.leftAt >= uint32(leaveAfter/tickEvery):
			l.interrupt(c)
			continue
		}
		kept = append(kept, c)
	}
	clear(l.hung[len(kept):])
	l.hung = kept
}

// drain stops accepting and closes what is idle, now and from now on.
func (l *loop) drain() {
	l.stopListening()
	l.drained = true
	if l == l.all.list[0] {
		for _, other := range l.all.list[1:] {
			other.send(note{kind: noteDrain})
		}
	}
	for _, c := range l.conns {
		if c != nil && !c.away {
			l.serve(c)
		}
	}
}

// cut closes all connections. Those that are away are told to come back.
func (l *loop) cut() {
	for _, c := range l.conns {
		switch {
		case c == nil:
		case c.away:
			c.mail.close(killNow, ClosedShutdown)
			c.letGoIfKilled()
		default:
			c.cut(ClosedShutdown)
			l.settle(c)
		}
	}
}
