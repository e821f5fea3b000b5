package model

import (
	"strings"
	"testing"
)

func TestProtocolHolds(t *testing.T) {
	for _, c := range []struct {
		name  string
		scope Scope
	}{
		{"one copy, nobody dies", Scope{Writes: 2, Breaks: 1, Views: 4, Epochs: 2}},
		{"one copy, one dies", Scope{Writes: 1, Crashes: 1, Breaks: 1, Views: 4, Epochs: 2}},
		{"two copies", Scope{Writes: 1, Crashes: 1, Views: 3, Epochs: 3, Both: true}},
		{"swaps", Scope{Writes: 1, Crashes: 1, Views: 3, Epochs: 3, Swaps: true}},
		{"swaps with two copies", Scope{Writes: 1, Views: 3, Epochs: 3, Both: true, Swaps: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Search(c.scope, None, 250_000)
			t.Logf("%d states, cut %v", f.States, f.Cut)
			if f.Wrong != "" {
				t.Errorf("%s:\n%s", f.Wrong, strings.Join(f.Path, "\n"))
			}
		})
	}
}

func TestEveryRuleIsNeeded(t *testing.T) {
	one := Scope{Writes: 2, Crashes: 1, Breaks: 1, Views: 4, Epochs: 2}
	calm := Scope{Writes: 2, Views: 4, Epochs: 2}
	both := Scope{Writes: 1, Views: 4, Epochs: 2, Both: true}
	for _, c := range []struct {
		name  string
		fault Fault
		scope Scope
	}{
		{"a promise fences", PromiseDoesNotFence, calm},
		{"a learner is offered first", NoOffer, one},
		{"and has what was executed before", OfferWithoutAck, one},
		{"an old report does not count", OldReport, Scope{Writes: 1, Views: 6, Epochs: 1}},
		{"one in sync is not begun anew", BeginInSync, one},
		{"a learner is begun anew", ResumeLearner, calm},
		{"a stream fences", StreamDoesNotFence, both},
		{"a lease is waited for", LeaseNotWaited, one},
		{"reads need a lease", NoLease, one},
		{"who has nothing does not follow", EmptyIsWhole, one},
		{"learners do not follow", LearnerFollows, one},
		{"all in sync acknowledge", OneOfMany, both},
		{"an owner without anything does not serve", EmptyOwnerServes, one},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Search(c.scope, c.fault, 500_000)
			if f.Wrong == "" {
				t.Fatalf("%d states, cut %v, and nothing is wrong", f.States, f.Cut)
			}
			t.Logf("%d states: %s:\n%s", f.States, f.Wrong, strings.Join(f.Path, "\n"))
		})
	}
}
