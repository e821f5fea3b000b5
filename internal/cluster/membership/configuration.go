package membership

import (
	"context"
	"errors"
	"time"
)

// Configuration is the strongly consistent service, in the words of a member.
// Keys are below the cluster's own prefix. Implementations bound every call in
// time and are safe for concurrent use.
type Configuration interface {
	// Load reads a key; ErrAbsent when there is none.
	Load(ctx context.Context, key string) (Item, error)
	// List reads all keys below a prefix, sorted, at one revision, from which
	// Watch goes on.
	List(ctx context.Context, prefix string) (items []Item, revision int64, err error)
	// Watch delivers what changes below prefix after the revision, in order. A
	// delivery with Resync replaces all that was known. The channel closes when
	// ctx ends.
	Watch(ctx context.Context, prefix string, after int64) <-chan Delivery
	// Save writes a key if it is still at the revision (0: absent; AnyRevision:
	// whatever it is), unless term is nil if the term has not been followed by
	// another, and if none of the keys absent exists. ErrConflict otherwise.
	Save(ctx context.Context, key string, data []byte, revision int64, term Term, absent ...string) (int64, error)
	// Remove deletes a key, which may be absent.
	Remove(ctx context.Context, key string) error
	// Register writes a key that goes when this process dies, after ttl.
	Register(ctx context.Context, key string, data []byte, ttl time.Duration) (Registration, error)
	// Campaign waits until id is elected, or ctx ends.
	Campaign(ctx context.Context, name, id string, ttl time.Duration) (Term, error)
	// Depose ends the term of id, if it is the elected one.
	Depose(ctx context.Context, name, id string) error
}

// AnyRevision makes Save unconditional.
const AnyRevision int64 = -1

// Item is a key with what it holds and since which revision.
type Item struct {
	Key      string
	Data     []byte
	Revision int64
}

// Delivery is what a watch tells at once.
type Delivery struct {
	Resync   bool // Items are all there is
	Items    []Item
	Removed  []string
	Revision int64
}

// Term is the time for which this node is the elected one.
type Term interface {
	// Done is closed when the term is over, or may be.
	Done() <-chan struct{}
	Resign(ctx context.Context) error
}

// Registration is a key that lives as long as the process.
type Registration interface {
	Update(ctx context.Context, data []byte) error
	Close(ctx context.Context) error
}

// Errors of a Configuration.
var (
	// ErrAbsent is returned for a key that does not exist.
	ErrAbsent = errors.New("the key does not exist")
	// ErrConflict is returned when a condition of a write does not hold.
	ErrConflict = errors.New("somebody else has changed it meanwhile")
)

// The keys of a cluster.
const (
	keyView       = "view"       // the view, written by the controller
	keyController = "controller" // the election
	prefixNodes   = "nodes/"     // what is known of nodes for good
	prefixAlive   = "alive/"     // registrations of running processes
	prefixWishes  = "wishes/"    // what operators have asked the controller for
)
