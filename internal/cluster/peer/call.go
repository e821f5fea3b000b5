package peer

import (
	"context"
	"sync"
	"sync/atomic"
)

// call is the sink of one synchronous request.
type call struct {
	state atomic.Uint32
	done  chan struct{} // capacity 1
	reply Reply
	err   error
}

// States of a call. Whoever comes second, the outcome or the caller who no longer
// waits, finds that the other was there.
const (
	callWaiting uint32 = iota
	callComplete
	callAbandoned // its caller no longer waits: the outcome frees it
)

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

// Complete takes the outcome; see [Sink].
func (c *call) Complete(_ uint64, r Reply, err error) {
	c.reply, c.err = r, err
	if c.state.CompareAndSwap(callWaiting, callComplete) {
		c.done <- struct{}{}
		return
	}
	r.Release()
	c.free()
}

// Flush does nothing: the caller was woken.
func (c *call) Flush() {}

func (c *call) free() {
	c.reply, c.err = Reply{}, nil
	c.state.Store(callWaiting)
	calls.Put(c)
}

// Call sends a request and waits for its reply, which the caller releases. When
// ctx ends first its error is returned, and the request may have been executed.
// Other errors are those of [Link.Submit] and [Sink].
func (l *Link) Call(ctx context.Context, kind uint8, p Payload) (Reply, error) {
	c := calls.Get().(*call)
	if err := l.Submit(kind, p, c, 0); err != nil {
		c.free()
		return Reply{}, err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if c.state.CompareAndSwap(callWaiting, callAbandoned) {
			return Reply{}, context.Cause(ctx)
		}
		<-c.done
	}
	r, err := c.reply, c.err
	c.free()
	return r, err
}
