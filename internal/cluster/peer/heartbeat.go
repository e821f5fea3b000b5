package peer

import (
	"time"

	"github.com/larder-cache/larder/internal/ticks"
)

// beatsAt is how many moments a heartbeat has at which connections are looked at.
const beatsAt = 2

// pulse is the heartbeat of one link: when a sign of life was asked for, and
// whether the question has left.
type pulse struct {
	asked    int64  // elapsed time of the unanswered ping, 0: none
	position uint64 // bytes that had to be written for the ping to have left
	sent     uint64 // bytes the kernel had taken when looked at last
}

// verdict is what to do about a link.
type verdict uint8

const (
	alive verdict = iota
	ask           // send a ping
	dead
)

// vitals is what a link shows of itself.
type vitals struct {
	heard     int64  // elapsed time of the last byte that arrived
	sent      uint64 // bytes the kernel has taken
	completed uint64 // bytes written, in the count of position
}

// look decides, every being the silence after which to ask, patience the time for
// an answer, and late how much later than planned this look is: a process that stood still itself must not
// take the answers that wait in its sockets for silence.
//
// A ping behind bytes that still flow is not unanswered, it has not left: time
// counts from the last progress.
func (p *pulse) look(now, late, every, patience int64, v vitals) verdict {
	if p.asked != 0 && v.heard >= p.asked {
		p.asked = 0
	}
	if p.asked == 0 {
		if now-v.heard >= every {
			return ask
		}
		return alive
	}
	if v.completed < p.position && v.sent != p.sent {
		p.asked = now
	}
	p.sent = v.sent
	p.asked += late
	if now-p.asked >= patience {
		return dead
	}
	return alive
}

// beat looks after one connection and returns in how many nanoseconds it wants
// to be looked at again. heard tells when anything was last heard of each node.
//
// A link that is only watched is not asked as long as the node says something
// elsewhere: two nodes that watch each other ask in turn.
func (c *outbound) beat(now, late int64, heard map[string]int64) int64 {
	cfg := &c.link.net.cfg
	every := int64(cfg.IdleHeartbeat)
	o := &c.out
	o.mu.Lock()
	v := vitals{heard: c.sock.heard.Load(), sent: c.sock.sent.Load(), completed: o.completed}
	if now-v.heard >= int64(cfg.Heartbeat) {
		o.restLocked()
	}
	switch {
	case c.pending.n > 0:
		every = int64(cfg.Heartbeat)
	case c.link.watched.Load() && now-v.heard < every:
		every = int64(cfg.Heartbeat)
		v.heard = max(v.heard, heard[c.link.node])
	}
	soon := int64(cfg.Heartbeat) / (2 * beatsAt) // half of the way to the next look
	what := c.watch.look(now, late, every-soon, max(2*every, int64(cfg.DeadAfter)-every), v)
	if what == ask && !o.closed {
		c.watch.asked = now
		o.addLocked(header{typ: framePing}, &Payload{})
		c.watch.position, c.watch.sent = o.appended, v.sent
		o.sendUnlock()
	} else {
		o.mu.Unlock()
	}
	switch {
	case what == dead:
		c.end(errSilent)
	case what == alive && c.watch.asked == 0:
		return v.heard + every - now
	}
	return every
}

// pong takes the time of a heartbeat's answer. Called by the reading goroutine.
func (c *outbound) pong() {
	c.out.mu.Lock()
	asked := c.watch.asked
	c.out.mu.Unlock()
	if asked != 0 {
		c.link.roundTrip.add(c.link.net.elapsed() - asked)
	}
}

// beat looks after all connections from one goroutine with one timer, until the
// network is closed. It does so when other things of the process are due, too, so
// that a processor at rest is woken once for all of them.
func (n *Network) beat() {
	defer n.gone.Done()
	step := n.cfg.Heartbeat / beatsAt
	planned := n.elapsed()
	for {
		now := n.elapsed()
		wait := n.beatOnce(now, max(0, now-planned)) - step/2
		wait += ticks.Until(n.cfg.Clock.Now().Add(wait), step) // the nearest
		planned = now + int64(wait)
		select {
		case <-n.cfg.Clock.After(wait):
		case <-n.ctx.Done():
			return
		}
	}
}

// beatOnce looks after all connections, late by so many nanoseconds, and returns
// how long to wait. A wait is never longer than a heartbeat, since a request can
// make an idle link an urgent one at any time.
func (n *Network) beatOnce(now, late int64) time.Duration {
	longest := int64(n.cfg.Heartbeat)
	if late < longest {
		late = 0 // the usual delay of timers
	}
	inbounds, links := n.inbounds(), n.links()
	heard := map[string]int64{} // by node
	for _, c := range inbounds {
		c.beat(now, late)
		heard[c.info.Node] = max(heard[c.info.Node], c.sock.heard.Load())
	}
	for _, l := range links {
		heard[l.node] = max(heard[l.node], l.heardAt())
	}
	wait := longest
	for _, l := range links {
		if c := l.conn.Load(); c != nil {
			wait = min(wait, c.beat(now, late, heard))
		}
	}
	return time.Duration(max(wait, longest/beatsAt))
}
