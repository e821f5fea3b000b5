package memory

// wheel is a hierarchical timing wheel (Varghese and Lauck, SOSP 1987) of the
// entries of one shard that expire. Four levels of 256 slots; a slot of the
// first is tickMillis wide, one of each further level 256 times as wide. The
// lists run through the entries' headers.
//
// An entry is handed out in the first tick that begins after its expiry, so at
// most one tick late; readers do not rely on it, they look at the clock.
//
// Invariant: every entry with an expiry is in exactly one slot; the link back
// of the first entry of a slot is the slot's number plus one, which is below
// firstRef and so no entry.
type wheel struct {
	heads [wheelLevels * wheelSlots]Ref
	tick  int64 // next tick to be handled
	count int
}

const (
	tickShift   = 7 // 128 ms
	wheelLevels = 4
	wheelSlots  = 256
	firstRef    = wheelLevels*wheelSlots + 8
)

func (w *wheel) slot(at int64) int {
	t := max(at>>tickShift+1, w.tick)
	t = min(t, w.tick+1<<32-1)
	for level := range wheelLevels {
		if t-w.tick < 1<<(8*(level+1)) {
			return level*wheelSlots + int(t>>(8*level))&(wheelSlots-1)
		}
	}
	panic("memory: wheel: beyond the last level")
}

func (w *wheel) add(a *arena, r Ref, at int64) {
	i := w.slot(at)
	h := a.header(r)
	h.wheelPrev, h.wheelNext = Ref(i+1), w.heads[i]
	if h.wheelNext != 0 {
		a.header(h.wheelNext).wheelPrev = r
	}
	w.heads[i] = r
	w.count++
}

func (w *wheel) remove(a *arena, r Ref) {
	h := a.header(r)
	if h.wheelNext != 0 {
		a.header(h.wheelNext).wheelPrev = h.wheelPrev
	}
	if h.wheelPrev < firstRef {
		w.heads[h.wheelPrev-1] = h.wheelNext
	} else {
		a.header(h.wheelPrev).wheelNext = h.wheelNext
	}
	w.count--
}

// moved mends the list after an entry was copied from one place to another.
func (w *wheel) moved(a *arena, to Ref) {
	h := a.header(to)
	if h.wheelNext != 0 {
		a.header(h.wheelNext).wheelPrev = to
	}
	if h.wheelPrev < firstRef {
		w.heads[h.wheelPrev-1] = to
	} else {
		a.header(h.wheelPrev).wheelNext = to
	}
}

// expired returns an entry whose time has come, zero when there is none or the
// budget is used up. The entry stays in the wheel; the caller removes it.
func (w *wheel) expired(a *arena, now int64, budget *int) Ref {
	end := now >> tickShift
	if w.count == 0 {
		w.tick = max(w.tick, end)
		return 0
	}
	for ; w.tick < end; w.tick++ {
		for level := wheelLevels - 1; level > 0; level-- {
			if w.tick&(1<<(8*level)-1) == 0 && !w.cascade(a, level, budget) {
				return 0
			}
		}
		i := int(w.tick) & (wheelSlots - 1)
		for w.heads[i] != 0 {
			if *budget--; *budget < 0 {
				return 0
			}
			r := w.heads[i]
			at := a.expireAt(r)
			if at <= now {
				return r
			}
			w.remove(a, r)
			w.add(a, r, at)
		}
	}
	return 0
}

// cascade spreads the current slot of a level over the levels below. It
// reports false when the budget ended before the slot was empty.
func (w *wheel) cascade(a *arena, level int, budget *int) bool {
	i := level*wheelSlots + int(w.tick>>(8*level))&(wheelSlots-1)
	for w.heads[i] != 0 {
		if *budget--; *budget < 0 {
			return false
		}
		r := w.heads[i]
		w.remove(a, r)
		w.add(a, r, a.expireAt(r))
	}
	return true
}

// nearestScan bounds how many entries nearest compares.
const nearestScan = 512

// nearest returns the entry that expires first. Among more than nearestScan
// entries of one slot (128 ms wide for what expires within half a minute) it is
// the first of those compared.
func (w *wheel) nearest(a *arena) Ref {
	if w.count == 0 {
		return 0
	}
	for level := range wheelLevels {
		at := int(w.tick >> (8 * level))
		for n := range wheelSlots {
			r := w.heads[level*wheelSlots+(at+n)&(wheelSlots-1)]
			if r == 0 {
				continue
			}
			best, soonest := r, a.expireAt(r)
			for scanned := 0; r != 0 && scanned < nearestScan; scanned++ {
				if t := a.expireAt(r); t < soonest {
					best, soonest = r, t
				}
				r = a.header(r).wheelNext
			}
			return best
		}
	}
	return 0
}
