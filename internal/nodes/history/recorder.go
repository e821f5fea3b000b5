package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Recorder keeps operations, and writes each as a line of JSON. Safe for
// concurrent use.
type Recorder struct {
	begun time.Time

	mu  sync.Mutex
	out *bufio.Writer // GUARDED_BY(mu), as all below
	to  *json.Encoder
	err error // the first of writing
	ops []Op
}

// NewRecorder returns a recorder whose time begins now. It writes to w, which may
// be nil.
func NewRecorder(w io.Writer) *Recorder {
	r := &Recorder{begun: time.Now()}
	if w != nil {
		r.out = bufio.NewWriterSize(w, 64<<10)
		r.to = json.NewEncoder(r.out)
	}
	return r
}

// Now returns the time of the recorder, which does not go back.
func (r *Recorder) Now() time.Duration { return time.Since(r.begun) }

func (r *Recorder) add(o Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, o)
	if r.to != nil && r.err == nil {
		r.err = r.to.Encode(&o)
	}
}

// Ops returns what was recorded, by the time of the end. It must not be changed.
func (r *Recorder) Ops() []Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ops[:len(r.ops):len(r.ops)]
}

// Flush writes what is not written yet. The error is the first that there was.
func (r *Recorder) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out == nil {
		return nil
	}
	return errors.Join(r.err, r.out.Flush())
}

// Read reads the operations that a recorder has written.
func Read(from io.Reader) (ops []Op, err error) {
	for d := json.NewDecoder(from); ; {
		var o Op
		switch err := d.Decode(&o); {
		case errors.Is(err, io.EOF):
			return ops, nil
		case err != nil:
			return nil, fmt.Errorf("operation %d: %w", len(ops)+1, err)
		}
		ops = append(ops, o)
	}
}
