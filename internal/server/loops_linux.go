package server

import (
	"fmt"
	"net"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// haveLoops tells whether the system has what event loops need.
const haveLoops = true

// loops is the backend of mode loops.
type loops struct {
	srv     *Server
	list    []*loop
	running sync.WaitGroup // loops
	parked  sync.WaitGroup // goroutines of parked connections
	reserve reserve
}

func newLoops(srv *Server) (backend, error) {
	n := srv.cfg.Loops
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	b := &loops{srv: srv}
	b.reserve.take()
	for range n {
		l, err := newLoop(srv, b)
		if err != nil {
			b.close()
			return nil, err
		}
		l.lane = len(b.list)
		b.list = append(b.list, l)
	}
	return b, nil
}

func (b *loops) close() {
	for _, l := range b.list {
		l.stopListening()
		l.holds.close()
		l.poll.close()
	}
	b.reserve.free()
}

func (b *loops) serve(listeners []net.Listener) error {
	first := b.list[0]
	for i, ln := range listeners {
		a, err := newAcceptor(first, ln, int32(slotListen-i))
		if err != nil {
			b.close()
			return fmt.Errorf("listen on %s: %w", ln.Addr(), err)
		}
		first.listen = append(first.listen, a)
	}
	for _, ln := range listeners {
		if u, ok := ln.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // the acceptor removes it
		}
		ln.Close() // the acceptor has a descriptor of its own
	}
	for _, l := range b.list {
		b.running.Go(l.run)
	}
	return nil
}

// deal gives a new connection to the loop that has the fewest.
func (b *loops) deal() *loop {
	best := b.list[0]
	for _, l := range b.list[1:] {
		if l.counts.live.Load() < best.counts.live.Load() {
			best = l
		}
	}
	return best
}

// tick leaves loops asleep that nothing depends on time in.
func (b *loops) tick() {
	for _, l := range b.list {
		if l.counts.live.Load() > 0 || l.paused.Load() {
			l.send(note{kind: noteTick})
		}
	}
}

func (b *loops) cut() { b.tell(noteCut) }

// drain tells the first loop, which tells the others once it has stopped to
// accept: what it has dealt reaches them before.
func (b *loops) drain() { b.list[0].send(note{kind: noteDrain}) }

func (b *loops) tell(k noteKind) {
	for _, l := range b.list {
		l.send(note{kind: k})
	}
}

func (b *loops) wait() {
	b.running.Wait()
	b.parked.Wait()
	b.reserve.free()
}

func (b *loops) stats() []LoopStats {
	all := make([]LoopStats, len(b.list))
	for i, l := range b.list {
		all[i] = l.counts.snapshot()
	}
	return all
}

// reserve is a descriptor kept for the day when there are no more: it is given
// up to accept a client, tell it so, and close it, instead of leaving it in the
// queue, which would be reported again and again. Used by one goroutine.
type reserve struct{ fd int }

func (r *reserve) take() {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		fd = -1
	}
	r.fd = fd
}

func (r *reserve) free() {
	if r.fd >= 0 {
		unix.Close(r.fd)
		r.fd = -1
	}
}
