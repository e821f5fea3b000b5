package memory

// PinThreshold is the size in bytes from which on a value is worth sending
// without a copy.
const PinThreshold = 64 << 10

// Pin keeps a large value readable and unchanged after Release until release
// is called, from any goroutine. It reports false for values below
// [PinThreshold], which are to be copied.
func (h *Handle) Pin(e Entry) (value []byte, release func(), ok bool) { return e.Pin() }

// Pin is [Handle.Pin] for whoever is shown an entry under its shard's lock, as
// a [Tap] is. release takes that lock: it must be called after it is free.
func (e Entry) Pin() (value []byte, release func(), ok bool) {
	if !isRun(e.ref) {
		return nil, nil, false
	}
	value = e.Value()
	if len(value) < PinThreshold {
		return nil, nil, false
	}
	s, r := e.s, e.ref
	s.runs.pin(r)
	return value, func() {
		s.mu.Lock()
		s.runs.unpin(&s.region, r)
		s.count()
		s.mu.Unlock()
	}, true
}

// Staged is a value on its way into the engine: memory of the final size that
// a connection reads into, before the key is locked. It belongs to one
// goroutine and ends with [Handle.Adopt] or [Staged.Discard].
type Staged struct {
	s     *shard
	ref   Ref
	keyLn int
	value []byte
}

// Bytes returns the memory to read the value into.
func (g *Staged) Bytes() []byte { return g.value }

// Discard frees the memory.
func (g *Staged) Discard() {
	if g.ref == 0 {
		return
	}
	g.s.mu.Lock()
	g.s.runs.free(&g.s.region, g.ref)
	g.s.count()
	g.s.mu.Unlock()
	g.ref = 0
}

// Adopt stores a staged value, without copying it when it was staged for this
// key.
func (h *Handle) Adopt(g *Staged, expireAt int64) { h.adopt(g, expireAt, 0) }

func (h *Handle) adopt(g *Staged, expireAt int64, meta uint32) {
	s := h.s
	old := h.lookup()
	r := g.ref
	if g.s != s || g.keyLn != len(h.key) {
		h.set(g.value, expireAt, meta)
		g.Discard()
		return
	}
	g.ref = 0
	s.header(r).begin(len(h.key))
	s.header(r).setMeta(metaTimed | metaExtended | meta)
	off := uint64(r)*unit + timedHeader
	s.putExtension(off, extension{keyLen: uint32(len(h.key)), valueLen: uint32(len(g.value)), keyspace: h.space.id})
	copy(s.region.Bytes(off+extensionSize, uint64(len(h.key))), h.key)
	s.setExpireAt(r, expireAt)
	h.placed(old, r)
}

// stage takes a run for a value of n bytes of a key.
func (s *shard) stage(keyLen, n int) *Staged {
	size := uint64(timedHeader + extensionSize + keyLen + n)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.allocateRun(size)
	off := uint64(r)*unit + timedHeader + extensionSize + uint64(keyLen)
	return &Staged{s: s, ref: r, keyLn: keyLen, value: s.region.Bytes(off, uint64(n))}
}
