package command

import (
	"sync"
	"sync/atomic"

	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/replication"
)

// heldFrames are replies to another node that copies have to acknowledge first.
// They leave as soon as they may, each by itself: it is the other node that puts
// them into order. It is a [replication.Waker], and safe for concurrent use but
// for what belongs to the reading goroutine.
//
// What is lost is told to the other node, which asks again or tells its client.
type heldFrames struct {
	x   *Executor
	out *peer.Responder

	batch []*heldFrame // the reading goroutine's: of the batch at work
	any   atomic.Bool  // there are some in list

	mu     sync.Mutex
	list   []*heldFrame // GUARDED_BY(mu), as the next: by age
	spare  []*heldFrame
	closed bool
}

// heldFrame is one reply.
type heldFrame struct {
	id   uint32
	data []byte // the reply, in memory of its own
	rest peer.Attachment
	need replication.Need
}

const (
	// keptHeld is how many frames that are not in use are kept.
	keptHeld = 1024
	// keptHeldBytes is the room for a reply that is kept with them.
	keptHeldBytes = 4 << 10
)

// keep keeps the reply to a request back, with what its session needs, until the
// batch ends.
func (h *heldFrames) keep(s *Session, id uint32, reply []byte, rest peer.Attachment) {
	f := h.take()
	f.id, f.rest = id, rest
	f.data = append(f.data[:0], reply...)
	f.need, s.holds.need = s.holds.need, f.need
	h.batch = append(h.batch, f)
}

func (h *heldFrames) take() *heldFrame {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.spare)
	if n == 0 {
		return &heldFrame{}
	}
	f := h.spare[n-1]
	h.spare = h.spare[:n-1]
	return f
}

// endBatch has what was kept leave as soon as it may.
func (h *heldFrames) endBatch() {
	if len(h.batch) == 0 {
		return
	}
	h.mu.Lock()
	h.list = append(h.list, h.batch...)
	h.any.Store(true)
	h.mu.Unlock()
	clear(h.batch)
	h.batch = h.batch[:0]
	h.letGo() // what was acknowledged in between has been told to nobody
}

// Acknowledged implements [replication.Waker].
func (h *heldFrames) Acknowledged() {
	if h.any.Load() {
		h.letGo()
	}
}

// letGo sends what may leave.
func (h *heldFrames) letGo() {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := h.list[:0]
	sent := false
	for _, f := range h.list {
		state := f.need.State()
		if state == replication.Open {
			kept = append(kept, f)
			continue
		}
		sent = true
		if state == replication.Met {
			f.reply(h.out)
		} else {
			h.x.tellLost()
			release(f.rest)
			_ = h.out.Queue(f.id, statusLost, peer.Payload{}) // fails when nobody waits any more
		}
		h.giveBackLocked(f)
	}
	clear(h.list[len(kept):])
	h.list = kept
	h.any.Store(len(kept) > 0)
	if sent && !h.closed {
		h.out.Flush()
	}
}

// reply queues the reply.
func (f *heldFrame) reply(out *peer.Responder) {
	err := out.Queue(f.id, statusDone, peer.Payload{Body: f.data, Attach: f.rest})
	if err == nil {
		return
	}
	release(f.rest)
	if err == peer.ErrTooLarge {
		_ = out.Queue(f.id, statusDone, peer.Payload{Head: []byte(replyTooLarge)})
	}
}

func (h *heldFrames) giveBackLocked(f *heldFrame) {
	f.rest = peer.Attachment{}
	f.need.Recycle()
	if len(h.spare) < keptHeld && cap(f.data) <= keptHeldBytes {
		h.spare = append(h.spare, f)
	}
}

// close drops what is left: the connection is over.
func (h *heldFrames) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range append(h.list, h.batch...) {
		release(f.rest)
	}
	h.list, h.batch, h.spare, h.closed = nil, nil, nil, true
	h.any.Store(false)
}
