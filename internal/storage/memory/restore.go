package memory

// Flags are what an entry says of itself besides its kind.
type Flags uint8

// The flags.
const (
	Raw    Flags = 1 << iota // the value was grown or changed in place: [Entry.IsRaw]
	Filled                   // the value came from a source: [Entry.IsFilled]
)

// Flags returns the entry's flags.
func (e Entry) Flags() Flags {
	m := e.s.header(e.ref).metaBits()
	var f Flags
	if m&metaRaw != 0 {
		f |= Raw
	}
	if m&metaFilled != 0 {
		f |= Filled
	}
	return f
}

// meta returns the bits of a header that say kind and flags.
func (f Flags) meta(k Kind) uint32 {
	m := uint32(k) << kindShift
	if f&Raw != 0 {
		m |= metaRaw
	}
	if f&Filled != 0 {
		m |= metaFilled
	}
	return m
}

// Restore stores an entry as another store has it: what [Entry.Value],
// [Entry.ExpireAt], [Entry.Kind] and [Entry.Flags] said there. It is a write:
// tokens of [Handle.Watch] become void and the entry gets a version of its own.
// The value is copied. An entry that has expired is stored and found by nobody.
func (h *Handle) Restore(value []byte, expireAt int64, k Kind, f Flags) {
	h.set(value, expireAt, f.meta(k))
}

// RestoreStaged is Restore for a value that was received into the engine's
// memory: see [Handle.Adopt].
func (h *Handle) RestoreStaged(g *Staged, expireAt int64, k Kind, f Flags) {
	h.adopt(g, expireAt, f.meta(k))
}
