package command

import (
	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/resp"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// Context is what a handler gets: the request, the client, and where to write
// the reply. It is valid during the call only.
type Context struct {
	*Session
	Exec  *Executor
	Cache *cache.Cache
	Cmd   *Command
	// Args are the words of the request, the name first. They alias the
	// connection's read buffer: copy what must outlive the call.
	Args [][]byte
	// Now is the time of the request in Unix milliseconds.
	Now int64

	scratch

	outcome Outcome
	raised  []want      // what the other nodes have been told that the client is about to subscribe to
	failed  string      // the error this command has answered, "" if none
	reads   cache.Reads // what Lookup has read, and what a source could supply
}

// Outcome tells the server what to do after a request.
type Outcome uint8

const (
	// Continue with the next request.
	Continue Outcome = iota
	// Park: nothing was executed and nothing written, since the command may
	// wait or take long. Hand the connection to a goroutine, set
	// Session.MayBlock and execute the same request again.
	Park
	// Hold: nothing was executed and nothing written, since replies of other
	// nodes have to come first. Execute the same request again, on the event
	// loop, when [Session.Holding] reports false.
	Hold
	// Close the connection once what was written has been sent.
	Close
)

// Close asks for the connection to be closed after the reply.
func (c *Context) Close() { c.outcome = Close }

// run runs the command, or answers from a copy that the route has found.
func (c *Context) run() {
	if c.nearCopy != nil {
		c.answerNear()
		return
	}
	c.Cmd.Run(c)
}

// Reply returns the writer of the reply.
func (c *Context) Reply() *resp.Writer { return &c.Session.Out }

// Lookup is a client's read of a key: it counts a hit or a miss, tells the
// eviction policy, and notes a miss that a source could fill. In that case the
// executor takes the reply back, asks the source, and runs the command again;
// so a handler must change nothing before it knows what it has found. For a
// client with NO-TOUCH the policy is told of values from a source only, whose
// age decides whether they are served.
func (c *Context) Lookup(h *memory.Handle) (memory.Entry, bool) {
	if c.gates&gateNoTouch != 0 {
		if e, found := h.Peek(); found && !e.IsFilled() {
			return c.Cache.Inspect(h)
		}
	}
	e, found := c.Cache.Lookup(h, &c.reads)
	if !found && !c.reads.Missed() {
		c.Notify(NotifyKeyMiss, "keymiss", h.DB(), h.Key())
	}
	return e, found
}

// Exists is a read of what is known about a key (EXISTS, TTL, TYPE): it counts
// as a hit or a miss, but neither touches the entry nor asks a source.
func (c *Context) Exists(h *memory.Handle) (memory.Entry, bool) {
	e, found := c.Cache.Inspect(h)
	if !found {
		c.Notify(NotifyKeyMiss, "keymiss", h.DB(), h.Key())
	}
	return e, found
}

// bulkEntry answers with an entry's value, without copying it when it is large.
func (c *Context) bulkEntry(h *memory.Handle, e memory.Entry) {
	if value, release, ok := h.Pin(e); ok {
		c.Out.BulkRef(value, release)
		return
	}
	c.Out.Bulk(e.Value())
}

// parseInt parses an integer as strictly as Redis does.
func parseInt(b []byte) (int64, bool) { return resp.ParseInt(b) }
