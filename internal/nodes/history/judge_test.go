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

// cas and expire are at of operations that need more. Times are milliseconds here.
func cas(from, to int, wanted, written int64, outcome Outcome, found int64) Op {
	o := at(from, to, Cas, found, outcome)
	o.Wanted, o.Written = wanted, written
	return o
}

func expire(from, to int, millis int64, outcome Outcome, found int64) Op {
	o := at(from, to, Expire, found, outcome)
	o.Millis = millis
	return o
}

func millis(list ...Op) []Op {
	for i := range list {
		list[i].Start *= time.Millisecond
		list[i].End *= time.Millisecond
	}
	return list
}

// TestJudgeCells: what compare and set, DEL and EXPIRE may have done.
func TestJudgeCells(t *testing.T) {
	set := at(0, 1, Set, 7, OK)
	for _, row := range []struct {
		name string
		ops  []Op
		not  int
	}{
		{"set if equal", []Op{set, cas(2, 3, 7, 8, OK, 1), at(4, 5, Get, 8, OK)}, 0},
		{"set though not equal", []Op{set, cas(2, 3, 6, 8, OK, 1)}, 1},
		{"not set though equal", []Op{set, cas(2, 3, 7, 8, OK, 0)}, 1},
		{"both of two that want the same", []Op{set, cas(2, 5, 7, 8, OK, 1), cas(3, 6, 7, 9, OK, 1)}, 1},
		{"set of nothing", []Op{cas(0, 1, 0, 8, OK, 0), at(2, 3, Get, 0, OK)}, 0},
		{"unknown, and done", []Op{set, cas(2, 3, 7, 8, Unknown, 0), at(4, 5, Get, 8, OK)}, 0},
		{"deleted", []Op{set, at(2, 3, Del, 1, OK), at(4, 5, Get, 0, OK), at(6, 7, Del, 0, OK)}, 0},
		{"deleted twice", []Op{set, at(2, 3, Del, 1, OK), at(4, 5, Del, 1, OK)}, 1},
		{"back after it was deleted", []Op{set, at(2, 3, Del, 1, OK), at(4, 5, Get, 7, OK)}, 1},
		{"gone in time", []Op{set, expire(2, 3, 1000, OK, 1), at(500, 501, Get, 7, OK), at(1100, 1101, Get, 0, OK)}, 0},
		{"gone too soon", []Op{set, expire(2, 3, 1000, OK, 1), at(500, 501, Get, 0, OK)}, 1},
		{"gone too late", []Op{set, expire(2, 3, 1000, OK, 1), at(1300, 1301, Get, 7, OK)}, 1},
		{"kept by a SET", []Op{set, expire(2, 3, 1000, OK, 1), at(500, 501, Set, 9, OK), at(3000, 3001, Get, 9, OK)}, 0},
		{"gone in spite of a SET", []Op{set, expire(2, 3, 1000, OK, 1), at(500, 501, Set, 9, OK), at(3000, 3001, Get, 0, OK)}, 1},
		{"the later time counts", []Op{set, expire(2, 3, 1000, OK, 1), expire(4, 5, 3000, OK, 1), at(2000, 2001, Get, 7, OK), at(4000, 4001, Get, 0, OK)}, 0},
		{"of nothing", []Op{expire(0, 1, 1000, OK, 0), set, at(2000, 2001, Get, 7, OK)}, 0},
		{"unknown, and lapsed late", []Op{set, expire(2, 3, 1000, Unknown, 0), at(1500, 1501, Get, 7, OK), at(2500, 2501, Get, 0, OK)}, 0},
		{"unknown, and not done", []Op{set, expire(2, 3, 1000, Unknown, 0), at(9000, 9001, Get, 7, OK)}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := Judge(millis(row.ops...), time.Minute)
			if v.Lost+v.Stale != 0 || v.Not != row.not || v.Undecided != 0 {
				t.Errorf("%d lost, %d stale, %d not linearizable: %q", v.Lost, v.Stale, v.Not, v.Examples)
			}
		})
	}
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
	key, form := k.take(1)
	k.doubt(1, key)
	if next, _ := k.take(1); next == key || form != counter {
		t.Errorf("%s stays in use, form %d", key, form)
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
