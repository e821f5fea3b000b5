package server

import (
	"io"
	"net"
	"sync"

	"github.com/larder-cache/larder/internal/resp"
)

// errEOF is how a stream ends.
var errEOF = io.EOF

// backlog is output of a goConn that its socket did not take at once. A
// goroutine sends it while there is any.
type backlog struct {
	c *goConn

	mu      sync.Mutex
	changed sync.Cond   // something of the below has, or await is to return
	out     resp.Writer // GUARDED_BY(mu), though the sender reads chunks without it: they do not change until it says they are sent
	sending bool        // GUARDED_BY(mu): the goroutine runs
	stopped bool        // GUARDED_BY(mu): nothing is to be sent any more
	err     error       // GUARDED_BY(mu): of the socket
	signals int         // GUARDED_BY(mu): calls of signal not seen by await
}

func (b *backlog) init(c *goConn) {
	b.c = c
	b.changed.L = &b.mu
}

// add takes over the output of out.
func (b *backlog) add(out *resp.Writer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		out.Reset()
		return
	}
	b.out.Take(out)
	if !b.sending {
		b.sending = true
		go b.send()
	}
}

// send runs until all is sent, or the backlog is stopped.
func (b *backlog) send() {
	var room [writeChunks][]byte
	for b.more() {
		b.mu.Lock()
		chunks := net.Buffers(b.out.Chunks(room[:0], writeChunks))
		b.mu.Unlock()
		b.c.counts.writes.Add(1)
		n, err := chunks.WriteTo(b.c.nc)
		b.c.counts.bytesOut.Add(uint64(n))
		b.mu.Lock()
		if b.err = err; err == nil && !b.stopped {
			b.out.Sent(int(n))
		}
		b.changed.Broadcast()
		b.mu.Unlock()
	}
	b.c.wake() // for the limits: there is no output any more
}

// writeChunks is the most chunks written at once.
const writeChunks = 16

// more tells whether there is something to send; if not the goroutine ends.
func (b *backlog) more() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped || b.err != nil || b.out.Size() == 0 {
		b.sending = false
		b.changed.Broadcast()
		return false
	}
	return true
}

// size returns the bytes not sent.
func (b *backlog) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Size()
}

func (b *backlog) attached() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Attached()
}

// failed tells whether the socket has failed.
func (b *backlog) failed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err != nil
}

// signal makes await return.
func (b *backlog) signal() {
	b.mu.Lock()
	b.signals++
	b.changed.Broadcast()
	b.mu.Unlock()
}

// await waits until something has been sent, or for a signal. It fails the
// connection when the socket has.
func (b *backlog) await() {
	b.mu.Lock()
	if b.signals == 0 && b.sending {
		b.changed.Wait()
	}
	b.signals = 0
	failed := b.err != nil
	b.mu.Unlock()
	if failed {
		b.c.cut(ClosedByError)
	}
}

// stop ends the sending: a blocked write fails.
func (b *backlog) stop() { b.c.nc.SetWriteDeadline(past) }

// close drops what is left and waits for the goroutine.
//
// REQUIRES: the socket is closed.
func (b *backlog) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	for b.sending {
		b.changed.Wait()
	}
	b.out.Reset()
}
