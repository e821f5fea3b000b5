package command

import (
	"hash/maphash"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/hotkeys"
)

// Near copies
//
// One key can be read so much that its owner has no time for the others. So a
// node that forwards far more reads of a key than of the rest keeps a copy of it
// for a moment, in namespaces with max_staleness:
//
//	GET ─▶ hot? ─┬─ no ──────────────────────────────────▶ the owner
//	             ├─ a copy younger than max_staleness ───▶ the reply
//	             ╰─ none ─▶ waits for the fill under way, or begins one
//	                          fill ─ KindNear ─▶ the owner, which notes who asks
//	             news of a change ◀───────────── and tells it (near_holders.go)
//
// The bound on staleness needs no news: a copy is as old as its fill, counted
// from before that was asked for, by this node's monotonic clock. News, writes
// through this node, another epoch of the partition and a broken link end it
// earlier.
//
// Invariant: a fill that was under way when its key was voided answers those who
// wait for it, and is not kept.
// Invariant: fills that are kept were asked for one after the other, each when
// the one before had been answered or voided; so who reads a key again and again
// does not see it go back.
//
// nearCopies are the copies that this node has of hot keys of others. Safe for
// concurrent use.
type nearCopies struct {
	staleness func(key []byte) time.Duration // for how long a copy may be used; 0: never
	now       func() time.Duration           // monotonic
	get       *Command                       // whose reads are answered; nil: no namespace has copies
	seed      maphash.Seed
	hot       atomic.Pointer[hotSet]

	mu     sync.Mutex
	sketch *hotkeys.Sketch // GUARDED_BY(mu): of the reads that copies could answer
	judged time.Duration   // GUARDED_BY(mu): when hot was compared with the sketch

	hits   atomic.Uint64 // reads answered from a copy
	joined atomic.Uint64 // reads that waited for the fill of another
	fills  atomic.Uint64 // copies kept
	drops  [nearDrops]atomic.Uint64
}

// NearDrop is why a copy is not used to its end.
type NearDrop uint8

const (
	dropChanged  NearDrop = iota // the owner has told of a change
	dropWritten                  // a client of this node writes
	dropRead                     // a client of this node got a reply that the copy may be older than
	dropLost                     // news of changes may have been lost, or all keys are gone
	dropMoved                    // the partition has another owner, or may have
	dropUnlinked                 // the link to the owner is down
	nearDrops                    // how many reasons there are
)

// hotSet are the hot keys. Immutable.
type hotSet struct {
	keys  map[uint64]*hotKey // by hash; of two with the same one, one is hot
	slots slotSet
}

// hotKey is a key that is read far above the rest.
type hotKey struct {
	db        int
	key       string
	hash      uint64
	slot      uint16
	staleness time.Duration
	direct    atomic.Int64 // until when its reads are forwarded like others, monotonic: its value is too large
	copy      atomic.Pointer[nearCopy]

	mu   sync.Mutex
	fill *nearFill // GUARDED_BY(mu): whose reply is kept; nil: none is under way
}

// nearCopy is a value as its owner had it. Immutable.
type nearCopy struct {
	reply []byte // RESP2: a bulk string or null
	until time.Duration
	epoch cluster.Epoch // of its partition when it was asked for
	lane  Lane          // it has come by
}

func (c *nearCopy) found() bool { return c.reply[1] != '-' }

const (
	// A key is hot when copies answer hotReads of it before they are too old, so
	// that the owner sees a tenth of its reads at most; when that is no less than
	// hotPerSecond, which any owner bears; and when it has hotShare of the reads
	// that this node counts, so that there are never more than maxHotKeys. Half of
	// that keeps it hot.
	hotReads     = 10
	hotPerSecond = 100
	maxHotKeys   = 64
	hotShare     = 1.0 / maxHotKeys
	// nearHalfLife is after how long a read counts half: hot keys come and go
	// within seconds.
	nearHalfLife = time.Second
	// nearCounters is how many keys are counted: a hot one is four times above
	// what could be missed.
	nearCounters = 4 * maxHotKeys
	// nearSample is how many reads one that is counted stands for.
	nearSample = 16
	// judgeEvery is how often it is decided which keys are hot.
	judgeEvery = 100 * time.Millisecond
	// maxHotName is the longest key, in bytes, that can be hot, and maxNearReply
	// the longest reply that is kept: with maxHotKeys 4 MB.
	maxHotName   = 256
	maxNearReply = 64 << 10
	// directFor is for how long reads of a key are forwarded whose value was too
	// large.
	directFor = time.Second
)

func (n *nearCopies) init(x *Executor) {
	n.hot.Store(&hotSet{})
	if !x.cache.HasStaleness() {
		return
	}
	n.staleness, n.now, n.get = x.cache.MaxStaleness, x.clock.monotonic, x.table.FindFull("get")
	n.seed, n.sketch = maphash.MakeSeed(), hotkeys.NewSketch(nearCounters, nearHalfLife)
}

