package memory

// Handle is one key whose shard is locked. It must be released exactly once
// and not be copied. Entries found through it are valid until it is released
// or the key is written.
type Handle struct {
	s     *shard
	space *keyspace
	db    int
	key   []byte
	hash  uint64
	now   int64

	ref     Ref         // the entry, as of at
	local   uint16      // the partition's number in the shard; LockAll's alone
	shared  bool        // one of a Handles, which releases it
	state   handleState // what Release has to do
	at      uint64      // shard.changes when ref was found, plus one; 0: not looked up
	version uint64      // of the last write through the handle
}

// handleState says what happened through a handle.
type handleState uint8

const (
	wrote   handleState = 1 << iota // blocks were taken or freed: maintenance is due
	changed                         // the key was changed: a tap is to be told
	deleted                         // and the last change was Delete
)

// Key returns the key, as given to Lock.
func (h *Handle) Key() []byte { return h.key }

// DB returns the number of the database.
func (h *Handle) DB() int { return h.db }

// Now returns the time the handle works with, in Unix milliseconds.
func (h *Handle) Now() int64 { return h.now }

// Shard returns the number of the shard, from 0 to [Store.Shards]-1. What is
// indexed by it may be guarded by the handle.
func (h *Handle) Shard() int { return h.s.number }

// Release unlocks the key.
func (h *Handle) Release() {
	if h.shared {
		panic("memory: release of one handle of several")
	}
	if h.state != 0 {
		h.finish()
	}
	h.s.unlock()
}

// finish does what is due after a write.
func (h *Handle) finish() {
	if h.state&changed != 0 && h.s.taps != nil {
		h.tell()
	}
	if h.state&wrote != 0 {
		h.s.maintain()
	}
}

// lookup returns the ref of the key's entry, remembered absences included,
// zero when there is none. An expired entry is removed.
func (h *Handle) lookup() Ref {
	if h.at == h.s.changes+1 {
		return h.ref
	}
	r := h.space.index.find(&h.s.arena, uint32(h.hash), h.key)
	if r != 0 && h.s.header(r).metaBits()&metaTimed != 0 {
		if at := h.s.expireAt(r); at != 0 && at <= h.now {
			h.s.stats.expired++
			h.s.drop(r, Expired, true)
			h.state |= wrote
			r = 0
		}
	}
	h.ref, h.at = r, h.s.changes+1
	return r
}

// Peek returns the live entry without changing its place in the order of
// eviction.
func (h *Handle) Peek() (Entry, bool) {
	r := h.lookup()
	if r == 0 || h.s.kindOf(r) == Negative {
		return Entry{}, false
	}
	return Entry{h.s, r}, true
}

// Find is Peek for a command that uses the entry: the policy is told.
func (h *Handle) Find() (Entry, bool) {
	e, ok := h.Peek()
	if ok {
		h.Touch(e)
	}
	return e, ok
}

// PeekAny is Peek that also returns remembered absences.
func (h *Handle) PeekAny() (Entry, bool) {
	r := h.lookup()
	return Entry{h.s, r}, r != 0
}

// Touch notes that the entry was used, and tells the policy.
func (h *Handle) Touch(e Entry) {
	if h.s.tracked(e.ref) {
		h.s.policy.Touch(e.ref, h.hash, useTime(h.now))
	} else {
		h.s.Node(e.ref).Prev = Ref(useTime(h.now))
	}
}

// Set stores a string, with an expiry in Unix milliseconds or 0 for none. The
// value is copied; it may alias the engine's memory.
func (h *Handle) Set(value []byte, expireAt int64) { h.set(value, expireAt, 0) }

// SetRaw is Set for a value that was grown: see [Entry.IsRaw].
func (h *Handle) SetRaw(value []byte, expireAt int64) { h.set(value, expireAt, metaRaw) }

// Fill stores what a source returned.
func (h *Handle) Fill(value []byte, expireAt int64) { h.set(value, expireAt, metaFilled) }

// FillNegative remembers until expireAt that a source has no such row.
func (h *Handle) FillNegative(expireAt int64) {
	h.set(nil, expireAt, metaFilled|uint32(Negative)<<kindShift)
}

