package history

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Verdict is what a history says of the cluster.
type Verdict struct {
	Keys, Ops int
	Lost      int // acknowledged writes that a later read, or the end, is without
	Stale     int // reads of a value that had been overwritten before they began
	Not       int // keys whose histories are not linearizable
	Undecided int // keys whose check took too long
	Examples  []string
	// Broken are the histories that are not linearizable, by key: the first few.
	Broken map[string][]Op
}

// Right reports whether nothing contradicts the promise. Undecided keys do not.
func (v *Verdict) Right() bool { return v.Lost == 0 && v.Stale == 0 && v.Not == 0 }

// Bounds of what a verdict keeps.
const (
	maxExamples = 12
	maxBroken   = 4
)

// Judge checks all histories, each key for itself: first what can be said in
// words, then with porcupine, which may take perKey for one key. The last
// operation of every key is to be one of [Clients.ReadAll].
func Judge(ops []Op, perKey time.Duration) *Verdict {
	v := &Verdict{Ops: len(ops), Broken: map[string][]Op{}}
	byKey := map[string][]Op{}
	for _, o := range ops {
		byKey[o.Key] = append(byKey[o.Key], o)
	}
	v.Keys = len(byKey)
	for _, name := range slices.Sorted(maps.Keys(byKey)) {
		list := byKey[name]
		slices.SortFunc(list, func(a, b Op) int { return int(a.Start - b.Start) })
		v.words(list)
		switch porcupine.CheckOperationsTimeout(key, operations(list), perKey) {
		case porcupine.Illegal:
			v.Not++
			v.example("%s: its %d operations are not linearizable", name, len(list))
			if len(v.Broken) < maxBroken {
				v.Broken[name] = list
			}
		case porcupine.Unknown:
			v.Undecided++
		}
	}
	return v
}

func (v *Verdict) example(format string, args ...any) {
	if len(v.Examples) < maxExamples {
		v.Examples = append(v.Examples, fmt.Sprintf(format, args...))
	}
}

// words looks for what has a name in the history of one register or counter. Every
// contradiction that it finds porcupine would find too, without saying which.
func (v *Verdict) words(list []Op) {
	if slices.ContainsFunc(list, func(o Op) bool { return o.Kind == Cas || o.Kind == Del || o.Kind == Expire }) {
		return // a value may be gone, or not have been written
	}
	for i := range list {
		read := &list[i]
		if read.Outcome != OK || read.Kind == Set {
			continue
		}
		last := newestBefore(list, read)
		if last == nil || !overtaken(list, read, last) {
			continue
		}
		how := "stale"
		if read.Client == Reader || read.Kind == Incr || read.Found == 0 {
			v.Lost++
			how = "lost"
		} else {
			v.Stale++
		}
		v.example("%s: %s of %s through %s at %s found %d; %s", how, read.Kind, read.Key, read.Node, read.Start.Round(time.Millisecond), read.Found, last)
	}
}

func (o *Op) String() string {
	what := fmt.Sprintf("%s %d", o.Kind, o.Written)
	if o.Kind == Incr {
		what = fmt.Sprintf("incr to %d", o.Found)
	}
	return fmt.Sprintf("%s was acknowledged through %s at %s (sent at %s)", what, o.Node, o.End.Round(time.Millisecond), o.Start.Round(time.Millisecond))
}

// newestBefore returns the acknowledged write, among those that ended before a
// read began, that no other one of these follows: for counters the highest, for
// registers the one that began last.
func newestBefore(list []Op, read *Op) (last *Op) {
	for i := range list {
		w := &list[i]
		if w == read || !w.write() || w.Outcome != OK || w.End >= read.Start {
			continue
		}
		if last == nil || w.Kind == Incr && w.Found > last.Found || w.Kind == Set && w.Start > last.Start {
			last = w
		}
	}
	return last
}

