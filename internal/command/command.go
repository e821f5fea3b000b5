package command

import "strings"

// Handler executes one command. It writes exactly one reply to c.Out (none for
// commands that answer by push messages).
type Handler func(c *Context)

// Command is one row of the command table: what clients are told about a
// command and how it is run. Rows are immutable after [NewTable].
type Command struct {
	Name     string // lower case; of a subcommand without its parent: "get"
	Arity    int    // words including the name; negative: at least that many
	Flags    Flags
	Keys     []KeySpec
	Category Category // ACL categories beyond those that follow from Flags
	Group    string   // COMMAND DOCS: string, bitmap, generic, connection, server, pubsub
	Since    string   // version of Redis that introduced it
	Summary  string
	Cost     string // complexity, as COMMAND DOCS gives it
	// DeprecatedSince and ReplacedBy are of commands that clients should no
	// longer use; empty otherwise.
	DeprecatedSince, ReplacedBy string
	Tips                        []string
	Args                        []Arg // COMMAND DOCS arguments
	Sub                         []*Command
	Run                         Handler // nil for a command that only has subcommands

	id     int    // index into counters
	full   string // "config|get" for a subcommand, Name otherwise
	parent *Command

	keys      keyPlaces   // for the route of a request
	plain     bool        // neither subcommands nor protected: may take the short path
	quick     bool        // done in about a microsecond: not timed by itself
	long      longRequest // for Slow commands of which only some requests take long
	protected bool        // subject to enable-debug-command
	pushes    bool        // answers by messages
	flushes   bool        // empties databases: clients that track are told
	watches   bool        // WATCH
	personal  bool        // concerns the connection: no other node can execute it
	apart     bool        // long, and not one look at the keyspace anyway: transactions may run meanwhile
	staged    int         // index of the argument that may be received into engine memory
	leaves    longRequest // in a cluster: whether a request waits for other nodes; nil: none does
}

// quickBesidesFast are the commands that Redis does not flag as fast, for the
// memory they may take, but that are as quick as those when values are small.
var quickBesidesFast = map[string]bool{
	"set": true, "setex": true, "psetex": true, "getset": true, "mset": true, "append": true, "publish": true,
}

// longRequest tells whether a request of a Slow command takes long enough to
// leave the event loop.
type longRequest func(x *Executor, s *Session, args [][]byte) bool

// longRequests has the Slow commands of which only some requests take long.
var longRequests = map[string]longRequest{
	"keys": manyKeys, "flushdb": manyKeys, "flushall": manyKeys, "scan": longScan,
	"config|set": waitingSettings, "randomkey": never, "dump": never, "restore": largeArguments,
	"wait": waitsLong,
}

// inlineWork is the number of keys a command may look at on the event loop,
// about 100 us of work, and inlineBytes that of bytes it may convert.
const (
	inlineWork  = 1024
	inlineBytes = 256 << 10
)

func manyKeys(x *Executor, s *Session, _ [][]byte) bool { return x.store.Len(s.DB) > inlineWork }

func never(*Executor, *Session, [][]byte) bool { return false }

func largeArguments(_ *Executor, _ *Session, args [][]byte) bool {
	n := 0
	for _, arg := range args {
		n += len(arg)
	}
	return n > inlineBytes
}

// longScan looks for the count of keys a SCAN wants to visit.
func longScan(_ *Executor, _ *Session, args [][]byte) bool {
	for i := 2; i+1 < len(args); i += 2 {
		if n, ok := parseInt(args[i+1]); ok && n > inlineWork && equalFold(args[i], "count") {
			return true
		}
	}
	return false
}

// stagedArgument tells which argument of a command is a value to be stored as
// it is.
var stagedArgument = map[string]int{"set": 2, "setnx": 2, "getset": 2, "setex": 3, "psetex": 3}

// impersonal are the commands of the group «connection» that may as well be
// executed by another node.
var impersonal = map[string]bool{"ping": true, "echo": true, "select": true}

