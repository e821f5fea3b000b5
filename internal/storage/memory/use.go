package memory

import (
	"time"

	"github.com/larder-cache/larder/internal/eviction"
)

// When and how often an entry was used is in the node of its header, and the
// policy says what the node holds. The node of an entry that is not tracked
// belongs to nobody else: there Prev is the time of the last use.

// useUnit is the unit of [eviction.Time] in milliseconds, as a shift. 31 bits of
// it are 34 years from expiryBase on.
const (
	useUnit    = 9
	maxUseTime = 1<<31 - 1
)

// useTime returns a time in Unix milliseconds as entries keep it.
func useTime(now int64) eviction.Time {
	return eviction.Time(uint64(now-expiryBase)>>useUnit) & maxUseTime
}

// Frequency returns how often the entry was used, on the policy's logarithmic
// scale; ok is false when the policy does not count, or not this entry.
func (s *Store) Frequency(e Entry) (f uint8, ok bool) {
	p, ok := e.s.policy.(eviction.FrequencyReporter)
	if !ok || !e.s.tracked(e.ref) {
		return 0, false
	}
	return p.Frequency(e.ref), true
}

// SetFrequency changes what [Store.Frequency] says of the entry, and with it its
// place in the order of eviction, where the policy counts.
func (h *Handle) SetFrequency(e Entry, f uint8) {
	if p, ok := h.s.policy.(eviction.FrequencyReporter); ok && h.s.tracked(e.ref) {
		p.SetFrequency(e.ref, f)
	}
}

// Idle returns how long ago the entry was used last, to about half a second; ok is
// false when the policy does not keep it. It begins anew when the entry comes to
// another node.
func (s *Store) Idle(e Entry, now int64) (idle time.Duration, ok bool) {
	at, ok := e.s.lastUse(e.ref)
	if !ok {
		return 0, false
	}
	units := int64(useTime(now)) - int64(at)
	return time.Duration(max(units, 0)<<useUnit) * time.Millisecond, true
}

// SetIdle makes the entry one that was used last so many seconds ago, but not before
// 2020. It does nothing where [Store.Idle] knows nothing.
func (h *Handle) SetIdle(e Entry, seconds int64) {
	const roundUp = 1<<useUnit - 1
	units := (min(seconds, maxUseTime)*1000 + roundUp) >> useUnit
	h.s.setLastUse(e.ref, eviction.Time(max(int64(useTime(h.now))-units, 0)))
}

// lastUse returns when an entry was used last; ok is false when that is not kept.
func (s *shard) lastUse(r Ref) (at eviction.Time, ok bool) {
	if !s.tracked(r) {
		return eviction.Time(s.Node(r).Prev), true
	}
	p, ok := s.policy.(eviction.Timekeeper)
	if !ok {
		return 0, false
	}
	return p.LastUse(r), true
}

// setLastUse changes when an entry was used last, where that is kept.
func (s *shard) setLastUse(r Ref, at eviction.Time) {
	if !s.tracked(r) {
		s.Node(r).Prev = Ref(at)
	} else if p, ok := s.policy.(eviction.Timekeeper); ok {
		p.SetLastUse(r, at)
	}
}
