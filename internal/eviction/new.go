package eviction

import "fmt"

// New returns an empty policy of the given name over e, which the policy keeps
// and reads for as long as it lives. Names that are not [Name.Tracked] are an
// error: the caller serves them without a policy.
//
// Call [Policy.SetCapacity] before the first Add; without it the capacity is
// unlimited.
func New(name Name, e Entries) (Policy, error) {
	switch name {
	case Adaptive:
		return newAdaptive(e), nil
	case AllKeysLRU, VolatileLRU:
		return newLRU(e), nil
	case AllKeysLFU, VolatileLFU:
		return newLFU(e), nil
	case S3FIFO:
		return newS3FIFO(e), nil
	case Sieve:
		return newSieve(e), nil
	case WTinyLFU:
		return newTinyLFU(e), nil
	}
	if !name.Tracked() {
		return nil, fmt.Errorf("eviction policy %q keeps no order of entries", name)
	}
	return nil, fmt.Errorf("unknown eviction policy %q", name)
}

// FrequencyReporter is implemented by policies that count how often an entry is
// used.
type FrequencyReporter interface {
	// Frequency returns the logarithmic access counter of a resident entry, 0 to
	// 255, as Redis's OBJECT FREQ shows it.
	Frequency(r Ref) uint8
	// SetFrequency changes the counter. Where it cannot be as high as f for the
	// moment it is the highest that it can be.
	SetFrequency(r Ref, f uint8)
}

// Timekeeper is implemented by policies that know when an entry was used last.
type Timekeeper interface {
	// LastUse returns when a resident entry was added or touched last. What a
	// policy cannot keep exactly it takes to be earlier than it was.
	LastUse(r Ref) Time
	// SetLastUse makes t the time of the last use, and gives the entry the place
	// in the order that goes with it where the order is one of time.
	SetLastUse(r Ref, t Time)
}

// Decayer is implemented by policies whose counters age with time. The caller
// owns the clock: it calls Decay once per decay period (lfu-decay-time, one
// minute by default) with the number of periods that have passed.
type Decayer interface {
	// Decay lowers the counter of every resident entry by steps, down to zero.
	Decay(steps uint)
}
