package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// at makes an operation that takes from one time to another.
func at(from, to int, kind Kind, n int64, outcome Outcome) Op {
	o := Op{Kind: kind, Key: "k", Outcome: outcome, Start: time.Duration(from), End: time.Duration(to)}
	if kind == Set {
		o.Written = n
	} else {
		o.Found = n
	}
	return o
}

func TestJudge(t *testing.T) {
	reader := func(o Op) Op { o.Client = Reader; return o }
	for _, row := range []struct {
		name             string
		ops              []Op
		lost, stale, not int
	}{
		{name: "in order", ops: []Op{at(0, 1, Set, 7, OK), at(2, 3, Get, 7, OK), at(4, 5, Set, 8, OK), at(6, 7, Get, 8, OK)}},
		{name: "counter", ops: []Op{at(0, 3, Incr, 2, OK), at(1, 4, Incr, 1, OK), at(5, 6, Get, 2, OK)}},
		{name: "unknown that was done late", ops: []Op{at(0, 1, Incr, 0, Unknown), at(2, 3, Incr, 1, OK), at(4, 5, Get, 2, OK)}},
		{name: "unknown that was not done", ops: []Op{at(0, 1, Set, 5, Unknown), at(2, 3, Get, 0, OK)}},
		{name: "refused", ops: []Op{at(0, 1, Incr, 0, Refused), at(2, 3, Incr, 1, OK)}},
		{name: "refused and done", ops: []Op{at(0, 1, Incr, 0, Refused), at(2, 3, Incr, 2, OK)}, not: 1},
		{name: "lost counter", ops: []Op{at(0, 1, Incr, 1, OK), at(2, 3, Incr, 2, OK), reader(at(4, 5, Get, 1, OK))}, lost: 1, not: 1},
		{name: "the same number twice", ops: []Op{at(0, 1, Incr, 1, OK), at(2, 3, Incr, 1, OK)}, lost: 1, not: 1},
		{name: "lost register", ops: []Op{at(0, 1, Set, 7, OK), reader(at(2, 3, Get, 0, OK))}, lost: 1, not: 1},
		{name: "stale", ops: []Op{at(0, 1, Set, 7, OK), at(2, 3, Set, 8, OK), at(4, 5, Get, 7, OK), at(6, 7, Get, 8, OK)}, stale: 1, not: 1},
		{name: "either of two at once", ops: []Op{at(0, 5, Set, 7, OK), at(1, 3, Set, 8, OK), at(6, 7, Get, 7, OK)}},
		{name: "back and forth", ops: []Op{at(0, 5, Set, 7, OK), at(1, 3, Set, 8, OK), at(6, 7, Get, 7, OK), at(8, 9, Get, 8, OK)}, not: 1},
		{name: "written by nobody", ops: []Op{at(0, 1, Set, 7, OK), at(2, 3, Get, 9, OK)}, not: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := Judge(row.ops, time.Minute)
			if v.Lost != row.lost || v.Stale != row.stale || v.Not != row.not || v.Undecided != 0 {
				t.Errorf("%d lost, %d stale, %d not linearizable: %q", v.Lost, v.Stale, v.Not, v.Examples)
			}
			if v.Right() != (row.not == 0) || len(v.Broken) != row.not {
				t.Errorf("right %t, %d broken", v.Right(), len(v.Broken))
			}
			if err := Draw(row.ops, filepath.Join(t.TempDir(), "k.html"), time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	reply := func(text string) error { return fmt.Errorf("%w: %s", nodes.ErrReply, text) }
	for _, row := range []struct {
		err  error
		want Outcome
	}{
		{nil, OK},
		{fmt.Errorf("%w: connection refused", errNotSent), Refused},
		{errors.New("EOF"), Unknown},
		{errors.New("the request was not executed"), Unknown}, // no reply says so
		{reply("TRYAGAIN The link to the owner of the key is full; the request was not executed"), Refused},
		{reply("NOREPLICAS Not enough good replicas to write."), Refused},
		{reply("ERR The connection to the owner of the key was lost: whether the request was executed is not known"), Unknown},
	} {
		if got := outcomeOf(row.err); got != row.want {
			t.Errorf("%v: %s, want %s", row.err, got, row.want)
		}
	}
}

func TestGaps(t *testing.T) {
	ops := []Op{
		at(0, 10, Get, 0, OK), at(10, 12, Get, 0, OK), at(12, 50, Get, 0, Unknown), at(60, 100, Get, 0, OK), at(100, 190, Get, 0, OK),
	}
	stays := at(0, 1, Get, 0, OK)
	stays.Client = stayers - 1
	late := stays
	late.End = 1000
	ops = append(ops, stays, late)
	gaps := Gaps(ops, 80)
	if len(gaps) != 2 || gaps[0] != (Span{12, 100}) || gaps[1] != (Span{100, 190}) {
		t.Fatalf("gaps %v", gaps)
	}
	if got := Longest(gaps, Span{50, 60}); got != 88 {
		t.Errorf("longest %d", got)
	}
	if got := Longest(gaps, Span{200, 300}); got != 0 {
		t.Errorf("longest where there is none %d", got)
	}
	if u := Union(gaps); len(u) != 1 || u[0] != (Span{12, 190}) {
		t.Errorf("union %v", u)
	}
}

func TestKeysAreUsedUp(t *testing.T) {
	k := newKeys(&Config{Prefix: "p", Keys: 2, KeyOps: 3, KeyUnknown: 1})
	for range 4 {
		k.take(0)
	}
	key, counter := k.take(1)
	k.doubt(1, key)
	if next, _ := k.take(1); next == key || !counter {
		t.Errorf("%s stays in use, counter %t", key, counter)
	}
	if got := fmt.Sprint(k.list()); got != "[p:0:1 p:1:1 p:0:2 p:1:2]" {
		t.Errorf("keys %s", got)
	}
}

// TestNobodyThere has clients that find no node: everything is refused, and
// written down as it was.
func TestNobodyThere(t *testing.T) {
	var file bytes.Buffer
	r := NewRecorder(&file)
	cs, err := Start(Config{Addresses: func() []string { return nil }, Recorder: r, Think: time.Microsecond, Keys: 2})
	if err != nil {
		t.Fatal(err)
	}
	for len(r.Ops()) < 100 {
		<-time.After(time.Millisecond)
	}
	cs.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := cs.ReadAll(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read all: %v", err)
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	ops, err := Read(&file)
	if err != nil || len(ops) != len(r.Ops()) || ops[0] != r.Ops()[0] {
		t.Fatalf("read back %d of %d: %v", len(ops), len(r.Ops()), err)
	}
	for _, o := range ops {
		if o.Outcome != Refused {
			t.Fatalf("%+v", o)
		}
	}
}
