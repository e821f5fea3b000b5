package command

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/resp"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// Config is what an executor is made of.
type Config struct {
	// Cache is what the commands work on. Required.
	Cache *cache.Cache
	// Options are the settings at the start; see [DefaultOptions].
	Options Options
	// Settings returns what answers CONFIG, given the executor's own
	// [Parameters]. Nil: these do.
	Settings func(own *Parameters) Settings
	// Configuration answers LARDER CONFIG GET. Nil: nobody does.
	Configuration Configuration
	// ClusterSettings answer the rest of LARDER CONFIG. Nil: the node is not part
	// of a cluster.
	ClusterSettings ClusterSettings
	// Server describes the process for INFO and CONFIG GET.
	Server ServerInfo
	// Hooks connect the executor with the parts above it.
	Hooks Hooks
	// Observer is the one the engine was opened with. Nil: invalidations and
	// events of expiry and eviction are not sent.
	Observer *Observer
}

// Hooks are calls to the parts above the executor. Any may be nil.
type Hooks struct {
	// Network returns the counters of the server.
	Network func() Network
	// Shutdown begins to stop the process and returns at once.
	Shutdown func()
	// Rewrite writes changed parameters back to the configuration file.
	Rewrite func(changed map[string]string) error
	// Changed is told of parameters that CONFIG SET has changed.
	Changed func(name, value string)
	// Log writes a line to the server's log.
	Log func(message string)
	// Sections appends sections of INFO of other packages; see [Section].
	Sections func() []Section
	// Sampled is told of the keys of requests of the latency sample, each of
	// which stands for weight requests. It is called on event loops: it must
	// be quick, must not keep the key, and may be called from any goroutine.
	Sampled func(db int, key []byte, weight float64, write bool)
}

// Executor runs the requests of all clients. Its methods are safe for
// concurrent use, one session in one goroutine at a time.
//
// A connection calls Begin, then Execute for each request that has arrived
// whole, then End; between Begin and End no time passes but that of the
// requests. When Execute returns [Park] the rest of the batch goes, with the
// same request first, to a goroutine that has set Session.MayBlock; End comes
// before the change of goroutine, Begin after it.
type Executor struct {
	cache    *cache.Cache
	store    *memory.Store
	table    *Table
	settings Settings
	// configuration and shared are for LARDER CONFIG; either may be nil.
	configuration Configuration
	shared        ClusterSettings
	server        atomic.Pointer[ServerInfo]
	hooks         Hooks
	started       time.Time
	clock         clock

	changing sync.Mutex // serializes changes of options
	options  atomic.Pointer[Options]
	gates    atomic.Uint32 // gate
	sourced  []sourcedPrefix

	sessions   sessions
	pubsub     pubsub
	notifier   notifier
	tracker    tracker
	monitors   monitors
	pause      pause
	allowances allowances
	slowLog    slowLog
	latency    latency
	stats      stats
	rates      rates
	base       baseline
	blocked    atomic.Int64

	isolation   isolation
	routes      routeTable
	forwarding  forwarding
	membership  atomic.Pointer[Membership] // nil: nothing is known of other nodes
	neighbours  neighbours
	near        nearCopies
	holders     nearHolders
	nearGet     *Command     // GET, as nodes ask for near copies
	watchers    atomic.Int64 // clients with a WATCH
	watchedKeys atomic.Int64 // by all of them

	logs       *replication.Logs // nil: nothing is replicated
	replicated replicated

	startupBytes uint64                 // in use by the engine at the start
	replication  atomic.Pointer[string] // id shown by INFO replication
}

// New returns an executor. The table of commands is complete from then on.
func New(cfg Config) *Executor {
	x := &Executor{
		cache:         cfg.Cache,
		store:         cfg.Cache.Store(),
		configuration: cfg.Configuration, shared: cfg.ClusterSettings,
		hooks:   cfg.Hooks,
		started: time.Now(),
		table: NewTable(stringCommands, bitmapCommands, genericCommands,
			connectionTable, clientTable, serverTable, inspectTable, configTable, pubsubTable, clusterTable,
			transactionTable, scriptingTable, larderTable),
	}
	x.Describe(func(s *ServerInfo) { *s = cfg.Server })
	x.learnSources()
	x.clock.init(x.started)
	x.sessions.init()
	x.neighbours.init(x)
	x.near.init(x)
	x.holders.init(x)
	x.nearGet = nearGetOf(x.table)
	x.pubsub.init(&x.neighbours)
	x.tracker.init(x)
	x.latency.init()
	x.stats.init(len(x.table.All()))
	x.startupBytes = x.store.Used()
	x.changeReplicationID()
	options := cfg.Options
	x.options.Store(&options)
	x.changing.Lock()
	x.apply(&options)
	x.changing.Unlock()
	own := NewParameters(x)
	x.settings = own
	if cfg.Settings != nil {
		x.settings = cfg.Settings(own)
	}
	if cfg.Observer != nil {
		cfg.Observer.x.Store(x)
	}
	return x
}