func (h *Handle) set(value []byte, expireAt int64, meta uint32) {
	s := h.s
	if len(value) > 0 && s.store.contains(value) {
		s.scratch = append(s.scratch[:0], value...)
		value = s.scratch
	}
	old := h.lookup()
	r := h.place(old, len(value), expireAt, meta)
	l := s.layout(r)
	copy(s.region.Bytes(l.value, l.valueLen), value)
	h.placed(old, r)
	if cap(s.scratch) > 1<<20 {
		s.scratch = nil
	}
}

// Resize makes the value n bytes long and returns it, writable until Release.
// What is added is zero; an absent key is created without expiry.
func (h *Handle) Resize(n int) []byte {
	s := h.s
	old := h.lookup()
	if old != 0 && s.kindOf(old) == Negative {
		s.drop(old, Written, true)
		old = h.lookup()
	}
	var expireAt int64
	have := uint64(0)
	if old != 0 {
		expireAt = s.expireAt(old)
		have = s.layout(old).valueLen
	}
	r := h.place(old, n, expireAt, metaRaw)
	l := s.layout(r)
	value := s.region.Bytes(l.value, l.valueLen)
	if r != old && old != 0 {
		from := s.layout(old)
		have = min(have, uint64(n))
		copy(value[:have], s.region.Bytes(from.value, have))
	}
	if have < uint64(n) {
		clear(value[have:])
	}
	h.placed(old, r)
	return value
}

// place finds a block for the new value of the key and prepares its header.
// The result is old itself when the value fits there; otherwise old is still
// intact, and the caller calls placed after it has copied what it needs.
func (h *Handle) place(old Ref, valueLen int, expireAt int64, meta uint32) Ref {
	s := h.s
	shape := shapeOf(h.space.id, len(h.key), valueLen, expireAt)
	if old != 0 && h.reuse(old, shape, valueLen, expireAt, meta) {
		return old
	}
	s.keep = old
	size := shape.size
	if size > maxBlock && meta&metaRaw != 0 {
		size += size / 8 // what grows once is likely to grow again
	}
	r, units := s.allocate(size)
	s.keep = 0
	head := s.header(r)
	if units != 0 {
		meta |= units | uint32(uint64(units)*unit-shape.size)<<slackShift
	}
	head.begin(len(h.key))
	if shape.timed {
		meta |= metaTimed
	}
	off := uint64(r)*unit + shape.header()
	if shape.extended {
		meta |= metaExtended
		s.putExtension(off-extensionSize, extension{
			keyLen: uint32(len(h.key)), valueLen: uint32(valueLen), keyspace: h.space.id,
		})
	}
	head.setMeta(meta)
	copy(s.region.Bytes(off, uint64(len(h.key))), h.key)
	if shape.timed {
		s.setExpireAt(r, expireAt)
	}
	return r
}

// reuse prepares the block of an entry for a new value, when that has the same
// layout and fits. A run that readers have pinned is never written.
func (h *Handle) reuse(r Ref, shape shape, valueLen int, expireAt int64, meta uint32) bool {
	s := h.s
	head := s.header(r)
	m := head.metaBits()
	if m&metaExtended != 0 != shape.extended || shape.timed && m&metaTimed == 0 {
		return false
	}
	if !shape.timed && m&metaTimed != 0 {
		return false
	}
	if s.rules.volatile && (s.expireAt(r) == 0) != (expireAt == 0) {
		return false
	}
	if isRun(r) {
		size := s.runs.size(r)
		if shape.size <= maxBlock || shape.size > size || shape.size < size/4*3 && size > 1<<20 || s.runs.pins[r] > 0 {
			return false
		}
	} else {
		size := uint64(m&metaUnits) * unit
		if shape.size > size || shape.size+15 < size || shape.size > maxBlock {
			return false
		}
		m = m&^metaSlack | uint32(size-shape.size)<<slackShift
	}
	s.untime(h.space, r)
	head.setMeta(m&^(metaKind|metaRaw|metaFilled) | meta)
	if shape.extended {
		off := uint64(r)*unit + shape.header() - extensionSize
		x := s.extensionAt(off)
		x.valueLen = uint32(valueLen)
		s.putExtension(off, x)
	}
	if shape.timed {
		s.setExpireAt(r, expireAt)
	}
	return true
}

// untime takes an entry that is rewritten in place out of the wheel and the
// counts.
func (s *shard) untime(k *keyspace, r Ref) {
	if s.expireAt(r) != 0 {
		s.wheel.remove(&s.arena, r)
		k.timed--
	}
	if s.kindOf(r) == Negative {
		k.negatives--
	}
}

