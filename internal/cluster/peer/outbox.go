package peer

import (
	"net"
	"runtime"
	"sync"
)

const (
	// inlineBytes is the most that is sent by whoever asks for it; larger writes
	// are left to the outbox's own goroutine.
	inlineBytes = 64 << 10
	// inlineRounds is how often one caller sends what others have added meanwhile.
	inlineRounds = 2
	// keepBytes is the largest buffer that is kept for the next batch.
	keepBytes = 128 << 10
	// restBytes is the largest that a connection at rest keeps.
	restBytes = 4 << 10
)

// batch is frames that leave together: bytes, and attachments between them.
type batch struct {
	buf      []byte
	attached []attached
	size     int // of all frames, with what is attached
	frames   int
}

// attached is an attachment that goes before the byte at of the buffer.
type attached struct {
	at int
	Attachment
}

// add appends a frame. h.length is computed.
func (b *batch) add(h header, p *Payload) {
	n := p.size()
	h.length = uint32(n)
	b.buf = h.append(b.buf)
	b.buf = append(b.buf, p.Head...)
	b.buf = append(b.buf, p.Body...)
	b.attach(p.Attach)
	b.size += headerSize + n
	b.frames++
}

func (b *batch) attach(a Attachment) {
	if len(a.Parts) > 0 || a.Owner != nil {
		b.attached = append(b.attached, attached{len(b.buf), a})
	}
}

// merge moves the frames of other behind those of b.
func (b *batch) merge(other *batch) {
	if b.frames == 0 {
		*b, *other = *other, *b
		return
	}
	for _, a := range other.attached {
		a.at += len(b.buf)
		b.attached = append(b.attached, a)
	}
	b.buf = append(b.buf, other.buf...)
	b.size += other.size
	b.frames += other.frames
	other.reset()
}

// reset forgets the frames, without releasing what is attached.
func (b *batch) reset() {
	clear(b.attached)
	if cap(b.buf) > keepBytes {
		b.buf = nil
	}
	*b = batch{buf: b.buf[:0], attached: b.attached[:0]}
}

// release gives the attachments back and forgets the frames.
func (b *batch) release() {
	for _, a := range b.attached {
		if a.Owner != nil {
			a.Owner.Release()
		}
	}
	b.reset()
}

// parts returns all bytes in their order.
func (b *batch) parts() net.Buffers {
	parts := make(net.Buffers, 0, 1+2*len(b.attached))
	from := 0
	for _, a := range b.attached {
		if a.at > from {
			parts = append(parts, b.buf[from:a.at])
			from = a.at
		}
		for _, p := range a.Parts {
			if len(p) > 0 {
				parts = append(parts, p)
			}
		}
	}
	if from < len(b.buf) {
		parts = append(parts, b.buf[from:])
	}
	return parts
}

// outbox gathers the frames of one connection and sends all that has gathered
// with one write.
//
// Who may write is decided by a token. Invariant: while sending is true exactly
// one holds it: a goroutine inside send, the channel wake, or run. Whoever has
// it looks for more before giving it up, so nothing is left lying.
type outbox struct {
	sock *socket
	wake chan struct{} // gives the token to run; capacity 1, so it never blocks
	done chan struct{} // closed by close
	gone sync.WaitGroup

	mu        sync.Mutex
	room      sync.Cond // bytes were sent, or the outbox was closed
	gathering batch
	spare     batch
	sending   bool
	closed    bool
	queued    int    // bytes gathered or being written
	number    uint64 // of the batch that is gathering; those below it were taken
	appended  uint64 // bytes gathered since the start
	completed uint64 // bytes written since the start
}

// open makes the outbox ready and starts its goroutine.
func (o *outbox) open(s *socket) {
	o.sock = s
	o.wake = make(chan struct{}, 1)
	o.done = make(chan struct{})
	o.room.L = &o.mu
	o.gone.Add(1)
	go o.run()
}

// addLocked gathers a frame.
//
// REQUIRES: o.mu held, o.closed false.
func (o *outbox) addLocked(h header, p *Payload) {
	before := o.gathering.size
	o.gathering.add(h, p)
	o.grownLocked(o.gathering.size - before)
}

func (o *outbox) grownLocked(n int) {
	o.queued += n
	o.appended += uint64(n)
}