// overtaken reports whether what a read found is certainly older than a write
// that was acknowledged before it began.
func overtaken(list []Op, read, last *Op) bool {
	if last.Kind == Incr {
		return read.Found < last.Found || read.Kind == Incr && read.Found == last.Found
	}
	if read.Found == 0 {
		return true
	}
	for i := range list {
		if w := &list[i]; w.Kind == Set && w.Written == read.Found {
			return w.Outcome == OK && w.End < last.Start
		}
	}
	return false // nobody wrote it: porcupine says so
}

// answer is the output of an operation in the model.
type answer struct {
	known bool
	found int64
}

// state is a key in the model. The zero value is one that does not exist.
type state struct {
	value int64
	lapse *Op // the Expire in force, nil: none
}

// lapsed is what an Expire does later.
type lapsed struct{ of *Op }

// slack is how much sooner or later than its time a key may be gone: nodes look at
// their clocks now and then.
const slack = 200 * time.Millisecond

// key is the model of a key: what SET writes and INCR adds, until DEL or the end of
// its time to live. An operation whose outcome is unknown may do its work at any time
// after its start; that it never does is that it does so in the end.
var key = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(before, input, output any) (bool, any) {
		was := before.(state)
		o, ok := input.(*Op)
		if !ok {
			if was.lapse == input.(lapsed).of {
				return true, state{}
			}
			return true, was
		}
		next, found := was.after(o)
		a := output.(answer)
		return !a.known || o.Kind == Set || a.found == found, next
	},
	DescribeOperation: func(input, output any) string {
		o, ok := input.(*Op)
		if !ok {
			return "its time is over"
		}
		a := output.(answer)
		text := string(o.Kind)
		switch o.Kind {
		case Set:
			text += fmt.Sprint(" ", o.Written)
		case Cas:
			text += fmt.Sprint(" ", o.Wanted, " to ", o.Written)
		case Expire:
			text += fmt.Sprint(" after ", o.Millis, " ms")
		}
		if !a.known {
			return text + " (unknown)"
		}
		if o.Kind != Set {
			text += fmt.Sprint(" -> ", a.found)
		}
		return text
	},
}

// after returns what an operation makes of a key, and what it finds.
func (s state) after(o *Op) (next state, found int64) {
	exists := int64(0)
	if s.value != 0 {
		exists = 1
	}
	switch o.Kind {
	case Set:
		return state{value: o.Written}, 0
	case Incr:
		return state{s.value + 1, s.lapse}, s.value + 1
	case Cas:
		if s.value == 0 || s.value != o.Wanted {
			return s, 0
		}
		return state{value: o.Written}, 1
	case Del:
		return state{}, exists
	case Expire:
		if s.value == 0 {
			return s, 0
		}
		return state{s.value, o}, 1
	}
	return s, s.value
}

// operations translates the history of a key. What was refused is not in it, nor
// is a read without an answer.
func operations(list []Op) (out []porcupine.Operation) {
	for i := range list {
		o := &list[i]
		p := porcupine.Operation{
			ClientId: o.Client - Reader, Input: o, Call: int64(o.Start), Return: int64(o.End),
			Output: answer{true, o.Found},
		}
		switch {
		case o.Outcome == Refused || o.Outcome == Unknown && !o.write():
			continue
		case o.Outcome == Unknown:
			p.Return, p.Output = math.MaxInt64, answer{}
		}
		out = append(out, p)
		if o.Kind == Expire && (o.Outcome == Unknown || o.Found == 1) {
			out = append(out, lapseOf(o, p))
		}
	}
	return out
}

// lapseOf returns the end of a time to live as an operation of nobody's.
func lapseOf(o *Op, p porcupine.Operation) porcupine.Operation {
	after := time.Duration(o.Millis) * time.Millisecond
	p.Call = max(int64(o.Start), int64(o.Start+after-slack))
	if p.Return != math.MaxInt64 {
		p.Return = int64(o.End + after + slack)
	}
	p.Input, p.Output = lapsed{o}, answer{}
	return p
}

// Draw writes porcupine's own picture of a history of one key as a page.
func Draw(list []Op, path string, within time.Duration) error {
	_, info := porcupine.CheckOperationsVerbose(key, operations(list), within)
	return porcupine.VisualizePath(key, info, path)
}
