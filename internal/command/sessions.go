package command

import (
	"cmp"
	"slices"
	"sync"
)

// sessions is the register of clients.
type sessions struct {
	mu   sync.RWMutex
	byID map[int64]*Session // GUARDED_BY(mu)
	next int64              // GUARDED_BY(mu): ids start with 1 and are never used twice
}

func (r *sessions) init() { r.byID = map[int64]*Session{} }

func (r *sessions) add(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	s.ID = r.next
	r.byID[s.ID] = s
}

func (r *sessions) remove(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, s.ID)
}

func (r *sessions) find(id int64) *Session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byID[id]
}

func (r *sessions) len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.byID)
}

// all returns the clients by ascending id.
func (r *sessions) all() []*Session {
	r.mu.RLock()
	list := make([]*Session, 0, len(r.byID))
	for _, s := range r.byID {
		list = append(list, s)
	}
	r.mu.RUnlock()
	slices.SortFunc(list, func(a, b *Session) int { return cmp.Compare(a.ID, b.ID) })
	return list
}
