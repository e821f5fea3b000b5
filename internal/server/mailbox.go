package server

import (
	"sync"
	"sync/atomic"
)

// mailbox holds what others want of a connection until its owner attends to
// it. Safe for concurrent use.
type mailbox struct {
	// waiting is set after something has been put in and cleared before it is
	// taken out, so that an owner that reads false has seen all that came before.
	waiting atomic.Bool

	mu     sync.Mutex
	pushed []byte      // GUARDED_BY(mu): messages, RESP already
	spare  []byte      // GUARDED_BY(mu): room for the next messages
	kill   killRequest // GUARDED_BY(mu)
	reason CloseReason // GUARDED_BY(mu): why kill is set
	closed bool        // GUARDED_BY(mu): nobody will look any more
}

type killRequest uint8

const (
	killNot killRequest = iota
	killAfterReply
	killNow
)

// keptMail is the room for messages, in bytes, that an empty mailbox keeps.
const keptMail = 4 << 10

// push adds a message. With hard > 0 and more than that in the mailbox and in
// the output, of which output bytes wait, the connection is to be closed
// instead. It reports whether the owner has to be woken.
func (m *mailbox) push(message []byte, output, hard int) (wake, dropped bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.kill != killNot {
		return false, true
	}
	if hard > 0 && len(m.pushed)+len(message)+output > hard {
		m.pushed = nil
		m.kill, m.reason = killNow, ClosedOutputHard
		return !m.waiting.Swap(true), true
	}
	m.pushed = append(m.pushed, message...)
	return !m.waiting.Swap(true), false
}

// close asks for the end of the connection; the first reason given stays. It
// reports whether the owner has to be woken.
func (m *mailbox) close(kill killRequest, reason CloseReason) (wake bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.kill >= kill {
		return false
	}
	if m.kill == killNot {
		m.reason = reason
	}
	m.kill = kill
	return !m.waiting.Swap(true)
}

// take empties the mailbox. The messages are given back with giveBack.
func (m *mailbox) take() (pushed []byte, kill killRequest, reason CloseReason) {
	m.waiting.Store(false)
	m.mu.Lock()
	defer m.mu.Unlock()
	pushed = m.pushed
	m.pushed, m.spare = m.spare, nil
	return pushed, m.kill, m.reason
}

func (m *mailbox) giveBack(pushed []byte) {
	if cap(pushed) == 0 || cap(pushed) > keptMail {
		return
	}
	m.mu.Lock()
	m.spare = pushed[:0]
	m.mu.Unlock()
}

// killed tells whether the connection is to be closed at once.
func (m *mailbox) killed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kill == killNow
}

// why returns the reason of a kill, open when there is none.
func (m *mailbox) why() CloseReason {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reason
}

// size returns the bytes of messages waiting.
func (m *mailbox) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pushed)
}

// shut ends the mailbox: what comes later is dropped.
func (m *mailbox) shut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.pushed, m.spare = true, nil, nil
}
