package settings

import (
	"context"
	"errors"
)

// ErrConflict is what a [Store] returns when the condition of a commit does not
// hold: nothing was written.
var ErrConflict = errors.New("the settings were changed by somebody else")

// ErrRefused is what a [Store] wraps errors of a commit in after which it is
// certain that nothing was written: no space, too large, not allowed.
var ErrRefused = errors.New("the store refuses it")

// Store is the strongly consistent store as this package uses it. A key has the
// revision of the store it was last written at; 0 is for a key that is not there.
// Implementations are safe for concurrent use.
type Store interface {
	// Get returns what a key holds. It is linearizable: it sees every commit that
	// had returned before. The caller owns the data.
	Get(ctx context.Context, key string) (data []byte, revision int64, err error)
	// Commit does all of c, or nothing. [ErrConflict] (by errors.Is): the
	// condition did not hold. [ErrRefused]: nothing was done either, and will not
	// be. After another error it may have been done, or may be done still.
	Commit(ctx context.Context, c Commit) error
	// Watch delivers what a key holds: first what it holds now, nil when it is not
	// there, then each later state; a state may be left out when a later one is
	// delivered. The channel closes when ctx ends.
	Watch(ctx context.Context, key string) <-chan []byte
}

// Commit is a change of several keys at once.
type Commit struct {
	// Key must have been written last at Revision, 0: must not be there.
	Key      string
	Revision int64
	// Writes are keys with their new data, Removes keys that go, if they are there.
	Writes  map[string][]byte
	Removes []string
}