// placed makes the entry at r the key's entry: it is entered where it is not
// known yet, and old, when it is another, is freed.
func (h *Handle) placed(old, r Ref) {
	s := h.s
	at := s.expireAt(r)
	switch {
	case old == 0:
		h.space.index.insert(uint32(h.hash), r)
		s.added(h.space)
		s.track(r, h.hash, h.now)
		s.changes++
		h.state |= wrote
	case old == r:
		h.Touch(Entry{s, r})
	default:
		h.replaceBlock(old, r)
	}
	if at != 0 {
		s.wheel.add(&s.arena, r, at)
		h.space.timed++
	}
	if s.kindOf(r) == Negative {
		h.space.negatives++
	}
	h.modified(r)
}

// replaceBlock puts r where old was: in the index and in the policy's order.
func (h *Handle) replaceBlock(old, r Ref) {
	s := h.s
	h.space.index.replace(uint32(h.hash), old, r)
	was := s.tracked(old)
	if was && s.tracked(r) {
		// First the size, then the place: a policy finds an entry by its size.
		if before, after := s.Size(old), s.Size(r); before != after {
			s.policy.Resize(old, before, after)
		}
		from, to := s.header(old), s.header(r)
		to.bits, to.prev, to.next = from.bits, from.prev, from.next
		s.policy.Move(old, r)
		s.policy.Touch(r, h.hash, useTime(h.now))
	} else {
		if was {
			s.policy.Remove(old)
		}
		s.track(r, h.hash, h.now)
	}
	if s.expireAt(old) != 0 {
		s.wheel.remove(&s.arena, old)
		h.space.timed--
	}
	if s.kindOf(old) == Negative {
		h.space.negatives--
	}
	s.freeBlock(old)
	h.state |= wrote
}

// track tells the policy of an entry that it does not know and that is used now,
// or notes the time where the policy has nothing to do with it.
func (s *shard) track(r Ref, hash uint64, now int64) {
	if n := s.Node(r); s.tracked(r) {
		n.Bits, n.Prev, n.Next = 0, 0, 0
		s.policy.Add(r, hash, s.Size(r), useTime(now))
	} else {
		n.Prev = Ref(useTime(now))
	}
}

// Modified tells that the value was written in place.
func (h *Handle) Modified() {
	if r := h.lookup(); r != 0 {
		h.modified(r)
	}
}

// modified gives the entry its new version and tells those who watch the key.
func (h *Handle) modified(r Ref) {
	s := h.s
	s.version++
	s.header(r).setVersion(s.version)
	h.version = s.version
	h.state = h.state&^deleted | changed
	h.ref, h.at = r, s.changes+1
	s.void(h.hash, h.db, h.key)
	if s.store.observing() {
		s.notify(h.space, h.key, Written)
	}
}

// Delete removes the key and reports whether a value was there.
func (h *Handle) Delete() bool {
	r := h.lookup()
	h.s.void(h.hash, h.db, h.key)
	if r == 0 {
		return false
	}
	was := h.s.kindOf(r) != Negative
	h.s.version++
	h.s.drop(r, Deleted, true)
	h.state |= wrote | changed | deleted
	h.at = 0
	return was
}

// SetExpiry changes the expiry, in Unix milliseconds; 0 removes it. It reports
// false when the key is absent.
func (h *Handle) SetExpiry(at int64) bool {
	e, ok := h.Peek()
	if !ok {
		return false
	}
	s, r := h.s, e.ref
	m := s.header(r).metaBits()
	if at == 0 && m&metaTimed == 0 {
		return true
	}
	if m&metaTimed == 0 || !expiryFits(at) && m&metaExtended == 0 || s.rules.volatile && at == 0 {
		h.set(e.Value(), at, m&(metaRaw|metaFilled|metaKind))
		return true
	}
	wasTracked := s.tracked(r)
	if s.expireAt(r) != 0 {
		s.wheel.remove(&s.arena, r)
		h.space.timed--
	}
	s.setExpireAt(r, at)
	if at != 0 {
		s.wheel.add(&s.arena, r, at)
		h.space.timed++
		if !wasTracked {
			s.track(r, h.hash, h.now)
		}
	}
	h.modified(r)
	return true
}
