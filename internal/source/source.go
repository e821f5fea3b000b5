package source

import (
	"context"

	"github.com/larder-cache/larder/internal/source/query"
)

// Source is one configured place where missed keys are fetched from. All
// methods are safe for concurrent use. A new kind of source implements Source
// and [Lookup]; nothing else needs to know it.
//
// Errors satisfy errors.Is with one of this package's sentinels, or else count
// as [FaultUnavailable].
type Source interface {
	// Prepare checks a namespace's question, without I/O, and returns what
	// answers it. It succeeds while the source is down.
	Prepare(Question) (Lookup, error)
	// Ping tells whether the source answers now. It blocks until it does,
	// fails, or ctx is done.
	Ping(ctx context.Context) error
	// Close releases the connections after running lookups have returned.
	// Calling it again does nothing.
	Close() error
}

// Lookup answers one prepared question. It is safe for concurrent use.
type Lookup interface {
	// Load fetches the value for one key's parts. It returns ErrNotFound when
	// the row does not exist, and must return soon after ctx is done: callers
	// rely on that for their time-out. The returned bytes belong to the
	// caller.
	Load(ctx context.Context, p Params) (Value, error)
}

// Question is what a namespace asks of its source.
type Question struct {
	// Query is the SQL text with :name parameters.
	Query string
	// Pattern gives the parameters their names and types.
	Pattern *Pattern
	// Result is the form of the value. The zero value is invalid.
	Result Result
}

// Parse translates the query for a dialect and connects its parameters with
// the pattern's parts. The error names the position and the remedy.
func (q Question) Parse(d query.Dialect) (*query.Bound, error) {
	parsed, err := query.Parse(q.Query, d)
	if err != nil {
		return nil, err
	}
	return parsed.Bind(q.Pattern.Names())
}

// Result is the form in which a row becomes a value.
type Result string

const (
	// ResultColumn takes the row's only column as raw bytes.
	ResultColumn Result = "column"
	// ResultJSON makes the row a JSON object with the column names as keys.
	ResultJSON Result = "json"
)

// Value is what a source returned for a key.
type Value struct {
	// Data is shared by every caller of the same flight and must not be
	// modified. It may be empty; that is a value too.
	Data []byte
}
