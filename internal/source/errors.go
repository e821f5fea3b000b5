package source

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The conditions a caller acts on. Errors of this package and of the sources
// satisfy errors.Is with exactly one of them.
var (
	// ErrNotFound: the row does not exist, or its only column is NULL. This
	// is an answer, to be remembered for negative_ttl, not a failure.
	ErrNotFound = errors.New("the source has no such row")
	// ErrNoMatch: the key does not have the form of the namespace's pattern,
	// so the source was not asked.
	ErrNoMatch = errors.New("the key does not match the namespace's pattern")
	// ErrUnavailable: the source cannot be reached or refuses all work.
	ErrUnavailable = errors.New("source unavailable")
	// ErrTimeout: the source did not answer in time.
	ErrTimeout = errors.New("source timed out")
	// ErrQuery: the source is reachable and refuses the query.
	ErrQuery = errors.New("source refuses the query")
	// ErrShape: the answer cannot become a value: columns or rows are not as
	// the result form needs them. See [ShapeError].
	ErrShape = errors.New("result has the wrong shape")
	// ErrBusy: the concurrency limit is reached and no slot became free in
	// time, or too many loads wait already.
	ErrBusy = errors.New("source busy")
	// ErrBreakerOpen: the source failed repeatedly and is given a rest.
	ErrBreakerOpen = errors.New("source circuit breaker open")
	// ErrInternal: the source's driver broke down; see the wrapped text.
	ErrInternal = errors.New("source driver failed")
	// ErrClosed: the loader is closed or was closed during the load.
	ErrClosed = errors.New("loader closed")
)

// Fault classifies a failed load for counters and for the circuit breaker.
type Fault uint8

// The faults, in the order of [LoaderStats.Errors].
const (
	FaultUnavailable Fault = iota // unreachable: counts for the breaker
	FaultTimeout                  // silent: counts for the breaker
	FaultQuery                    // answers, but not to this query
	FaultShape                    // answers with unusable rows
	FaultBusy                     // not asked: concurrency limit
	FaultBreakerOpen              // not asked: breaker open
	FaultInternal                 // driver panicked: counts for the breaker
	FaultClosed                   // not asked, or cut off by Close
	NumFaults
)

var faultNames = [NumFaults]string{
	"unavailable", "timeout", "query", "shape", "busy", "breaker_open", "internal", "closed",
}

var faultSentinels = [NumFaults]error{
	ErrUnavailable, ErrTimeout, ErrQuery, ErrShape, ErrBusy, ErrBreakerOpen, ErrInternal, ErrClosed,
}

// String returns the fault's name as used in the metrics' label.
func (f Fault) String() string {
	if f >= NumFaults {
		return fmt.Sprintf("fault(%d)", uint8(f))
	}
	return faultNames[f]
}

// trips tells whether the fault counts as a failure of the source as a whole.
func (f Fault) trips() bool {
	return f == FaultUnavailable || f == FaultTimeout || f == FaultInternal
}

// FaultOf classifies err, which must be neither nil, [ErrNotFound] nor
// [ErrNoMatch]. What carries no sentinel is [FaultUnavailable], except that an
// exceeded deadline is [FaultTimeout].
func FaultOf(err error) Fault {
	for f, sentinel := range faultSentinels {
		if errors.Is(err, sentinel) {
			return Fault(f)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return FaultTimeout
	}
	return FaultUnavailable
}

// Error is a failed load told to a person: which source, what was wrong, what
// to do. errors.Is finds the fault's sentinel and the cause.
type Error struct {
	Fault   Fault
	Source  string // the source's name in the configuration
	Problem string // what was wrong; empty: the cause's text alone
	Hint    string // what to do; may be empty
	Err     error  // the cause; may be nil
}

// Error returns «source "users": problem: cause (hint)» in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "source %q", e.Source)
	if e.Problem != "" {
		b.WriteString(": " + e.Problem)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return strings.NewReplacer("\n", " ", "\r", " ").Replace(b.String())
}

// Unwrap returns the fault's sentinel and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{faultSentinels[e.Fault]}
	}
	return []error{faultSentinels[e.Fault], e.Err}
}

// ShapeError says which part of an answer does not fit the result form.
type ShapeError struct {
	Problem string   // what does not fit
	Hint    string   // how the query should read instead
	Columns []string // the columns that came, in their order
}

// Error returns «problem; columns: a, b (hint)».
func (e *ShapeError) Error() string {
	return fmt.Sprintf("%s; columns: %s (%s)", e.Problem, strings.Join(e.Columns, ", "), e.Hint)
}

// Unwrap returns [ErrShape].
func (e *ShapeError) Unwrap() error { return ErrShape }

// PanicError is a driver's panic. Its text has no stack, since it may travel to
// clients; whoever logs it should add Stack.
type PanicError struct {
	Value any
	Stack []byte
}

// Error returns the panic's value.
func (e *PanicError) Error() string { return fmt.Sprint(e.Value) }

// isAnswer tells whether a load with this error got what it asked for.
func isAnswer(err error) bool { return err == nil || errors.Is(err, ErrNotFound) }
