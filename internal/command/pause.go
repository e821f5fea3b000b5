package command

import (
	"sync"
	"time"
)

// pause holds requests back (CLIENT PAUSE). It is safe for concurrent use.
type pause struct {
	mu    sync.Mutex
	all   bool          // GUARDED_BY(mu): reads too
	until time.Time     // GUARDED_BY(mu)
	ended chan struct{} // GUARDED_BY(mu): closed when the pause is over; nil when there is none
	timer *time.Timer   // GUARDED_BY(mu)
}

// begin starts a pause, or makes the one in force longer or wider.
func (p *pause) begin(x *Executor, d time.Duration, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := time.Now().Add(d)
	if p.ended == nil {
		p.ended = make(chan struct{})
		p.all = all
	}
	p.all = p.all || all
	if until.After(p.until) {
		p.until = until
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	ended := p.ended
	p.timer = time.AfterFunc(time.Until(p.until), func() { p.end(x, ended) })
	x.gate(gatePause, true)
}

// end ends the pause that the channel belongs to, or any for nil.
func (p *pause) end(x *Executor, which chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil || which != nil && (p.ended != which || time.Now().Before(p.until)) {
		return
	}
	close(p.ended)
	p.ended, p.until, p.all = nil, time.Time{}, false
	p.timer.Stop()
	x.gate(gatePause, false)
}

// holds reports whether a command has to wait.
func (p *pause) holds(cmd *Command) bool { return p.holding(cmd) != nil }

// holding returns the channel that ends the pause which holds a command back,
// nil when none does.
func (p *pause) holding(cmd *Command) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil || !p.all && !cmd.pausedAsWrite() {
		return nil
	}
	return p.ended
}

// pausedAsWrite reports whether CLIENT PAUSE ... WRITE holds the command back:
// those that write, and those whose effect replicas would see.
func (c *Command) pausedAsWrite() bool {
	return c.Flags&Write != 0 || c.full == "publish" || c.full == "spublish"
}

// wait returns when nothing holds the command back any more; false when the
// client is gone.
//
// REQUIRES: s.MayBlock.
func (p *pause) wait(x *Executor, s *Session, cmd *Command) bool {
	for {
		ended := p.holding(cmd)
		if ended == nil {
			return true
		}
		if s.waitFor(x, ended, 0, false) == waitGone {
			return false
		}
	}
}

// state tells INFO which requests are held back, and for how much longer.
func (p *pause) state() (reason string, actions string, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended == nil:
		return "none", "none", 0
	case p.all:
		actions = "all"
	default:
		actions = "write"
	}
	return "client_pause", actions, max(0, time.Until(p.until))
}
