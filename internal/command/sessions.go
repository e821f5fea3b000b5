package command

import (
	"cmp"
	"slices"
	"sync"
)

// sessions is the register of clients.
type sessions struct {
	mu       sync.RWMutex
	byID     map[int64]*Session    // GUARDED_BY(mu)
	internal map[*Session]struct{} // GUARDED_BY(mu): those without a client
	next     int64                 // GUARDED_BY(mu): ids start with 1 and are never used twice
}

func (r *sessions) init() {
	r.byID = map[int64]*Session{}
	r.internal = map[*Session]struct{}{}
}

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

// addInternal enters a session that is no client. Its id is one that no client
// has.
func (r *sessions) addInternal(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	s.ID = r.next
	r.internal[s] = struct{}{}
}

func (r *sessions) removeInternal(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.internal, s)
}

// everything returns the clients and the sessions that are none.
func (r *sessions) everything() []*Session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*Session, 0, len(r.byID)+len(r.internal))
	for _, s := range r.byID {
		list = append(list, s)
	}
	for s := range r.internal {
		list = append(list, s)
	}
	return list
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
