package command

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
	Tips     []string
	Args     []Arg // COMMAND DOCS arguments
	Sub      []*Command
	Run      Handler // nil for a command that only has subcommands

	id     int    // index into counters
	full   string // "config|get" for a subcommand, Name otherwise
	parent *Command
}

// FullName returns the name as clients see it in statistics and errors:
// "config|get" for a subcommand.
func (c *Command) FullName() string { return c.full }

// Flags tell how a command behaves. Their order is that of COMMAND INFO.
type Flags uint32

// The flags, with Redis's meaning.
const (
	Write         Flags = 1 << iota // may modify the keyspace
	ReadOnly                        // only reads keys
	DenyOOM                         // refused when memory is full and nothing can be evicted
	Admin                           // administrative
	PubSub                          // about publish and subscribe
	NoScript                        // not from scripts
	Blocking                        // may block the client
	Loading                         // allowed while loading
	Stale                           // allowed on a stale replica
	SkipMonitor                     // not shown by MONITOR
	SkipSlowLog                     // never in the slow log
	Fast                            // constant or logarithmic time
	NoAuth                          // allowed before AUTH
	NoMulti                         // not inside MULTI
	MovableKeys                     // keys cannot be told from Keys alone
	AllowBusy                       // allowed while a script runs
	NoAsyncLoading                  // refused while loading asynchronously
	NoMandatoryKeys                 // key arguments are optional

	// Larder's own, not shown to clients:
	Slow    // may take long: leaves the event loop before it runs
	InQueue // allowed in subscribed mode of RESP2
)

// KeySpec tells where the keys of a request are: Redis's key specification
// with begin search «index» and find keys «range», or «keynum» when NumAt > 0.
type KeySpec struct {
	First, Last, Step int // Last < 0 counts from the end
	NumAt             int // position, from First, of the argument that counts keys
	Keyword           string // begin search «keyword» instead of «index»
	StartFrom         int    // for Keyword: position to search from; negative from the end
	Flags             KeyFlags
	Unknown           bool // no specification possible
	Incomplete        bool
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
	KeySpec                  int // index into Keys plus one; zero: not a key
	Optional, Multiple       bool
	MultipleToken            bool
	Args                     []Arg // of a oneof or a block
}
