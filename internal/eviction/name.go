package eviction

import (
	"fmt"
	"strings"
)

// Name is the configured name of a policy: one of Redis's maxmemory-policy
// values or one of larder's own. The zero value is no policy; [ParseName] turns
// user input into a Name that is known to exist.
type Name string

// The names Redis has. The random, ttl and noeviction ones need no order of
// entries: the storage engine serves them from its index and its timing wheel,
// and [New] refuses them (see [Name.Tracked]).
const (
	NoEviction     Name = "noeviction"
	AllKeysLRU     Name = "allkeys-lru"
	AllKeysLFU     Name = "allkeys-lfu"
	AllKeysRandom  Name = "allkeys-random"
	VolatileLRU    Name = "volatile-lru"
	VolatileLFU    Name = "volatile-lfu"
	VolatileRandom Name = "volatile-random"
	VolatileTTL    Name = "volatile-ttl"
)

// The names larder adds. All of them consider every key.
const (
	// Adaptive is larder's default; see the package comment.
	Adaptive Name = "adaptive"
	// S3FIFO is the static three-queue FIFO of Yang et al., SOSP 2023.
	S3FIFO Name = "s3-fifo"
	// Sieve is the lazy-promotion FIFO of Zhang et al., NSDI 2024.
	Sieve Name = "sieve"
	// WTinyLFU is the admission policy of Einziger et al., ACM ToS 2017.
	WTinyLFU Name = "w-tinylfu"
)

// Default is the policy of a server whose configuration names none.
const Default = Adaptive

// names lists every known policy in the order in which they are shown.
var names = []Name{
	Adaptive,
	NoEviction,
	AllKeysLRU, AllKeysLFU, AllKeysRandom,
	VolatileLRU, VolatileLFU, VolatileRandom, VolatileTTL,
	S3FIFO, Sieve, WTinyLFU,
}

// aliases maps other spellings to a known name.
var aliases = map[string]Name{
	"allkeys-adaptive": Adaptive,
	"lru":              AllKeysLRU,
	"lfu":              AllKeysLFU,
}

// Names returns every known policy name. The caller owns the slice.
func Names() []Name { return append([]Name(nil), names...) }

// TrackedNames returns the policies that [New] can make for the whole key space,
// in the order in which they are shown. The caller owns the slice.
func TrackedNames() []Name {
	var out []Name
	for _, n := range names {
		if n.Tracked() && !n.Volatile() {
			out = append(out, n)
		}
	}
	return out
}

// ParseName returns the policy that s names, regardless of case. The error
// lists the known names.
func ParseName(s string) (Name, error) {
	lower := strings.ToLower(strings.TrimSpace(s))
	if n, ok := aliases[lower]; ok {
		return n, nil
	}
	for _, n := range names {
		if string(n) == lower {
			return n, nil
		}
	}
	known := make([]string, len(names))
	for i, n := range names {
		known[i] = string(n)
	}
	return "", fmt.Errorf("unknown eviction policy %q (known: %s)", s, strings.Join(known, ", "))
}

// Evicts reports whether a full cache makes room at all under this policy.
func (n Name) Evicts() bool { return n != NoEviction && n != "" }

// Volatile reports whether only entries with an expiry are candidates.
func (n Name) Volatile() bool { return strings.HasPrefix(string(n), "volatile-") }

// Tracked reports whether the policy keeps an order of entries, that is, whether
// [New] makes a [Policy] for it and the engine must call it on every access.
func (n Name) Tracked() bool {
	switch n {
	case NoEviction, AllKeysRandom, VolatileRandom, VolatileTTL, "":
		return false
	}
	return true
}

// CountsFrequency reports whether the policy implements [FrequencyReporter], so
// that OBJECT FREQ has an answer.
func (n Name) CountsFrequency() bool { return n == AllKeysLFU || n == VolatileLFU }

// String returns the name as it is written in a configuration.
func (n Name) String() string { return string(n) }
