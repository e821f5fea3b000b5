package history

import (
	"slices"
	"time"
)

// Span is some time of a history.
type Span struct{ From, To time.Duration }

// Long returns how long it is.
func (s Span) Long() time.Duration { return s.To - s.From }

// Gaps returns, for every client that keeps away from nodes that hang, the times
// of at least min between two of its operations that went well, in the order of
// their begin. A pause that a client wants itself is in them: min is to be longer.
func Gaps(ops []Op, min time.Duration) (list []Span) {
	last := map[int]time.Duration{}
	for i := range ops {
		o := &ops[i]
		if o.Client == Reader || Stays(o.Client) || o.Outcome != OK {
			continue
		}
		if since, ok := last[o.Client]; ok && o.End-since >= min {
			list = append(list, Span{since, o.End})
		}
		last[o.Client] = o.End
	}
	slices.SortFunc(list, func(a, b Span) int { return int(a.From - b.From) })
	return list
}

// Longest returns the longest of the gaps that overlap a span, zero for none.
func Longest(gaps []Span, in Span) (long time.Duration) {
	for _, g := range gaps {
		if g.From < in.To && g.To > in.From {
			long = max(long, g.Long())
		}
	}
	return long
}

// Union joins spans, sorted by their begin, that touch each other.
func Union(list []Span) (out []Span) {
	for _, s := range list {
		if n := len(out); n > 0 && s.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}

// Unserved returns for how long a key was asked for in vain within a span, at
// most, by key: from the first of its operations that failed or waited, or the last
// success, to the next that succeeded, whoever sent it, or to the last one: keys are
// used up. Only operations of these kinds count; keys without any are absent.
func Unserved(ops []Op, in Span, kinds ...Kind) map[string]time.Duration {
	longest, since, served := map[string]time.Duration{}, map[string]time.Duration{}, map[string]time.Duration{}
	for i := range ops { // by the time of their end
		o := &ops[i]
		if !slices.Contains(kinds, o.Kind) || o.End < in.From || o.Start > in.To {
			continue
		}
		begun := max(o.Start, in.From, served[o.Key])
		if first, failed := since[o.Key]; failed {
			begun = min(first, begun)
		}
		longest[o.Key] = max(longest[o.Key], min(o.End, in.To)-begun)
		if o.Outcome == OK {
			delete(since, o.Key)
			served[o.Key] = o.End
		} else {
			since[o.Key] = begun
		}
	}
	return longest
}
