package memory

// Entry is a view of a live entry.
type Entry struct {
	s   *shard
	ref Ref
}

// Kind returns the type of the value.
func (e Entry) Kind() Kind { return e.s.kindOf(e.ref) }

// Key returns the key; it aliases the engine's memory.
func (e Entry) Key() []byte { return e.s.key(e.ref) }

// Value returns the value; it aliases the engine's memory. Writing into it is
// allowed while the handle is held, if [Handle.Modified] is called afterwards
// and no reader has it pinned: see [Handle.Resize].
func (e Entry) Value() []byte {
	l := e.s.layout(e.ref)
	return e.s.region.Bytes(l.value, l.valueLen)
}

// ExpireAt returns the expiry in Unix milliseconds, 0 for none.
func (e Entry) ExpireAt() int64 { return e.s.expireAt(e.ref) }

// Version returns the number of the entry's last write. Of two writes in one
// shard the later has the larger number.
func (e Entry) Version() uint64 { return e.s.header(e.ref).versionNumber() }

// IsRaw tells whether the value was grown or changed in place.
func (e Entry) IsRaw() bool { return e.s.header(e.ref).metaBits()&metaRaw != 0 }

// IsFilled tells whether the value came from a source and was not written since.
func (e Entry) IsFilled() bool { return e.s.header(e.ref).metaBits()&metaFilled != 0 }

// MemoryUsage returns the bytes the entry takes, its index slot included.
func (e Entry) MemoryUsage() int { return int(e.s.Size(e.ref)) + 9 }
