package command

// Soon has the index looked up in memory for a key that a request of the
// session is about to name; see [memory.Store.PrefetchSlot].
func (x *Executor) Soon(s *Session, key []byte) (token uint64) {
	return x.store.PrefetchSlot(s.DB, key)
}

// Sooner has the entry loaded from memory whose key Soon was told of.
func (x *Executor) Sooner(s *Session, token uint64) { x.store.PrefetchEntry(s.DB, token) }
