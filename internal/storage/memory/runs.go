package memory

import "github.com/larder-cache/larder/internal/storage/offheap"

// runs hands out stretches of whole pages from the upper half of an arena, for
// entries too large for a segment. Freed stretches stay resident for a while,
// since taking fresh pages costs more than copying into them; the engine's
// tick gives back what was not used again.
type runs struct {
	top    uint64           // pages from the start of the run space ever used
	pages  map[Ref]runPages // what is handed out
	dirty  []extent         // free and resident
	clean  []extent         // free and given back
	held   uint64           // pages handed out
	kept   uint64           // pages in dirty
	idle   uint64           // least value of kept in this while
	excess uint64           // pages that were idle in the last while
	pins   map[Ref]int      // readers that send a run's bytes
	dead   map[Ref]struct{} // freed while pinned
}

type runPages uint32

type extent struct{ from, n uint64 }

// dirtyLimit is how many free pages an arena keeps resident at most.
const dirtyLimit = 8 << 20 / offheap.PageSize

const pageUnits = offheap.PageSize / unit

func (s *runs) reset() {
	*s = runs{pages: map[Ref]runPages{}, pins: map[Ref]int{}, dead: map[Ref]struct{}{}}
}

func (s *runs) resident() uint64 { return (s.held + s.kept) * offheap.PageSize }

func pagesOf(size uint64) uint64 { return (size + offheap.PageSize - 1) / offheap.PageSize }

// take returns a run of at least size bytes.
func (s *runs) take(region *offheap.Region, size uint64) (Ref, error) {
	n := pagesOf(size)
	from, ok := takeExtent(&s.dirty, n)
	switch {
	case ok:
		s.kept -= n
		s.idle = min(s.idle, s.kept)
	default:
		if from, ok = takeExtent(&s.clean, n); ok {
			break
		}
		from = s.top
		end := segmentSpace + (from+n)*offheap.PageSize
		if end > arenaBytes {
			return 0, ErrFull
		}
		if err := region.Commit(end); err != nil {
			return 0, err
		}
		s.top += n
	}
	r := Ref(firstRun + from*pageUnits)
	s.pages[r] = runPages(n)
	s.held += n
	return r, nil
}

// size returns the bytes of the run at r.
func (s *runs) size(r Ref) uint64 { return uint64(s.pages[r]) * offheap.PageSize }

// free takes a run back; while it is pinned that is put off.
func (s *runs) free(region *offheap.Region, r Ref) {
	if s.pins[r] > 0 {
		s.dead[r] = struct{}{}
		return
	}
	n := uint64(s.pages[r])
	delete(s.pages, r)
	s.held -= n
	s.kept += n
	s.dirty = append(s.dirty, extent{uint64(r-firstRun) / pageUnits, n})
	if s.kept > dirtyLimit {
		s.purge(region, dirtyLimit/2)
	}
}

// purge gives free pages back to the system until keep are left.
func (s *runs) purge(region *offheap.Region, keep uint64) {
	for len(s.dirty) > 0 && s.kept > keep {
		x := s.dirty[0]
		s.dirty = s.dirty[1:]
		region.Decommit(segmentSpace+x.from*offheap.PageSize, x.n*offheap.PageSize)
		s.kept -= x.n
		s.idle = min(s.idle, s.kept)
		s.clean = joinExtent(s.clean, x)
	}
	// What ends at the top is as if it had never been used.
	for i := 0; i < len(s.clean); i++ {
		if x := s.clean[i]; x.from+x.n == s.top {
			s.top = x.from
			s.clean[i] = s.clean[len(s.clean)-1]
			s.clean = s.clean[:len(s.clean)-1]
			i = -1
		}
	}
}

// purgeAtOnce bounds the pages given back under one hold of a lock.
const purgeAtOnce = 1 << 20 / offheap.PageSize

// purgeIdle gives back some of the pages that nobody has needed for a while; a
// while ends when it is called with mark.
func (s *runs) purgeIdle(region *offheap.Region, mark bool) {
	if n := min(s.excess, s.kept, purgeAtOnce); n > 0 {
		s.purge(region, s.kept-n)
		s.excess -= n
	}
	if mark {
		s.excess, s.idle = s.idle, s.kept
	}
}

func (s *runs) pin(r Ref) { s.pins[r]++ }

func (s *runs) unpin(region *offheap.Region, r Ref) {
	if s.pins[r]--; s.pins[r] > 0 {
		return
	}
	delete(s.pins, r)
	if _, dead := s.dead[r]; dead {
		delete(s.dead, r)
		s.free(region, r)
	}
}

// takeExtent cuts n pages from the smallest extent that has them.
func takeExtent(list *[]extent, n uint64) (from uint64, ok bool) {
	best := -1
	for i, x := range *list {
		if x.n >= n && (best < 0 || x.n < (*list)[best].n) {
			best = i
		}
	}
	if best < 0 {
		return 0, false
	}
	x := &(*list)[best]
	from = x.from
	if x.n > n {
		x.from += n
		x.n -= n
		return from, true
	}
	*list = append((*list)[:best], (*list)[best+1:]...)
	return from, true
}

// joinExtent adds an extent to a list, joined with its neighbours.
func joinExtent(list []extent, x extent) []extent {
	for i := 0; i < len(list); {
		switch y := list[i]; {
		case y.from+y.n == x.from:
			x = extent{y.from, y.n + x.n}
		case x.from+x.n == y.from:
			x.n += y.n
		default:
			i++
			continue
		}
		list[i] = list[len(list)-1]
		list = list[:len(list)-1]
		i = 0
	}
	return append(list, x)
}
