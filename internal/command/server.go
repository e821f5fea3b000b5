package command

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Refusals of what this server does not do.
const (
	errNoPersistence = "ERR no persistence is configured: there is nowhere to save to"
	errNoReplication = "ERR replication is not configured on this node"
	errNoCluster     = "ERR This instance has cluster support disabled"
)

func runTime(c *Context) {
	now := time.Now()
	c.Out.Array(2)
	c.Out.BulkInt(now.Unix())
	c.Out.BulkInt(int64(now.Nanosecond() / 1000))
}

func runRole(c *Context) { c.writeRole() }

// runLastsave answers when the data was last as it would be after a restart:
// at the start, since nothing is saved.
func runLastsave(c *Context) { c.Out.Int(c.Exec.started.Unix()) }

func runSave(c *Context)         { c.Error(errNoPersistence) }
func runBgsave(c *Context)       { c.Error(errNoPersistence) }
func runBgrewriteaof(c *Context) { c.Error(errNoPersistence) }
func runFailover(c *Context)     { c.Error("ERR FAILOVER requires connected replicas.") }

// runReplicaof accepts NO ONE, which is what the server is already.
func runReplicaof(c *Context) {
	if equalFold(c.Args[1], "no") && equalFold(c.Args[2], "one") {
		c.Out.OK()
		return
	}
	c.Error(errNoReplication)
}

func runSlaveof(c *Context) { runReplicaof(c) }

// runWait waits until so many copies have what the client has written. On a node
// that replicates nothing there are none: for zero of them it answers at once,
// otherwise when time is up or the client is unblocked.
func runWait(c *Context) {
	replicas, ok := c.Int(1)
	if !ok {
		return
	}
	ms, ok := c.timeout(2)
	if !ok {
		return
	}
	if c.Exec.logs != nil && c.Session.routes != nil {
		if n, ok := c.waitForCopies(replicas, ms); ok {
			c.Out.Int(int64(n))
		}
		return
	}
	if replicas > 0 && !c.waitOut(ms) {
		return
	}
	c.Out.Int(0)
}

// runWaitaof is runWait for writes on disk. Without an append-only file asking
// for the local one is an error.
func runWaitaof(c *Context) {
	local, ok := parseInt(c.Args[1])
	if !ok || local < 0 || local > 1 {
		c.Error("ERR value is out of range, must be between 0 and 1")
		return
	}
	replicas, ok := parseInt(c.Args[2])
	if !ok || replicas < 0 {
		c.Error("ERR value is out of range, must be positive")
		return
	}
	ms, ok := c.timeout(3)
	if !ok {
		return
	}
	if local > 0 {
		c.Error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
		return
	}
	if replicas > 0 && !c.waitOut(ms) {
		return
	}
	c.Out.Array(2)
	c.Out.Int(0)
	c.Out.Int(0)
}

// waitOut waits for what does not happen, zero milliseconds for ever, inside a
// transaction not at all. It
// reports false when the client was unblocked with an error, which is then the
// reply, or is gone.
func (c *Context) waitOut(ms int64) bool {
	if c.Session.tx.running {
		return true
	}
	switch c.Session.waitFor(c.Exec, nil, time.Duration(ms)*time.Millisecond, true) {
	case waitError:
		c.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
		return false
	case waitGone:
		c.Close()
		return false
	}
	return true
}

// runShutdown stops the process. Since nothing is saved all modifiers come to
// the same, SAVE is refused and ABORT finds nothing to abort.
func runShutdown(c *Context) {
	var save, nosave, abort, others bool
	for _, word := range c.Args[1:] {
		switch {
		case equalFold(word, "nosave"):
			nosave = true
		case equalFold(word, "save"):
			save = true
		case equalFold(word, "now"), equalFold(word, "force"):
			others = true
		case equalFold(word, "abort"):
			abort = true
		default:
			c.Error(errSyntax)
			return
		}
	}
	switch {
	case abort && (save || nosave || others), save && nosave:
		c.Error(errSyntax)
	case abort:
		c.Error("ERR No shutdown in progress.")
	case save:
		c.Error(errNoPersistence)
	case c.Exec.hooks.Shutdown == nil:
		c.Error("ERR this server can not be stopped by a client")
	default:
		c.Exec.hooks.Shutdown()
		c.Close()
	}
}

func runModuleList(c *Context) { c.Out.Array(0) }

func runModuleHelp(c *Context) {
	c.help("MODULE",
		"LIST",
		"    List the modules loaded; there are none.")
}

// runLolwut draws a shelf of jars, some of them full.
func runLolwut(c *Context) {
	columns, rows := 8, 3
	args := c.Args[1:]
	if len(args) >= 2 && equalFold(args[0], "version") {
		if _, ok := parseInt(args[1]); !ok {
			c.Error(errNotInteger)
			return
		}
		args = args[2:]
	}
	for i, limit := range []*int{&columns, &rows} {
		if i < len(args) {
			v, ok := parseInt(args[i])
			if !ok {
				c.Error(errNotInteger)
				return
			}
			*limit = int(min(max(v, 1), 40))
		}
	}
	fills := []string{"    ", "....", "::::", "####"}
	var b strings.Builder
	for range rows {
		var lid, body, base string
		for range columns {
			lid += " .--. "
			body += "|" + fills[rand.IntN(len(fills))] + "|"
			base += "`----´"
		}
		b.WriteString(lid + "\n" + body + "\n" + base + "\n" + strings.Repeat("======", columns) + "\n")
	}
	fmt.Fprintf(&b, "\nRedis ver. %s (larder %s)\n", RedisVersion, c.Exec.server.Load().Version)
	c.Out.Verbatim("txt", b.String())
}