// prepare fills what follows from the row.
func (c *Command) prepare(id int, parent *Command) {
	c.id, c.parent, c.full = id, parent, c.Name
	if parent != nil {
		c.full = parent.Name + "|" + c.Name
	}
	c.quick = c.Flags&Slow == 0 && (c.Flags&Fast != 0 || quickBesidesFast[c.full])
	c.long = longRequests[c.full]
	c.staged = stagedArgument[c.full]
	c.leaves = leavesLoop[c.full]
	c.pushes = c.Flags&PubSub != 0 && strings.HasSuffix(c.full, "subscribe")
	c.flushes = c.full == "flushdb" || c.full == "flushall"
	c.apart = c.Flags&(Slow|ReadOnly) == Slow|ReadOnly && len(c.Keys) == 0
	c.watches = c.full == "watch"
	c.personal = c.pushes || c.Group == "connection" && !impersonal[c.full]
	c.protected = c.full == "debug"
	c.keys = c.findKeys()
	c.plain = len(c.Sub) == 0 && !c.protected
}

// takes reports whether a request may have n words.
func (c *Command) takes(n int) bool {
	if c.Arity < 0 {
		return n >= -c.Arity
	}
	return n == c.Arity
}

// FullName returns the name as clients see it in statistics and errors:
// "config|get" for a subcommand.
func (c *Command) FullName() string { return c.full }

// Flags tell how a command behaves. Their order is that of COMMAND INFO.
type Flags uint32

// The flags, with Redis's meaning.
const (
	Write           Flags = 1 << iota // may modify the keyspace
	ReadOnly                          // only reads keys
	DenyOOM                           // refused when memory is full and nothing can be evicted
	Admin                             // administrative
	PubSub                            // about publish and subscribe
	NoScript                          // not from scripts
	Blocking                          // may block the client
	Loading                           // allowed while loading
	Stale                             // allowed on a stale replica
	SkipMonitor                       // not shown by MONITOR
	SkipSlowLog                       // never in the slow log
	Fast                              // constant or logarithmic time
	NoAuth                            // allowed before AUTH
	NoMulti                           // not inside MULTI
	MovableKeys                       // keys cannot be told from Keys alone
	AllowBusy                         // allowed while a script runs
	NoAsyncLoading                    // refused while loading asynchronously
	NoMandatoryKeys                   // key arguments are optional

	// Larder's own, not shown to clients:
	Slow    // may take long: leaves the event loop before it runs
	InQueue // allowed in subscribed mode of RESP2
)

// KeySpec tells where the keys of a request are: Redis's key specification
// with begin search «index» and find keys «range», or «keynum» when NumAt > 0.
type KeySpec struct {
	First, Last, Step int    // Last < 0 counts from the end
	NumAt             int    // for find keys «keynum»: position of the argument that counts the keys; First is then the first key
	Keyword           string // begin search «keyword» instead of «index»
	StartFrom         int    // for Keyword: position to search from; negative from the end
	Flags             KeyFlags
	Unknown           bool // no specification possible
	Incomplete        bool
	Notes             string // why the flags are as they are, for COMMAND INFO
}

// KeyFlags tell what a command does with a key.
type KeyFlags uint16

// The key flags of COMMAND INFO, in its order.
const (
	KeyRW KeyFlags = 1 << iota
	KeyRO
	KeyOW
	KeyRM
	KeyAccess
	KeyUpdate
	KeyInsert
	KeyDelete
	KeyNotKey
	KeyIncomplete
	KeyVariable
)

// Category is a set of ACL categories.
type Category uint32

// The ACL categories, in the order of Redis.
const (
	CatKeyspace Category = 1 << iota
	CatRead
	CatWrite
	CatSet
	CatSortedSet
	CatList
	CatHash
	CatString
	CatBitmap
	CatHyperLogLog
	CatGeo
	CatStream
	CatPubSub
	CatAdmin
	CatFast
	CatSlow
	CatBlocking
	CatDangerous
	CatConnection
	CatTransaction
	CatScripting
)

// Arg documents one argument for COMMAND DOCS.
type Arg struct {
	Name, Type, Token, Since string
	Display                  string // how it is shown; empty: as Name
	Deprecated               string // version since which it should not be used
	KeySpec                  int    // index into Keys plus one; zero: not a key
	Optional, Multiple       bool
	MultipleToken            bool
	Args                     []Arg // of a oneof or a block
}
