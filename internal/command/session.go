package command

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/resp"
)

// Link is what a session needs of the connection it belongs to. All methods
// may be called from any goroutine.
type Link interface {
	// Push appends a message, RESP already, to the connection's output between
	// two replies and wakes its owner. It never blocks; when the output limit of
	// the client's class is exceeded the connection is closed and counted.
	Push(message []byte)
	// Kill closes the connection. With afterReply what has been answered so far
	// is sent first.
	Kill(afterReply bool)
	// RemoteAddr and LocalAddr return "ip:port", or the path of a Unix socket
	// followed by ":0".
	RemoteAddr() string
	LocalAddr() string
	// Buffers returns the bytes in the query buffer, its free bytes, and the
	// bytes waiting to be sent.
	Buffers() (query, queryFree, output int)
	// FD returns the number of the socket, for CLIENT LIST.
	FD() int
}

// Session is the state of one client. Fields without a lock belong to the
// goroutine that executes the client's commands.
type Session struct {
	ID      int64
	Link    Link
	Created time.Time
	Out     resp.Writer

	DB            int
	User          string // "default" unless authenticated as somebody else
	Authenticated bool
	// MayBlock tells that the goroutine at work may wait: the connection has
	// left its event loop. See [Park].
	MayBlock bool

	ctx   Context
	local localStats

	// Rarely written, read by CLIENT LIST of others.
	mu      sync.Mutex
	name    string // GUARDED_BY(mu), as the next ones
	libName string
	libVer  string

	// Written by the owner, read by CLIENT LIST of others.
	shared struct {
		lastCommand atomic.Pointer[Command]
		lastActive  atomic.Int64 // Unix milliseconds
		db          atomic.Int32
		version     atomic.Int32
		class       atomic.Int32 // Class
	}
}

// Class of a client, which decides its output limit.
type Class int32

// The classes of Redis.
const (
	ClassNormal Class = iota
	ClassReplica
	ClassPubSub
)

// Class returns the client's class; safe for concurrent use.
func (s *Session) Class() Class { return Class(s.shared.class.Load()) }
