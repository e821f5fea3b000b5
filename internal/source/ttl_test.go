package source_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/source"
)

func TestJitterTTL(t *testing.T) {
	for _, tt := range []struct {
		name      string
		ttl       time.Duration
		jitter, u float64
		want      time.Duration
	}{
		{"no jitter", time.Minute, 0, 0.9, time.Minute},
		{"no luck", time.Minute, 0.1, 0, time.Minute},
		{"half of a tenth", time.Minute, 0.1, 0.5, 57 * time.Second},
		{"never below a millisecond", time.Millisecond, 0.99, 0.99, time.Millisecond},
		{"no expiry", 0, 0.5, 0.5, 0},
	} {
		if got := source.JitterTTL(tt.ttl, tt.jitter, tt.u); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestEarlyRefresh(t *testing.T) {
	if source.EarlyRefresh(time.Nanosecond, time.Second, 0, 0.999) {
		t.Error("beta 0 is off")
	}
	if source.EarlyRefresh(time.Nanosecond, 0, 1, 0.999) {
		t.Error("an unknown load time gives no ground to refresh")
	}
	if !source.EarlyRefresh(0, time.Second, 1, 0) {
		t.Error("an expired entry must be refreshed")
	}
	// P(refresh) = exp(-remaining / (beta * loadTime)).
	random := rand.New(rand.NewPCG(1, 2))
	const trials = 200_000
	hits := 0
	for range trials {
		if source.EarlyRefresh(2*time.Second, time.Second, 2, random.Float64()) {
			hits++
		}
	}
	if got, want := float64(hits)/trials, math.Exp(-1); math.Abs(got-want) > 0.01 {
		t.Errorf("refreshed %.3f of the time, want %.3f", got, want)
	}
}
