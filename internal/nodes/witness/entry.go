package witness

import (
	"fmt"
	"strconv"
	"strings"
)

// kind is what a request does, and of an entry what its key is for.
type kind uint8

const (
	set  kind = iota // of keys that hold a numbered value
	incr             // of counters
	get              // of both
)

// entry is what is known of a key. Its state is the number of the last SET, or
// what the counter is at.
//
// Invariant: low <= what the key holds <= high, except that a SET in doubt may
// have come later than the ones behind it; low and high are equal when every
// request so far was answered without an error.
type entry struct {
	key       string
	counter   bool
	low, high uint64
	doubt     uint64 // the first SET that failed, and may still be done at any time; 0: none
}

// Request is a request for one key.
type Request struct {
	Args []string // the command and its arguments
	kind kind
	at   *entry
	to   uint64 // high when it was made: what it writes, or the newest a read may find
}

// ask makes a request.
func (e *entry) ask(k kind, size int) Request {
	switch k {
	case set:
		e.high++
		return Request{Args: []string{"SET", e.key, e.value(e.high, size)}, kind: k, at: e, to: e.high}
	case incr:
		e.high++
		return Request{Args: []string{"INCR", e.key}, kind: k, at: e, to: e.high}
	}
	return Request{Args: []string{"GET", e.key}, kind: k, at: e, to: e.high}
}

// value returns what the key holds in a state. The size is of sets only.
func (e *entry) value(state uint64, size int) string {
	if e.counter {
		return strconv.FormatUint(state, 10)
	}
	v := e.key + " " + strconv.FormatUint(state, 10) + " "
	return v + strings.Repeat(filler, max(size-len(v), 0))
}

const filler = "."

// state reads a value back. Zero is the state of a key that was never written.
func (e *entry) state(value string) (uint64, error) {
	text := value
	if !e.counter {
		rest, ok := strings.CutPrefix(value, e.key+" ")
		number, fill, more := strings.Cut(rest, " ")
		if !ok || !more || strings.Trim(fill, filler) != "" {
			return 0, fmt.Errorf("%s holds %.60q, which nobody wrote there", e.key, value)
		}
		text = number
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s holds %.60q, which nobody wrote there", e.key, value)
	}
	return n, nil
}

// answered takes in the reply to a request: err when there was none or it was an
// error, else the text or the number. The error returned is a contradiction with
// what is known.
func (r *Request) answered(text string, err error) error {
	e := r.at
	if err != nil {
		if r.kind == set && e.doubt == 0 {
			e.doubt = r.to
		}
		return nil
	}
	switch r.kind {
	case set:
		e.low = r.to
		return nil
	case incr:
		state, err := e.state(text)
		switch {
		case err != nil:
			return err
		case state <= e.low || state > r.to:
			return fmt.Errorf("INCR %s returned %d, not %s", e.key, state, between(e.low+1, r.to))
		}
		e.low = state
		return nil
	}
	return e.compare(text, r.to, "GET")
}

// compare judges a value that was read, empty for none.
func (e *entry) compare(value string, high uint64, how string) error {
	var state uint64
	if value != "" {
		var err error
		if state, err = e.state(value); err != nil {
			return err
		}
	}
	low := e.low
	if e.doubt != 0 {
		low = min(low, e.doubt)
	}
	if state < low || state > high {
		return &Contradiction{Key: e.key, How: how, Found: state, Low: low, High: high}
	}
	return nil
}

// Contradiction is a value that cannot be right.
type Contradiction struct {
	Key       string
	How       string // it was found
	Found     uint64 // its number; 0: there was no value
	Low, High uint64 // what would be right
}

func (c *Contradiction) Error() string {
	found := strconv.FormatUint(c.Found, 10)
	if c.Found == 0 {
		found = "nothing"
	}
	return fmt.Sprintf("%s %s: %s, not %s", c.How, c.Key, found, between(c.Low, c.High))
}

func between(low, high uint64) string {
	if low == high {
		return strconv.FormatUint(low, 10)
	}
	return fmt.Sprintf("%d to %d", low, high)
}
