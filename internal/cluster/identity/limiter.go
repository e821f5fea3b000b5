package identity

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Failed joins that an address may make at once, and per second after that.
const (
	failuresAtOnce    = 10
	failuresPerSecond = 0.5
	// maxSources bounds the addresses remembered; the one whose last failure is
	// the longest ago is forgotten.
	maxSources = 1024
)

// limiter counts failed joins by address, IPv6 by /64. Safe for concurrent use.
type limiter struct {
	mu      sync.Mutex
	sources map[netip.Prefix]*source
}

type source struct {
	limit *rate.Limiter
	last  time.Time
}

func newLimiter() *limiter { return &limiter{sources: make(map[netip.Prefix]*source)} }

func prefixOf(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // fails for no address only; all those share the zero prefix
	return p
}

// allowed reports whether the address may try.
func (l *limiter) allowed(ip netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sources[prefixOf(ip)]
	return s == nil || s.limit.TokensAt(now) >= 1
}

// failed notes a failure.
func (l *limiter) failed(ip netip.Addr, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := prefixOf(ip)
	s := l.sources[p]
	if s == nil {
		l.makeRoomLocked()
		s = &source{limit: rate.NewLimiter(failuresPerSecond, failuresAtOnce)}
		l.sources[p] = s
	}
	s.limit.AllowN(now, 1)
	s.last = now
}

func (l *limiter) makeRoomLocked() {
	if len(l.sources) < maxSources {
		return
	}
	var oldest netip.Prefix
	var at time.Time
	for p, s := range l.sources {
		if at.IsZero() || s.last.Before(at) {
			oldest, at = p, s.last
		}
	}
	delete(l.sources, oldest)
}
