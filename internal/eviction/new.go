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
}

// Decayer is implemented by policies whose counters age with time. The caller
// owns the clock: it calls Decay once per decay period (lfu-decay-time, one
// minute by default) with the number of periods that have passed.
type Decayer interface {
	// Decay lowers the counter of every resident entry by steps, down to zero.
	Decay(steps uint)
}
