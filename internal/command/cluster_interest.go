package command

import (
	"encoding/binary"
	"sync"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

// What a node wants to hear of
//
// A message that is published, and a key that is changed, concern other nodes
// only if clients there have asked for it. So every node tells the others what
// its clients have asked for, channels by their hash slots, and a node that
// publishes where nobody else listens sends nothing and waits for nothing.
//
//  1. SUBSCRIBE (or CLIENT TRACKING) asks whether all other nodes know of the
//     interest already. Mostly they do: then it goes on.
//  2. Otherwise it raises the interest, parks, and waits until they have said so.
//  3. Only then the client is told that it is subscribed.
//
// So what is published anywhere after a confirmation reaches the client. A node
// that cannot be reached is not waited for longer than interestWait, and is told
// later.
//
// Invariant: a node whose interest is not known is taken to want everything. So
// a node that has started anew misses nothing for its neighbours.
//
// An interest that nobody has any more is told with the next one, or after
// lowerInterestAfter: clients that come and go cost nothing.

// want is one thing that clients of a node have asked for.
type want struct {
	kind wantKind
	slot uint16 // of channels
}

type wantKind uint8

const (
	wantChannel  wantKind = iota // messages to channels of a slot
	wantShard                    // messages to shard channels of a slot
	wantPatterns                 // all messages: some clients have patterns
	wantChanges                  // names of keys that are changed: some clients track
)

// wantOf returns what a subscription is for.
func wantOf(kind subscriptionKind, name string) want {
	switch kind {
	case toPattern:
		return want{kind: wantPatterns}
	case toShard:
		return want{wantShard, hashing.Slot([]byte(name))}
	}
	return want{wantChannel, hashing.Slot([]byte(name))}
}

// slotSet is a set of hash slots.
type slotSet [hashing.Slots / 64]uint64

func (b *slotSet) add(slot uint16)      { b[slot/64] |= 1 << (slot % 64) }
func (b *slotSet) has(slot uint16) bool { return b[slot/64]&(1<<(slot%64)) != 0 }

// interest is all that a node wants. It is immutable once it is shared.
type interest struct {
	boot     uint64 // when the process has started: a later one is another process
	version  uint64 // rises with every change
	patterns bool
	changes  bool
	channels slotSet
	shards   slotSet
}

// covers reports whether a message to a channel is wanted.
func (i *interest) covers(kind subscriptionKind, slot uint16) bool {
	if kind == toShard {
		return i.shards.has(slot)
	}
	return i.patterns || i.channels.has(slot)
}

// wants is what the clients of this node have asked for. Its lock is a leaf.
type wants struct {
	mu      sync.Mutex
	count   map[want]int    // GUARDED_BY(mu), as all below; zero: nobody any more, but others still think so
	since   map[want]uint64 // the version with which it was raised
	version uint64
	idle    bool // a timer to lower the interest is set
}

func (w *wants) init() {
	w.count, w.since, w.version = map[want]int{}, map[want]uint64{}, 1
}

// add notes one more that wants something, and returns the version that the
// others have to know for it.
func (w *wants) add(what want) (version uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.count[what]; !known {
		w.version++
		w.since[what] = w.version
	}
	w.count[what]++
	return w.since[what]
}

// drop takes back what add has noted, and reports whether the interest could be
// lowered after a while.
func (w *wants) drop(what want) (idle bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count[what]--
	if w.count[what] > 0 || w.idle {
		return false
	}
	w.idle = true
	return true
}

// lower forgets what nobody wants any more, and reports whether there was any.
func (w *wants) lower() (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle = false
	for what, n := range w.count {
		if n == 0 {
			delete(w.count, what)
			delete(w.since, what)
			changed = true
		}
	}
	if changed {
		w.version++
	}
	return changed
}

// now returns all that is wanted.
func (w *wants) now(boot uint64) *interest {
	i := &interest{boot: boot}
	w.mu.Lock()
	defer w.mu.Unlock()
	i.version = w.version
	for what := range w.count {
		switch what.kind {
		case wantChannel:
			i.channels.add(what.slot)
		case wantShard:
			i.shards.add(what.slot)
		case wantPatterns:
			i.patterns = true
		case wantChanges:
			i.changes = true
		}
	}
	return i
}

// KindInterest tells a node what another wants; the reply has the same form and
// tells what that node wants. A frame, numbers of variable length:
//
//	u8 version of this format, u8 flags
//	length of the id of the node, the id
//	start of its process, version
//	number of slots of channels, each as its distance from the one before;
//	the same of shard channels
const KindInterest uint8 = 0x21

const interestFormat = 1

const (
	interestPatterns = 1 << iota
	interestChanges
)

func (i *interest) append(b []byte, self cluster.NodeID) []byte {
	flags := byte(0)
	if i.patterns {
		flags |= interestPatterns
	}
	if i.changes {
		flags |= interestChanges
	}
	b = append(b, interestFormat, flags)
	b = appendWord(b, []byte(self))
	b = binary.AppendUvarint(b, i.boot)
	b = binary.AppendUvarint(b, i.version)
	return i.shards.append(i.channels.append(b))
}

func (b *slotSet) append(to []byte) []byte {
	var list []uint16
	for slot := range uint16(hashing.Slots) {
		if b.has(slot) {
			list = append(list, slot)
		}
	}
	to = binary.AppendUvarint(to, uint64(len(list)))
	last := uint16(0)
	for _, slot := range list {
		to = binary.AppendUvarint(to, uint64(slot-last))
		last = slot
	}
	return to
}

func parseInterest(frame []byte) (from cluster.NodeID, i *interest, err error) {
	c := frameCursor{rest: frame}
	if c.byte() != interestFormat {
		return "", nil, errFrame
	}
	flags := c.byte()
	i = &interest{patterns: flags&interestPatterns != 0, changes: flags&interestChanges != 0}
	from = cluster.NodeID(c.word())
	i.boot, i.version = c.number(), c.number()
	i.channels.parse(&c)
	i.shards.parse(&c)
	if c.bad || len(c.rest) > 0 {
		return "", nil, errFrame
	}
	return from, i, nil
}

func (b *slotSet) parse(c *frameCursor) {
	slot := uint64(0)
	for range c.count(1, hashing.Slots) {
		if slot += c.number(); slot >= hashing.Slots {
			c.fail()
			return
		}
		b.add(uint16(slot))
	}
}
