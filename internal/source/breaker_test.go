package source_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/larder-cache/larder/internal/source"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestBreakerLife(t *testing.T) {
	now := epoch
	b := source.NewBreaker(3, 10*time.Second)
	expect := func(step string, want source.BreakerState) {
		t.Helper()
		if got := b.State(now); got != want {
			t.Fatalf("%s: %v, want %v", step, got, want)
		}
	}
	admit := func(step string) source.Ticket {
		t.Helper()
		ticket, ok := b.Admit(now)
		if !ok {
			t.Fatalf("%s: not admitted", step)
		}
		return ticket
	}
	refuse := func(step string) {
		t.Helper()
		if _, ok := b.Admit(now); ok {
			t.Fatalf("%s: admitted", step)
		}
	}

	for range 2 {
		b.Report(admit("first failures"), source.OutcomeFailed, now, 0)
	}
	b.Report(admit("an answer starts the count anew"), source.OutcomeAnswered, now, 0)
	late := admit("admitted while closed, reported later")
	for range 2 {
		b.Report(admit("failures in a row"), source.OutcomeFailed, now, 0)
	}
	expect("two in a row", source.BreakerClosed)
	if !b.Report(admit("third"), source.OutcomeFailed, now, 0.5) {
		t.Error("the third failure in a row did not open the breaker")
	}
	expect("three in a row", source.BreakerOpen)
	refuse("while open")

	b.Report(late, source.OutcomeAnswered, now, 0)
	expect("an answer to an earlier question says nothing", source.BreakerOpen)

	now = now.Add(10*time.Second + 999*time.Millisecond)
	refuse("the jitter of half a fifth is not over")
	now = now.Add(time.Millisecond)
	expect("the rest is over", source.BreakerHalfOpen)
	probe := admit("probe")
	refuse("one probe at a time")
	b.Report(probe, source.OutcomeUnknown, now, 0)
	probe = admit("a probe that told nothing is followed by another")
	if !b.Report(probe, source.OutcomeFailed, now, 0) {
		t.Error("a failed probe did not open the breaker")
	}
	expect("failed probe", source.BreakerOpen)

	now = now.Add(10 * time.Second)
	b.Report(admit("second probe"), source.OutcomeAnswered, now, 0)
	expect("answered probe", source.BreakerClosed)
	b.Report(admit("closed again"), source.OutcomeFailed, now, 0)
	expect("one failure", source.BreakerClosed)
}

func TestZeroBreakerNeverOpens(t *testing.T) {
	var b source.Breaker
	for range 100 {
		ticket, ok := b.Admit(epoch)
		if !ok || b.Report(ticket, source.OutcomeFailed, epoch, 0) {
			t.Fatal("a breaker without a threshold opened")
		}
	}
}

// TestBreakerProperties drives a breaker at random and checks what its users
// rely on: at most one probe is out, and an open breaker always gets to a
// probe when its rest is over.
func TestBreakerProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := epoch
		b := source.NewBreaker(rapid.IntRange(1, 4).Draw(t, "failures"), time.Second)
		var out []source.Ticket
		probes := 0
		t.Repeat(map[string]func(*rapid.T){
			"admit": func(t *rapid.T) {
				before := b.State(now)
				ticket, ok := b.Admit(now)
				switch {
				case ok && before == source.BreakerOpen:
					t.Fatal("admitted while open")
				case ok && before == source.BreakerHalfOpen:
					if probes++; probes > 1 {
						t.Fatal("two probes are out")
					}
				case !ok && before == source.BreakerClosed:
					t.Fatal("refused while closed")
				case !ok && before == source.BreakerHalfOpen && probes == 0:
					t.Fatal("no probe is out and none is admitted")
				}
				if ok {
					out = append(out, ticket)
				}
			},
			"report": func(t *rapid.T) {
				if len(out) == 0 {
					return
				}
				i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				before := b.State(now)
				ticket := out[i]
				out = append(out[:i], out[i+1:]...)
				o := source.Outcome(rapid.IntRange(0, 2).Draw(t, "outcome"))
				couldProbe := b.WouldAdmit(now)
				b.Report(ticket, o, now, rapid.Float64Range(0, 0.99).Draw(t, "jitter"))
				if before == source.BreakerHalfOpen && !couldProbe && (b.State(now) != before || b.WouldAdmit(now)) {
					probes = 0 // it was the probe's
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
			},
		})
		if now = now.Add(2 * time.Second); b.State(now) == source.BreakerOpen {
			t.Fatal("still open after its rest")
		}
	})
}
