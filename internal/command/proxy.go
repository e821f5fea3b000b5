package command

import (
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/resp"
)

// proxies are the internal sessions that execute requests which wait: for
// clients of other nodes, and for our own whose forwarded requests failed. Safe
// for concurrent use.
//
// An internal session is no client: it is in no list, counts towards no limit,
// and nobody can kill it. What it executes counts as any other request.
type proxies struct {
	mu   sync.Mutex
	idle []*Session // GUARDED_BY(mu)
}

// keptProxies is how many idle proxies are kept.
const keptProxies = 64

// take returns a session that may block.
func (l *proxies) take(x *Executor) *Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.idle); n > 0 {
		p := l.idle[n-1]
		l.idle = l.idle[:n-1]
		return p
	}
	p := x.newInternal("proxy")
	p.MayBlock, p.holds.waits = true, true
	return p
}

// giveBack takes a session back, with what it has answered.
func (l *proxies) giveBack(x *Executor, p *Session) {
	p.Out.Reset()
	p.origin, p.holds.lost, p.holds.written = origin{}, false, nil
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) >= keptProxies || cap(p.Out.Buf) > keptFrame {
		x.endInternal(p)
		return
	}
	p.wait = waitState{}
	p.wait.init()
	l.idle = append(l.idle, p)
}

// newInternal returns a session without a client.
func (x *Executor) newInternal(name string) *Session {
	s := &Session{Link: noLink{name}, Created: time.Now(), User: defaultUser, Authenticated: true, user: defaultUser, internal: true}
	s.wait.init()
	s.Out.Version = resp.RESP2
	s.ctx = Context{Session: s, Exec: x, Cache: x.cache}
	s.local.init()
	x.sessions.addInternal(s)
	return s
}

func (x *Executor) endInternal(s *Session) {
	x.flush(s)
	x.sessions.removeInternal(s)
	x.discard(s)
	s.Out.Reset()
}

// noLink is the connection of an internal session.
type noLink struct{ name string }

func (noLink) Push([]byte)              {}
func (noLink) Kill(bool)                {}
func (l noLink) RemoteAddr() string     { return l.name }
func (l noLink) LocalAddr() string      { return l.name }
func (noLink) Buffers() (int, int, int) { return 0, 0, 0 }
func (noLink) FD() int                  { return -1 }

// serveAs makes an internal session one of the client of a request.
func (s *Session) serveAs(r *remoteRequest, o origin) {
	s.DB = r.db
	s.Out.Version = resp.RESP2
	if r.resp3 {
		s.Out.Version = resp.RESP3
	}
	s.gate(gateNoTouch, r.noTouch)
	s.origin = o
}

// perform executes what a frame asks for, however long that takes, and leaves
// the reply in the session's output. It does not return Park.
//
// REQUIRES: p is internal and may block; outside of Begin and End.
func (x *Executor) perform(p *Session, kind uint8, frame []byte, o origin) Outcome {
	r := &p.incoming
	if err := r.parse(kind, frame); err != nil || r.db >= x.store.Databases() {
		p.Out.Error("ERR " + errFrame.Error())
		return Continue
	}
	p.serveAs(r, o)
	x.Begin(p)
	defer x.End(p)
	x.awaitView(p, r.view)
	return x.executeFrame(p, kind, r)
}

// executeFrame executes a request of another node inside a batch.
func (x *Executor) executeFrame(s *Session, kind uint8, r *remoteRequest) Outcome {
	if s.routes == nil {
		s.Out.Error(errClusterDown)
		return Continue
	}
	switch kind {
	case KindRequest:
		return x.Execute(s, r.words)
	case KindTransaction:
		return x.executeTransaction(s, r)
	case KindNear:
		return x.executeNear(s, r)
	}
	return x.executeWatch(s, r)
}

// viewWait is for how long a request waits until this node has the view that
// its sender goes by.
const viewWait = time.Second

// isEarly reports whether a request is of a view that this node does not have
// yet, and goes to a partition that it does not have either.
func (s *Session) isEarly(x *Executor, kind uint8, r *remoteRequest) bool {
	if s.routes == nil || r.view <= s.routes.Version() {
		return s.routes == nil
	}
	slot := noSlot
	switch kind {
	case KindTransaction:
		for _, words := range r.queue {
			if cmd, refusal := resolve(x.table.Find(words[0]), words); refusal == "" {
				slot = joinSlots(slot, cmd.slotOf(words))
			}
		}
	default:
		if cmd, refusal := resolve(x.table.Find(r.words[0]), r.words); refusal == "" {
			return s.way(cmd, r.words).kind != wayHere
		}
	}
	return slot >= 0 && !s.isHere(slot)
}

// awaitView waits until this node has a view at least as new, but not for long.
func (x *Executor) awaitView(s *Session, version uint64) {
	until := x.clock.monotonic() + viewWait
	for s.routes == nil || s.routes.Version() < version {
		left := until - x.clock.monotonic()
		if left <= 0 || s.waitFor(x, x.routes.after(s.routes), left, false) == waitGone {
			return
		}
	}
	s.ctx.Now = x.clock.millis(x.clock.monotonic())
}

// attachment returns the output as a run of bytes at the end of Buf and what is
// to be sent behind it from where it lies, and forgets it.
func attachment(w *resp.Writer) (head []byte, rest peer.Attachment) {
	list := w.Detach()
	if len(list) == 0 {
		return w.Buf, peer.Attachment{}
	}
	first := list[0].At
	text := append([]byte(nil), w.Buf[first:]...)
	owner := make(releases, 0, len(list))
	for i, a := range list {
		end := len(w.Buf)
		if i+1 < len(list) {
			end = list[i+1].At
		}
		rest.Parts = append(rest.Parts, a.Data, text[a.At-first:end-first])
		if a.Release != nil {
			owner = append(owner, a.Release)
		}
	}
	rest.Owner = owner
	return w.Buf[:first], rest
}

// releases calls functions when memory is no longer used.
type releases []func()

// Release implements [peer.Releaser].
func (l releases) Release() {
	for _, f := range l {
		f()
	}
}
