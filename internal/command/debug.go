package command

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/hashing"
)

// debugCommands are the subcommands of DEBUG, the part of Redis's that does no
// harm and that test suites use. The numbers are the fewest and the most words
// of a request.
var debugCommands = map[string]struct {
	least, most int
	run         Handler
}{
	"sleep":             {3, 3, debugSleep},
	"error":             {3, 3, debugError},
	"log":               {3, 3, debugLog},
	"object":            {3, 3, debugObject},
	"protocol":          {3, 3, debugProtocol},
	"populate":          {3, 5, debugPopulate},
	"corrupt":           {3, 3, debugCorrupt},
	"digest":            {2, 2, debugDigest},
	"digest-value":      {2, math.MaxInt, debugDigestValue},
	"stringmatch-len":   {4, 4, debugStringMatch},
	"set-active-expire": {3, 3, debugSetActiveExpire},
	"change-repl-id":    {2, 2, debugChangeReplicationID},
	"help":              {2, 2, debugHelp},

	// What these do in Redis has no counterpart here; test suites call them on
	// the way to something else.
	"jmap":                         {2, 2, debugRefuse},
	"reload":                       {2, math.MaxInt, debugNothing},
	"loadaof":                      {2, 2, debugNothing},
	"quicklist-packed-threshold":   {3, 3, debugNothing},
	"listpack-threshold":           {3, 3, debugNothing},
	"set-skip-checksum-validation": {3, 3, debugNothing},
	"set-disable-deny-scripts":     {3, 3, debugNothing},
	"pause-cron":                   {3, 3, debugNothing},
	"dict-resizing":                {3, 3, debugNothing},
	"replybuffer":                  {4, 4, debugNothing},
	"config-rewrite-force-all":     {2, 2, runConfigRewrite},

	// These would bring the process down.
	"segfault":          {2, 2, debugRefuse},
	"panic":             {2, 2, debugRefuse},
	"oom":               {2, 2, debugRefuse},
	"assert":            {2, 2, debugRefuse},
	"restart":           {2, 3, debugRefuse},
	"crash-and-recover": {2, 3, debugRefuse},
}

func runDebug(c *Context) {
	sub, known := debugCommands[string(lowered(c.Args[1]))]
	if !known || len(c.Args) < sub.least || len(c.Args) > sub.most {
		c.Error("ERR unknown subcommand or wrong number of arguments for '" + string(clip(c.Args[1], shownWords)) + "'. Try DEBUG HELP.")
		return
	}
	sub.run(c)
}

func debugNothing(c *Context) { c.Out.OK() }

func debugRefuse(c *Context) {
	c.Error("ERR DEBUG " + strings.ToUpper(string(clip(c.Args[1], shownWords))) + " is not available on this server")
}

// debugSleep keeps this client waiting. Unlike in Redis others go on.
func debugSleep(c *Context) {
	seconds, err := strconv.ParseFloat(string(c.Args[2]), 64)
	if err != nil || !(seconds >= 0) || seconds > math.MaxInt32 {
		c.Error(errNotFloat)
		return
	}
	if seconds > 0 && c.Session.block(c.Exec, nil, time.Duration(seconds*float64(time.Second)), false) == waitGone {
		c.Close()
		return
	}
	c.Out.OK()
}

func debugError(c *Context) { c.Error(string(c.Args[2])) }

func debugLog(c *Context) {
	if c.Exec.hooks.Log != nil {
		c.Exec.hooks.Log("DEBUG LOG: " + string(c.Args[2]))
	}
	c.Out.OK()
}

func debugObject(c *Context) {
	h := c.Lock(c.Args[2])
	defer h.Release()
	e, found := h.Peek()
	if !found {
		c.Error(errNoKey)
		return
	}
	idle, _ := c.Exec.store.Idle(e, c.Now)
	c.Out.Simple(fmt.Sprintf("Value at:0x0 refcount:1 encoding:%s serializedlength:%d lru:%d lru_seconds_idle:%d",
		encoding(e), len(e.Value())+1, (c.Now-idle.Milliseconds())/1000&(1<<24-1), int64(idle.Seconds())))
}

// debugCorrupt damages an entry of a copy, so that anybody can see that it is found
// and repaired. Data of clients cannot be lost by it: what this node owns it does
// not touch, and it takes a setting that is not the default.
func debugCorrupt(c *Context) {
	r := c.Exec.Routes()
	switch {
	case c.Exec.Options().Debug != "yes":
		c.Error("ERR DEBUG CORRUPT needs auth.debug: yes in the configuration of the node, and a restart")
		return
	case r == nil || !r.HasCopy(hashing.PartitionOf(c.Args[2])):
		c.Error("ERR this node has no copy of the key. CLUSTER SHARDS names the nodes that have one")
		return
	}
	h := c.Lock(c.Args[2])
	defer h.Release()
	if !h.Corrupt() {
		c.Error(errNoKey)
		return
	}
	c.Out.OK()
}

