package memory

// Corrupt damages the entry of the key as bad memory would: its value changes by a
// bit, or, when it is empty, its flags, and nobody is told. It reports whether
// there is an entry. It is for those who want to see that damage is found.
func (h *Handle) Corrupt() bool {
	e, ok := h.Peek()
	if !ok {
		return false
	}
	if v := e.Value(); len(v) > 0 {
		v[len(v)-1] ^= 1
		return true
	}
	head := h.s.header(e.ref)
	head.setMeta(head.metaBits() ^ metaRaw)
	return true
}
