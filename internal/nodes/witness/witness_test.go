package witness

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// table is a server that is a map, and does wrong what it is told to.
type table struct {
	mu     sync.Mutex
	values map[string]string // GUARDED_BY(mu)
	fault  func(args []string) (skip bool, err error)
}

func newTable() *table { return &table{values: map[string]string{}} }

// Call implements [Caller].
func (s *table) Call(batch []Request, each func(int, string, error)) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range batch {
		text, err := s.do(batch[i].Args)
		each(i, text, err)
	}
	return "table"
}

func (s *table) do(args []string) (string, error) {
	skip, err := false, error(nil)
	if s.fault != nil {
		skip, err = s.fault(args)
	}
	key := args[1]
	switch {
	case args[0] == "GET":
		return s.values[key], err
	case skip:
	case args[0] == "SET":
		s.values[key] = args[2]
	case args[0] == "INCR":
		n, _ := strconv.Atoi(s.values[key])
		s.values[key] = strconv.Itoa(n + 1)
	}
	if args[0] == "INCR" {
		return s.values[key], err
	}
	return "OK", err
}

// Close implements [Caller].
func (s *table) Close() error { return nil }

func small(s *table) Config {
	return Config{Prefix: "w", Clients: 3, Keys: 20, Batch: 8, Reads: 3, Bytes: 40, Caller: func(int) Caller { return s }}
}

// work lets a witness work for a number of requests.
func work(t *testing.T, c Config, requests uint64) (*Witness, Tally) {
	t.Helper()
	w, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	sum := w.Cut()
	for sum.Requests < requests {
		more := w.Cut()
		sum.add(&more)
	}
	rest, err := w.Stop()
	if err != nil {
		t.Fatal(err)
	}
	sum.add(&rest)
	return w, sum
}

func TestNothingWrong(t *testing.T) {
	s := newTable()
	w, sum := work(t, small(s), 3000)
	if text := sum.Trouble(); text != "" {
		t.Error(text)
	}
	if writes := sum.WritesTo(func(int) bool { return true }); writes == 0 || writes >= sum.Requests {
		t.Errorf("%d writes of %d requests", writes, sum.Requests)
	}
	v := w.Verify(s)
	if !v.Right() || v.Checked != 60 || w.Keys() != 60 {
		t.Errorf("%+v", v)
	}
}

// TestFaultsAreSeen has a server that errs; each kind must be found while it
// works or in the end.
func TestFaultsAreSeen(t *testing.T) {
	lose := func(command string) func([]string) (bool, error) {
		n := 0
		return func(args []string) (bool, error) {
			if args[0] == command {
				n++
			}
			return n >= 200 && args[0] == command, nil
		}
	}
	for _, row := range []struct {
		name  string
		fault func([]string) (bool, error)
	}{{"lost SETs", lose("SET")}, {"lost INCRs", lose("INCR")}} {
		t.Run(row.name, func(t *testing.T) {
			s := newTable()
			s.fault = row.fault
			w, sum := work(t, small(s), 3000)
			v := w.Verify(s)
			if sum.Wrong == 0 && v.Right() {
				t.Error("nobody saw it")
			}
		})
	}
}

func TestEndIsCompared(t *testing.T) {
	spoil := func(change func(s *table, e *entry)) Verdict {
		s := newTable()
		w, _ := work(t, small(s), 500)
		change(s, w.clients[1].entries[4])
		return w.Verify(s)
	}
	v := spoil(func(s *table, e *entry) { delete(s.values, e.key) })
	if v.Lost != 1 || v.Wrong != 0 || len(v.Examples) != 1 || !strings.Contains(v.Examples[0], "nothing") {
		t.Errorf("a key that is gone: %+v", v)
	}
	v = spoil(func(s *table, e *entry) { s.values[e.key] = e.value(e.high+1, 40) })
	if v.Lost != 0 || v.Wrong != 1 {
		t.Errorf("a value from nowhere: %+v", v)
	}
	v = spoil(func(s *table, e *entry) { s.values[e.key] += "x" })
	if v.Wrong != 1 {
		t.Errorf("a garbled value: %+v", v)
	}
	v = spoil(func(s *table, e *entry) {
		s.fault = func(args []string) (bool, error) {
			if args[1] == e.key {
				return false, errors.New("ERR")
			}
			return false, nil
		}
	})
	if v.Failed != 1 || v.Checked != 59 {
		t.Errorf("a key that cannot be read: %+v", v)
	}
}

// TestDoubt: a write without an answer may have been done or not, now or later,
// and both is right; what lies outside is wrong nevertheless.
func TestDoubt(t *testing.T) {
	broke := errors.New("connection broke")
	for _, row := range []struct {
		name      string
		counter   bool
		done      []error // answers to writes, in turn
		low, high uint64  // what may be found
	}{
		{"all answered", false, []error{nil, nil, nil}, 3, 3},
		{"the last in doubt", false, []error{nil, nil, broke}, 2, 3},
		{"one before in doubt", false, []error{nil, broke, nil}, 2, 3},
		{"counted", true, []error{nil, nil, nil}, 3, 3},
		{"counted, the last in doubt", true, []error{nil, nil, broke}, 2, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := &entry{key: "k", counter: row.counter}
			for i, err := range row.done {
				r := e.ask(e.write(), 10)
				text := "OK"
				if row.counter {
					text = strconv.Itoa(i + 1)
				}
				if err := r.answered(text, err); err != nil {
					t.Fatal(err)
				}
			}
			for state := range uint64(6) {
				value := ""
				if state > 0 {
					value = e.value(state, 10)
				}
				right := state >= row.low && state <= row.high
				if err := e.compare(value, e.high, "found"); (err == nil) != right {
					t.Errorf("state %d: %v", state, err)
				}
			}
		})
	}
}

func TestWithin(t *testing.T) {
	s := newTable()
	c := small(s)
	c.Within = func(p int) bool { return p < 10 }
	_, sum := work(t, c, 200)
	if n := sum.WritesTo(func(p int) bool { return p >= 10 }); n != 0 {
		t.Errorf("%d writes to other partitions", n)
	}
}

func TestDirectWithoutAnyone(t *testing.T) {
	d := &Direct{Addresses: func() []string { return nil }, Random: rand.New(rand.NewPCG(1, 1))}
	failed := 0
	d.Call(make([]Request, 3), func(_ int, _ string, err error) {
		if err != nil {
			failed++
		}
	})
	if failed != 3 {
		t.Errorf("%d of 3 failed", failed)
	}
}