// Table returns the commands the executor knows.
func (x *Executor) Table() *Table { return x.table }

// Begin starts a batch of requests of one client: it takes the time that all
// of them have in common.
func (x *Executor) Begin(s *Session) {
	x.enter(s)
	now := x.clock.monotonic()
	s.ctx.Now = x.clock.millis(now)
	s.local.begin(now)
}

// End closes a batch: counters go from the session to where others read them.
// The arguments of the last request must still be readable.
func (x *Executor) End(s *Session) {
	x.flush(s)
	if x.tracker.pending.Load() {
		x.tracker.announceAll()
	}
	x.isolation.leave(s, s.ctx.Now)
	if s.holds.need.Any() {
		x.endHeld(s)
	}
	s.ctx.Args = nil
	if len(s.flights.dirty) > 0 {
		s.flights.flush(!s.MayBlock)
	}
}

// Execute runs one request and appends its reply to s.Out. args has at least
// one word and aliases the connection's buffer.
func (x *Executor) Execute(s *Session, args [][]byte) Outcome {
	return x.execute(s, x.table.Find(args[0]), args)
}

// execute is Execute for a command that was found, nil for none.
func (x *Executor) execute(s *Session, cmd *Command, args [][]byte) Outcome {
	var out Outcome
	if cmd == nil || !cmd.plain || !cmd.takes(len(args)) || s.gates != 0 || x.gates.Load() != 0 || s.stage != nil {
		out = x.checked(s, cmd, args)
	} else {
		out = x.run(s, cmd, args, !cmd.quick)
	}
	s.ahead.key = nil
	return out
}

// checked is the long way of a request: errors are told, and everything a
// client or the server is set to that concerns requests is heeded.
func (x *Executor) checked(s *Session, cmd *Command, args [][]byte) Outcome {
	if s.tx.parked != nil {
		x.afterPark(s)
	}
	mark := s.Out.Mark()
	if s.reply == replySkipNext {
		s.reply = replySkip
	}
	out := x.guarded(s, cmd, args)
	if out == Park || out == Hold { // the same request comes again
		if s.reply == replySkip {
			s.reply = replySkipNext
		}
		if out == Park && s.gates&gateMulti != 0 {
			s.tx.parked, _ = resolve(cmd, args)
		}
		return out
	}
	s.admitted = false
	x.dropStage(s)
	if s.reply != replyOn && !s.ctx.pushed() {
		s.Out.Truncate(mark)
		s.holds.holdAgain(s)
	}
	if s.reply == replySkip {
		s.reply = replyOn
		s.gate(gateReply, false)
	}
	return out
}

// pushed reports whether what the command has answered is no reply but
// messages, which CLIENT REPLY does not concern: subscriptions.
func (c *Context) pushed() bool { return c.Cmd != nil && c.Cmd.pushes && c.failed == "" }

func (x *Executor) guarded(s *Session, cmd *Command, args [][]byte) Outcome {
	if cmd == nil && isForgedRequest(args[0]) {
		return x.forged(s)
	}
	cmd, refusal := resolve(cmd, args)
	if refusal != "" {
		return x.refuse(s, cmd, args, refusal)
	}
	if text := x.refusal(s, cmd); text != "" {
		return x.refuse(s, cmd, args, text)
	}
	gates := gate(x.gates.Load())
	if gates&gateLimit != 0 {
		if text := x.exceeds(s, cmd); text != "" {
			return x.refuse(s, cmd, args, text)
		}
	}
	if gates&gatePause != 0 {
		if by := s.pausedFor(cmd); x.pause.holds(by) {
			if !s.MayBlock {
				return Park
			}
			if !x.pause.wait(x, s, by) {
				return Close
			}
		}
	}
	if s.gates&gateMulti != 0 {
		if !notQueued[cmd.full] {
			return x.enqueue(s, cmd, args)
		}
		if cmd.full == "exec" {
			return x.exec(s, cmd, args)
		}
	}
	if x.parks(s, cmd, args) {
		return Park
	}
	s.shared.lastCommand.Store(cmd)
	if gates&gateMonitor != 0 {
		x.monitors.feed(x, s, cmd, args)
	}
	timed := !cmd.quick || (gates|s.gates)&(gateTime|gateCareful) != 0 || s.stage != nil
	if s.gates&gateTracking != 0 {
		return x.runTracked(s, cmd, args, timed)
	}
	return x.run(s, cmd, args, timed)
}