// hashOf returns what a key is found by, in whatever database; never zero.
func (n *nearCopies) hashOf(key []byte) uint64 { return maphash.Bytes(n.seed, key) | 1 }

// find returns a hot key, nil when it is none.
func (n *nearCopies) find(db int, key []byte, hash uint64) *hotKey {
	k := n.hot.Load().keys[hash]
	if k == nil || k.db != db || k.key != string(key) {
		return nil
	}
	return k
}

// counted counts a read, and decides now and then which keys are hot.
func (n *nearCopies) counted(db int, key []byte) {
	if rand.Uint32()%nearSample != 0 || len(key) > maxHotName || n.staleness(key) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	n.sketch.Add(now, db, key, nearSample, false)
	if now-n.judged >= judgeEvery {
		n.judgeLocked(now)
	}
}

// judge decides which keys are hot now, when nobody reads any more, too.
func (n *nearCopies) judge() {
	if n.get == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.judgeLocked(n.now())
}

// judgeLocked decides which keys are hot.
func (n *nearCopies) judgeLocked(now time.Duration) {
	n.judged = now
	former, next := n.hot.Load(), &hotSet{keys: map[uint64]*hotKey{}}
	least, changed := n.sketch.Total(now)*hotShare, false
	for _, c := range n.sketch.Top(now, maxHotKeys) {
		key := []byte(c.Key)
		hash := n.hashOf(key)
		k := n.find(c.DB, key, hash)
		factor := 1.0
		if k != nil {
			factor = 0.5
		}
		staleness := n.staleness(key)
		perSecond := max(hotPerSecond, hotReads/staleness.Seconds())
		if next.keys[hash] != nil || c.AtLeast() < factor*max(least, perSecond*nearHalfLife.Seconds()/math.Ln2) {
			continue
		}
		if k == nil {
			changed = true
			k = &hotKey{db: c.DB, key: c.Key, hash: hash, slot: hashing.Slot(key), staleness: staleness}
		}
		next.keys[hash] = k
		next.slots.add(k.slot)
	}
	if changed || len(next.keys) != len(former.keys) {
		n.hot.Store(next)
	}
}

// read returns the copy of a key if it may be used.
func (n *nearCopies) read(k *hotKey, epoch cluster.Epoch) *nearCopy {
	c := k.copy.Load()
	switch {
	case c == nil || n.now() >= c.until:
		return nil
	case c.epoch != epoch:
		n.void(k, dropMoved)
		return nil
	case !c.lane.IsUp():
		n.void(k, dropUnlinked)
		return nil
	}
	return c
}

// void ends the copy of a key, and has the fill under way not be kept.
func (n *nearCopies) void(k *hotKey, why NearDrop) {
	k.mu.Lock()
	had := k.fill != nil || k.copy.Load() != nil
	k.fill = nil
	k.copy.Store(nil)
	k.mu.Unlock()
	if had {
		n.drops[why].Add(1)
	}
}

// changed ends the copy of a key, in whatever database, of which something is
// known that the copy may not show.
func (n *nearCopies) changed(hash uint64, why NearDrop) {
	if k := n.hot.Load().keys[hash]; k != nil {
		n.void(k, why)
	}
}

// changedKey is changed for a key that its owner has named.
func (n *nearCopies) changedKey(key []byte) {
	if n.get != nil {
		n.changed(n.hashOf(key), dropChanged)
	}
}

// wrote ends the copies of keys of a slot, or of the slots in many if there are
// any. To be called before a write through this node is sent, so that no copy
// outlives it, and when its reply is there, since a fill may have overtaken it on
// its way.
func (n *nearCopies) wrote(slot int, many []uint16) {
	hot := n.hot.Load()
	if len(hot.keys) == 0 {
		return
	}
	if many == nil {
		n.wroteSlot(hot, uint16(slot))
	}
	for _, slot := range many {
		n.wroteSlot(hot, slot)
	}
}

func (n *nearCopies) wroteSlot(hot *hotSet, slot uint16) {
	if !hot.slots.has(slot) {
		return
	}
	for _, k := range hot.keys {
		if k.slot == slot {
			n.void(k, dropWritten)
		}
	}
}

// slotsOf returns the slots of a request that may have several keys.
func slotsOf(cmd *Command, args [][]byte) (many []uint16) {
	if cmd.keys.form == oneKeyAt {
		return nil
	}
	for _, use := range cmd.keyUses(args) {
		many = append(many, hashing.Slot(args[use.At]))
	}
	return many
}

// dropAll ends all copies.
func (n *nearCopies) dropAll(why NearDrop) {
	for _, k := range n.hot.Load().keys {
		n.void(k, why)
	}
}