// hand gathers the frames of b, or releases them when the outbox is closed, and
// sends.
func (o *outbox) hand(b *batch) {
	if b.frames == 0 {
		return
	}
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		b.release()
		return
	}
	n := b.size
	o.gathering.merge(b)
	o.grownLocked(n)
	o.sendUnlock()
}

// sendUnlock sends what has gathered, in this goroutine and without waiting, if
// nobody does already; what cannot be sent at once is left to run. It unlocks mu.
//
// REQUIRES: o.mu held.
func (o *outbox) sendUnlock() {
	if o.sending || o.closed || o.gathering.frames == 0 {
		o.mu.Unlock()
		return
	}
	o.sending = true
	for range inlineRounds {
		if len(o.gathering.attached) > 0 || o.gathering.size > inlineBytes {
			break
		}
		b := o.takeLocked()
		o.mu.Unlock()
		done, err := o.sock.tryWrite(b.buf)
		if err != nil {
			o.sock.Close() // the reading goroutine notices; run comes to the same end
		}
		o.mu.Lock()
		o.returnLocked(b)
		if !done {
			break
		}
		if o.gathering.frames == 0 {
			o.sending = false
			o.mu.Unlock()
			return
		}
	}
	o.mu.Unlock()
	o.wake <- struct{}{}
}

// wakeUnlock has run send what has gathered, if nobody sends already. It unlocks mu.
//
// REQUIRES: o.mu held.
func (o *outbox) wakeUnlock() {
	wake := !o.sending && !o.closed
	o.sending = o.sending || wake
	o.mu.Unlock()
	if wake {
		o.wake <- struct{}{}
	}
}

// takeLocked takes what has gathered.
//
// REQUIRES: o.mu held, the token.
func (o *outbox) takeLocked() batch {
	b := o.gathering
	o.gathering, o.spare = o.spare, batch{}
	o.number++
	o.sock.traffic.framesOut.Add(uint64(b.frames))
	return b
}

// returnLocked is told that the bytes of a batch were written, or will be by the
// socket's next flush.
//
// REQUIRES: o.mu held, the token; attachments released.
func (o *outbox) returnLocked(b batch) {
	o.queued -= b.size
	o.completed += uint64(b.size)
	b.reset()
	o.spare = b
	o.room.Broadcast()
}

// restLocked gives up large buffers of a connection that is at rest: there may be
// thousands.
//
// REQUIRES: o.mu held.
func (o *outbox) restLocked() {
	if o.sending || o.gathering.frames > 0 {
		return
	}
	for _, b := range []*batch{&o.gathering, &o.spare} {
		if cap(b.buf) > restBytes {
			b.buf = nil
		}
	}
}

// run sends when sending means waiting, until close.
func (o *outbox) run() {
	defer o.gone.Done()
	for {
		select {
		case <-o.wake:
		case <-o.done:
			return
		}
		// Let those who are about to add something do so: one write for all.
		runtime.Gosched()
		if err := o.drain(); err != nil {
			o.sock.Close()
			o.mu.Lock()
			o.closed = true
			o.room.Broadcast()
			o.mu.Unlock()
			return // with the token: nobody else will write
		}
	}
}

// drain writes until nothing is left, and gives up the token.
func (o *outbox) drain() error {
	for {
		if err := o.sock.flush(); err != nil {
			return err
		}
		o.mu.Lock()
		if o.gathering.frames == 0 {
			o.sending = false
			o.mu.Unlock()
			return nil
		}
		b := o.takeLocked()
		o.mu.Unlock()
		err := o.write(&b)
		size := b.size
		b.release()
		b.size = size
		o.mu.Lock()
		o.returnLocked(b)
		o.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

func (o *outbox) write(b *batch) error {
	if len(b.attached) > 0 || len(b.buf) > inlineBytes {
		return o.sock.write(b.parts())
	}
	_, err := o.sock.tryWrite(b.buf) // the rest: flush, which drain calls
	return err
}

// close ends the outbox after the socket was closed, waits for run, and releases
// what was not sent. Later frames are refused by closed. It may be called once.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	unsent := o.gathering
	o.gathering = batch{}
	o.room.Broadcast()
	o.mu.Unlock()
	close(o.done)
	o.gone.Wait()
	unsent.release()
}

// waitBelow waits until fewer than limit bytes are queued, and returns true, or
// until the outbox is closed. Somebody must be sending.
func (o *outbox) waitBelow(limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.queued >= limit && !o.closed {
		o.room.Wait()
	}
	return !o.closed
}