// debugProtocol answers with a value of the type asked for.
func debugProtocol(c *Context) {
	switch kind := string(lowered(c.Args[2])); kind {
	case "string":
		c.Out.BulkString("Hello World")
	case "integer":
		c.Out.Int(12345)
	case "double":
		c.Out.Double(3.141)
	case "bignum":
		c.Out.BigNumber("1234567999999999999999999999999999999")
	case "null":
		c.Out.Null()
	case "array", "set":
		if kind == "set" {
			c.Out.Set(3)
		} else {
			c.Out.Array(3)
		}
		for i := range int64(3) {
			c.Out.Int(i)
		}
	case "map":
		c.Out.Map(3)
		for i := range int64(3) {
			c.Out.Int(i)
			c.Out.Bool(i == 1)
		}
	case "attrib":
		if c.Out.Attribute(1) {
			c.Out.BulkString("key-popularity")
			c.Out.Array(2)
			c.Out.BulkString("key:123")
			c.Out.Int(90)
		}
		c.Out.BulkString("Some real reply following the attribute")
	case "push":
		if c.Out.Version < 3 {
			c.Error("ERR RESP2 is not supported by this command")
			return
		}
		c.Out.Push(2)
		c.Out.BulkString("server-cpu-usage")
		c.Out.Int(42)
		c.Out.BulkString("Some real reply following the push reply")
	case "true", "false":
		c.Out.Bool(kind == "true")
	case "verbatim":
		c.Out.Verbatim("txt", "This is a verbatim\nstring")
	default:
		c.Error("ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false")
	}
}

// debugPopulate creates the keys <prefix>:0 and so on that do not exist.
func debugPopulate(c *Context) {
	n, ok := parseInt(c.Args[2])
	if !ok || n < 0 {
		c.Error("ERR value is out of range, must be positive")
		return
	}
	prefix, size := "key", int64(0)
	if len(c.Args) > 3 {
		prefix = string(c.Args[3])
	}
	if len(c.Args) > 4 {
		if size, ok = parseInt(c.Args[4]); !ok || size < 0 || size > int64(c.Exec.Limits().MaxValue) {
			c.Error("ERR value is out of range, must be positive")
			return
		}
	}
	for i := range n {
		if err := c.Cache.Reserve(int(size)); err != nil {
			c.Fail(err)
			return
		}
		suffix := decimal(i)
		text := []byte("value:" + suffix)
		if size > 0 {
			text = append(make([]byte, 0, size), text[:min(int64(len(text)), size)]...)[:size]
		}
		h := c.Lock([]byte(prefix + ":" + suffix))
		if _, found := h.Peek(); !found {
			h.Set(text, 0)
		}
		h.Release()
	}
	c.Out.OK()
}

func debugStringMatch(c *Context) {
	if globMatch(c.Args[3], c.Args[2], false) {
		c.Out.Int(1)
		return
	}
	c.Out.Int(0)
}

func debugSetActiveExpire(c *Context) {
	c.Exec.store.SetActiveExpiry(string(c.Args[2]) != "0")
	c.Out.OK()
}

func debugChangeReplicationID(c *Context) {
	c.Exec.changeReplicationID()
	c.Out.OK()
}

// replicationID returns the id that INFO replication shows.
func (x *Executor) replicationID() string { return *x.replication.Load() }

func (x *Executor) changeReplicationID() {
	id := randomHex(40)
	x.replication.Store(&id)
}

func debugHelp(c *Context) {
	c.help("DEBUG",
		"CHANGE-REPL-ID",
		"    Change the replication id.",
		"CORRUPT <key>",
		"    Damage this node's copy of <key>, to see that it is found and repaired.",
		"    Needs auth.debug: yes. What a node owns is not touched.",
		"DIGEST",
		"    Return a signature of all data.",
		"DIGEST-VALUE <key> [<key> ...]",
		"    Return a signature of the value of each key.",
		"ERROR <string>",
		"    Answer with <string> as an error.",
		"LOG <message>",
		"    Write <message> to the server's log.",
		"OBJECT <key>",
		"    Describe <key> and its value.",
		"POPULATE <count> [<prefix>] [<size>]",
		"    Create <count> keys <prefix>:<number>.",
		"PROTOCOL <type>",
		"    Answer with a value of <type>: string, integer, double, bignum, null, array,",
		"    set, map, attrib, push, verbatim, true, false.",
		"RELOAD",
		"    Answer OK; there is nothing to load from.",
		"SET-ACTIVE-EXPIRE <0|1>",
		"    With 0 expired keys are left until they are accessed.",
		"SLEEP <seconds>",
		"    Keep this client waiting.",
		"STRINGMATCH-LEN <string> <pattern>",
		"    Tell whether <pattern> matches.")
}
