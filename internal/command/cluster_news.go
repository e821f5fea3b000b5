package command

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/hashing"
)

// KindNews tells a node what has happened that its clients want to hear of. The
// reply is empty. A frame:
//
//	u8 version of this format, u8 flags
//	length of the id of the node, the id
//	items to the end: u8 what it is, and
//	    a key has changed    length of the key, key
//	    a keyspace event     length of the channel, channel, length of the message, message
//	    all keys are gone    nothing
const KindNews uint8 = 0x22

const newsFormat = 1

// newsLost says that names of changed keys have been lost before this frame.
const newsLost = 1

const (
	newsChanged byte = 1 + iota
	newsEvent
	newsFlushed
)

const (
	// newsEvery is how long news wait for more of them.
	newsEvery = time.Millisecond
	// maxNews is the most, in bytes, that wait for a node; beyond it they are
	// dropped, and the node is told so, whose clients then drop all they have.
	maxNews = 1 << 20
	// maxNewsUnderway is how many frames of news a node may have unanswered.
	maxNewsUnderway = 8
)

// outbox are the news for one node that have not been sent. Its lock is a leaf:
// news are noted with keys locked.
type outbox struct {
	mu       sync.Mutex
	items    []byte // GUARDED_BY(mu), as all below
	last     int    // where the last item begins
	lost     bool   // the node is to be told that some are missing
	underway int    // frames without an answer
	timer    bool   // a timer to send is set
}

// note appends an item and has it sent soon.
func (b *neighbour) note(what byte, words ...[]byte) {
	o := &b.news
	size := 1
	for _, w := range words {
		size += len(w) + binary.MaxVarintLen32
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.items)+size > maxNews {
		b.all.lost.Add(1)
		o.lost = true
	}
	if !o.lost {
		o.append(what, words)
	}
	b.wakeLocked(newsEvery)
}

// append adds an item, unless it is the same as the one before.
func (o *outbox) append(what byte, words [][]byte) {
	from := len(o.items)
	o.items = append(o.items, what)
	for _, w := range words {
		o.items = appendWord(o.items, w)
	}
	if what != newsEvent && string(o.items[o.last:from]) == string(o.items[from:]) {
		o.items = o.items[:from]
		return
	}
	o.last = from
}

// REQUIRES: b.news.mu held.
func (b *neighbour) wakeLocked(after time.Duration) {
	o := &b.news
	if !o.timer && !b.all.closed.Load() {
		o.timer = true
		time.AfterFunc(after, b.sendNews)
	}
}

// sendNews sends what has been gathered, unless too much is on its way.
func (b *neighbour) sendNews() {
	o := &b.news
	o.mu.Lock()
	o.timer = false
	if o.underway >= maxNewsUnderway || len(o.items) == 0 && !o.lost {
		o.mu.Unlock()
		return
	}
	frame := []byte{newsFormat, 0}
	if o.lost {
		frame[1] = newsLost
	}
	frame = append(appendWord(frame, []byte(b.all.self())), o.items...)
	o.items, o.last, o.lost = o.items[:0], 0, false
	if cap(o.items) > keptFrame {
		o.items = nil
	}
	o.underway++
	o.mu.Unlock()
	if err := b.send(KindNews, frame, (*newsSink)(b)); err != nil {
		b.newsTold(err)
	}
}

// newsSink is the sink of news for a node.
type newsSink neighbour

// Complete implements [peer.Sink].
func (s *newsSink) Complete(_ uint64, r peer.Reply, err error) {
	r.Release()
	(*neighbour)(s).newsTold(err)
}

// Flush implements [peer.Sink].
func (*newsSink) Flush() {}

// newsTold notes that news have arrived, or that they may be lost.
func (b *neighbour) newsTold(err error) {
	o := &b.news
	o.mu.Lock()
	defer o.mu.Unlock()
	o.underway--
	if err != nil {
		b.all.lost.Add(1)
		o.lost, o.items, o.last = true, o.items[:0], 0
		b.wakeLocked(tellAgainAfter)
		return
	}
	if len(o.items) > 0 || o.lost {
		b.wakeLocked(0)
	}
}

// keyChanged tells the nodes whose clients track that a key was changed. It may
// be called with the key locked.
func (n *neighbours) keyChanged(key []byte) {
	if !n.watching.Load() {
		return
	}
	for _, b := range n.list() {
		if b != nil && b.wantsChanges() {
			b.note(newsChanged, key)
		}
	}
}

// flushed tells the nodes whose clients track that many keys are gone.
func (n *neighbours) flushed() {
	if !n.watching.Load() {
		return
	}
	for _, b := range n.list() {
		if b != nil && b.wantsChanges() {
			b.note(newsFlushed)
		}
	}
}

// event tells a keyspace event to the nodes that have subscribers of its channel.
// It may be called with a key locked.
func (n *neighbours) event(channel, message []byte) {
	slot := hashing.Slot(channel)
	for _, b := range n.list() {
		if b != nil && b.wantsMessage(toChannel, slot) {
			b.note(newsEvent, channel, message)
		}
	}
}

// mayHaveChanged ends all near copies, and tells clients that track that all
// they have may have changed.
func (x *Executor) mayHaveChanged() {
	x.near.dropAll(dropLost)
	x.tracker.flushed()
}

// serveNews passes news of another node on to our clients.
func (r *Remote) serveNews(q peer.Request, out *peer.Batch) {
	c := frameCursor{rest: q.Data}
	if c.byte() != newsFormat {
		r.refuse(q.ID)
		return
	}
	if c.byte()&newsLost != 0 {
		r.x.mayHaveChanged()
	}
	c.word()
	for len(c.rest) > 0 && !c.bad {
		switch c.byte() {
		case newsChanged:
			if key := c.word(); !c.bad {
				r.x.near.changedKey(key)
				r.x.tracker.changed(append([]byte(nil), key...))
			}
		case newsEvent:
			channel, message := c.word(), c.word()
			if !c.bad {
				r.x.pubsub.publishTo(channel, message, anyKey)
			}
		case newsFlushed:
			r.x.mayHaveChanged()
		default:
			c.fail()
		}
	}
	if c.bad {
		r.refuse(q.ID)
		return
	}
	_ = out.Reply(q.ID, statusDone, peer.Payload{}) // never too long
}
