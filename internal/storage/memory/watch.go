package memory

import "slices"

// watch is a token given out for a key.
type watch struct {
	token uint64
	local uint16 // the partition's number in the shard
}

// Watch returns a token that is valid until the key is written or deleted, by
// whomever. Expiry and eviction leave it valid. Used to fill from a source
// without overwriting what came later.
func (h *Handle) Watch() (token uint64) {
	s := h.s
	if s.watched == nil {
		s.watched = map[uint64]watch{}
	}
	if w, ok := s.watched[h.hash]; ok {
		return w.token
	}
	t := s.store.tokens.Add(1)
	s.watched[h.hash] = watch{t, h.space.local}
	return t
}

// Unwatch gives a token back and reports whether it was still valid.
func (h *Handle) Unwatch(token uint64) bool {
	if w, ok := h.s.watched[h.hash]; !ok || w.token != token {
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

// voidPartition makes all tokens of a partition void.
func (s *shard) voidPartition(local int) {
	for hash, w := range s.watched {
		if int(w.local) == local {
			delete(s.watched, hash)
		}
	}
}