// refusal returns the error a client gets instead of the command, or "".
func (x *Executor) refusal(s *Session, cmd *Command) string {
	if s.gates&gateAuth != 0 && cmd.Flags&NoAuth == 0 && x.needsAuth(s) {
		return errNoAuth
	}
	if cmd.protected && !x.allowsDebug(s) {
		return errDebugDisabled
	}
	if s.gates&gateMulti != 0 && cmd.Flags&NoMulti != 0 {
		return errNotInMulti
	}
	if s.gates&gateSubscribed != 0 && cmd.Flags&InQueue == 0 && s.stillSubscribed() {
		return "ERR Can't execute '" + cmd.full + "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
	}
	return ""
}

// parks reports whether a request has to leave the event loop before it runs.
func (x *Executor) parks(s *Session, cmd *Command, args [][]byte) bool {
	if cmd.Flags&Slow == 0 || s.MayBlock {
		return false
	}
	return cmd.long == nil || cmd.long(x, s, args)
}

// runNow is run without regard to whether the reply has to be held.
func (x *Executor) runNow(s *Session, cmd *Command, args [][]byte, timed bool) Outcome {
	if s.routes != nil && !s.tx.running {
		if cmd.keys.form == noKeys {
			if x.mustLeave(s, cmd, args) {
				return Park
			}
		} else if out, done := x.route(s, cmd, args); done {
			return out
		}
	}
	if cmd.Flags&(Slow|DenyOOM) != 0 && !s.tx.running {
		if x.parks(s, cmd, args) {
			return Park
		}
		if cmd.apart && s.MayBlock && !s.apart && s.routes == nil {
			return x.runApart(s, cmd, args, timed)
		}
		if cmd.Flags&DenyOOM != 0 && x.cache.Reserve(0) != nil {
			return x.reject(s, cmd, args, errOOM)
		}
	}
	if cmd.Flags&Write != 0 && !s.tx.running {
		if text := x.refuses(s, cmd, args); text != "" {
			return x.reject(s, cmd, args, text)
		}
	}
	c := &s.ctx
	c.Cmd, c.Args, c.outcome, c.failed = cmd, args, Continue, ""
	sampled := s.local.sample(x)
	var start time.Duration
	if timed || sampled {
		start = x.clock.monotonic() - s.local.waited
	}
	mark := s.Out.Mark()
	c.run()
	if c.reads.Any() && !x.answered(s, c, mark) {
		return c.outcome
	}
	if timed || sampled {
		x.finish(s, cmd, x.clock.monotonic()-s.local.waited-start, timed)
		if cmd.flushes {
			x.tracker.flushed()
		}
		if sampled {
			x.tellSample(s, cmd, args)
		}
	} else {
		s.local.add(x, cmd)
	}
	if c.failed != "" {
		x.stats.failed(cmd, c.failed)
	}
	return c.outcome
}

// answered counts what a command has read. When a source could supply some of
// it the reply is taken back, the source is asked, and the command runs again.
// It reports false when the request is not done: it has to park first.
func (x *Executor) answered(s *Session, c *Context, mark resp.Mark) bool {
	if s.fromCopy {
		return x.answeredFromCopy(s, c, mark)
	}
	if !c.reads.Missed() || s.tx.running {
		x.cache.Commit(&c.reads)
		return true
	}
	s.Out.Truncate(mark)
	if !s.MayBlock {
		c.reads.Reset()
		c.outcome = Park
		return false
	}
	err := x.load(s, &c.reads)
	c.outcome, c.failed = Continue, ""
	if s.routes != nil && !s.tx.running {
		// The partition may have gone meanwhile, and what was loaded with it.
		if out, done := x.route(s, c.Cmd, c.Args); done {
			c.reads.Reset()
			c.outcome = out
			return false
		}
	}
	if err == nil {
		c.Now = x.clock.millis(x.clock.monotonic())
		c.run()
	} else {
		c.Fail(err)
	}
	x.cache.Commit(&c.reads)
	return true
}

// load asks the source for what was missed and waits for it.
func (x *Executor) load(s *Session, reads *cache.Reads) error {
	s.shared.blocked.Store(true)
	x.blocked.Add(1)
	x.isolation.leave(s, s.ctx.Now)
	defer func(begun time.Duration) {
		s.local.wait(x.clock.monotonic() - begun)
		x.blocked.Add(-1)
		s.shared.blocked.Store(false)
		x.enter(s)
	}(x.clock.monotonic())
	return x.cache.Load(lifetime{s.wait.done}, reads)
}

// reject answers with an error without running the command, which is nil when
// there is no such command.
func (x *Executor) reject(s *Session, cmd *Command, args [][]byte, text string) Outcome {
	c := &s.ctx
	c.Cmd, c.Args, c.outcome = cmd, args, Continue
	c.Error(text)
	x.stats.rejected(cmd, text)
	return Continue
}

func (x *Executor) gate(g gate, on bool) {
	if on {
		x.gates.Or(uint32(g))
		return
	}
	x.gates.And(^uint32(g))
}
