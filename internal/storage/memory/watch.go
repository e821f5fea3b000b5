package memory

import "slices"

// Watch returns a token that is valid until the key is written or deleted, by
// whomever. Expiry and eviction leave it valid. Used to fill from a source
// without overwriting what came later.
func (h *Handle) Watch() (token uint64) {
	s := h.s
	if s.watched == nil {
		s.watched = map[uint64]uint64{}
	}
	if t, ok := s.watched[h.hash]; ok {
		return t
	}
	t := s.store.tokens.Add(1)
	s.watched[h.hash] = t
	return t
}

// Unwatch gives a token back and reports whether it was still valid.
func (h *Handle) Unwatch(token uint64) bool {
	if h.s.watched[h.hash] != token {
		return false
	}
	delete(h.s.watched, h.hash)
	return true
}

// void makes a token of the key void and has the store's Voided called.
func (s *shard) void(hash uint64, db int, key []byte) {
	if len(s.watched) == 0 {
		return
	}
	if _, ok := s.watched[hash]; !ok {
		return
	}
	delete(s.watched, hash)
	if s.store.config.Voided != nil {
		s.voided = append(s.voided, KeyRef{db, slices.Clone(key)})
	}
}
