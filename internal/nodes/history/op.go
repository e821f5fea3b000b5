package history

import (
	"errors"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// Kind is what an operation does to its key.
type Kind string

// Kinds of operations.
const (
	Get    Kind = "get"
	Set    Kind = "set"  // of registers and cells: every value is written once
	Incr   Kind = "incr" // of counters
	Cas    Kind = "cas"  // of cells, as the next: set if the value is another one's
	Del    Kind = "del"
	Expire Kind = "expire" // after some milliseconds
)

// Writes are the kinds that change a key.
var Writes = []Kind{Set, Incr, Cas, Del, Expire}

// Outcome is what a client knows of an operation after it.
type Outcome string

// Outcomes of operations.
const (
	// OK is a reply that is no error: a write is acknowledged.
	OK Outcome = "ok"
	// Refused is not done, now or later: it was not sent, or the reply says that
	// it was not executed.
	Refused Outcome = "refused"
	// Unknown is without a reply, or with an error that leaves it open: a write
	// may be done, even later.
	Unknown Outcome = "unknown"
)

// Op is one operation of a client. Times are since the start of the recorder.
type Op struct {
	Client  int    `json:"client"` // [Reader]: it read in the end
	Kind    Kind   `json:"kind"`
	Key     string `json:"key"`
	Written int64  `json:"written,omitempty"` // by a Set or Cas
	Wanted  int64  `json:"wanted,omitempty"`  // the value that a Cas replaces
	Millis  int64  `json:"millis,omitempty"`  // of an Expire
	// Found is the value after Get and Incr, 0 when there is none; 1 when Cas, Del and
	// Expire have found what they change, else 0.
	Found   int64         `json:"found,omitempty"`
	Outcome Outcome       `json:"outcome"`
	Start   time.Duration `json:"start_ns"`
	End     time.Duration `json:"end_ns"`
	Node    string        `json:"node"` // the address that was asked
	Error   string        `json:"error,omitempty"`
}

// Reader is the client of the reads in the end.
const Reader = -1

// write reports whether the operation changes its key.
func (o *Op) write() bool { return o.Kind != Get }

// errNotSent is that a request has not left this process.
var errNotSent = errors.New("not sent")

// outcomeOf tells from the error of a request what is known of it. Only what a
// reply says in so many words counts as not executed.
func outcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, errNotSent):
		return Refused
	case !errors.Is(err, nodes.ErrReply):
		return Unknown
	}
	text := err.Error()
	for _, says := range []string{"not executed", "NOREPLICAS Not enough", "CLUSTERDOWN Hash slot not served", "CLUSTERDOWN The owner of the key cannot be reached"} {
		if strings.Contains(text, says) {
			return Refused
		}
	}
	return Unknown
}
