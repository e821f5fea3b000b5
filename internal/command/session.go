package command

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/resp"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// Link is what a session needs of the connection it belongs to. All methods
// may be called from any goroutine.
type Link interface {
	// Push appends a message, RESP already, to the connection's output between
	// two replies and wakes its owner. It never blocks and does not keep the
	// slice after it returns; when the output limit of the client's class is
	// exceeded the connection is closed and counted.
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
	// Redirects tells that the client knows the protocol of Redis Cluster: it is
	// told where else a key is served rather than served from there. To be set
	// before the first request.
	Redirects bool

	// routes is the table that the batch at work has begun with, nil when the
	// node is alone.
	routes      *cluster.Routes
	partition   int       // of the key of the request at work, when it has one and is routed
	ahead       Ahead     // what is known of that key
	readsCopies bool      // READONLY: of what this node has a copy it is served
	fromCopy    bool      // the request at work reads a copy
	nearCopy    *nearCopy // what answers the request at work; nil: it is executed
	flights     flights
	holds       holds
	origin      origin
	incoming    remoteRequest // of an internal session: what it executes

	ctx   Context
	local localStats
	gates gate           // why requests of this client take the checked path
	stage *memory.Staged // memory that receives, or has received, a large argument

	internal  bool // no client's: see proxies
	knownUser bool // the client has given the password of User
	// allowance is what the client's requests are counted with, nil until one is.
	allowance *allowance
	admitted  bool // the request at work has been counted
	reply     replyMode

	wait waitState

	// Rarely written, read by CLIENT LIST of others.
	mu      sync.Mutex
	name    string // GUARDED_BY(mu), as the next ones
	libName string
	libVer  string
	user    string

	// Subscriptions; guarded by the lock of the executor's pubsub.
	subs subscriptions

	tracking trackingState

	tx    transaction
	lane  *sync.RWMutex // held as a reader; see isolation
	apart bool          // the command at work does not mind transactions

	// Written by the owner, read by CLIENT LIST of others.
	shared struct {
		lastCommand atomic.Pointer[Command]
		active      atomic.Int64 // when last, Unix milliseconds, times 2; plus 1: a batch is at work without a lane
		db          atomic.Int32
		version     atomic.Int32
		class       atomic.Int32 // Class
		flags       atomic.Uint32
		blocked     atomic.Bool
		queued      atomic.Int32 // requests of a transaction
		queuedBytes atomic.Int64
		subs        atomic.Int32 // channels, then patterns, then shard channels
		psubs       atomic.Int32
		ssubs       atomic.Int32
	}
}

// gate is a set of reasons to look closer at a request before it runs. A
// session, and the executor, have one each; while both are empty a request
// takes the short path.
type gate uint32

const (
	gateAuth       gate = 1 << iota // has not authenticated
	gateSubscribed                  // RESP2 and subscribed: few commands allowed
	gateReply                       // CLIENT REPLY OFF or SKIP
	gateTracking                    // reads are remembered for invalidation
	gateNoTouch                     // reads do not count for eviction
	gateCareful                     // time each command: a batch was slow
	gatePause                       // CLIENT PAUSE is in force
	gateMonitor                     // somebody monitors
	gateTime                        // time each command: a threshold is below 1 ms
	gateMulti                       // MULTI was sent: requests are kept for EXEC
	gateLimit                       // requests per second are limited
)

// Class of a client, which decides its output limit.
type Class int32

// The classes of Redis.
const (
	ClassNormal Class = iota
	ClassReplica
	ClassPubSub
)

// String returns Redis's word for the class.
func (c Class) String() string {
	switch c {
	case ClassReplica:
		return "replica"
	case ClassPubSub:
		return "pubsub"
	}
	return "normal"
}

// Class returns the client's class; safe for concurrent use.
func (s *Session) Class() Class { return Class(s.shared.class.Load()) }

// LastActive returns when the client's last batch ended, Unix milliseconds;
// safe for concurrent use.
func (s *Session) LastActive() int64 { return s.shared.active.Load() >> 1 }

// Interrupt makes a command that waits for this client return at once with
// [Close], and every later one too. For the server, when it finds the
// connection of a parked client closed, and at shutdown. Safe for concurrent
// use, any number of times.
func (s *Session) Interrupt() { s.wait.stop() }

// sessionFlag is a switch of a client that others read for CLIENT LIST.
type sessionFlag uint32

const (
	flagMonitor sessionFlag = 1 << iota
	flagNoEvict
	flagNoTouch
	flagUnixSocket
	flagTracking
	flagTrackingBroken
	flagTrackingBroadcast
	flagMulti
)

func (s *Session) has(f sessionFlag) bool { return s.shared.flags.Load()&uint32(f) != 0 }

func (s *Session) set(f sessionFlag, on bool) {
	if on {
		s.shared.flags.Or(uint32(f))
		return
	}
	s.shared.flags.And(^uint32(f))
}

func (s *Session) gate(g gate, on bool) {
	if on {
		s.gates |= g
		return
	}
	s.gates &^= g
}

// selectDB changes the client's database.
func (s *Session) selectDB(db int) {
	s.DB = db
	s.shared.db.Store(int32(db))
}

// speak changes the version of the protocol.
func (s *Session) speak(v resp.Version) {
	s.Out.Version = v
	s.shared.version.Store(int32(v))
	s.gate(gateSubscribed, v == resp.RESP2 && s.subscriptionCount() > 0)
}

// login makes the client the given user, known by a password or, when there is
// none, by its word.
func (s *Session) login(user string, known bool) {
	s.User, s.Authenticated, s.knownUser = user, true, known
	s.gate(gateAuth, false)
	s.mu.Lock()
	s.user = user
	s.mu.Unlock()
}

func (s *Session) subscriptionCount() int {
	return int(s.shared.subs.Load() + s.shared.psubs.Load() + s.shared.ssubs.Load())
}

// replyMode is the state of CLIENT REPLY.
type replyMode uint8

const (
	replyOn replyMode = iota
	replyOff
	replySkipNext // set by CLIENT REPLY SKIP itself
	replySkip     // the request at work is the one to skip
)
