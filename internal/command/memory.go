package command

import (
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"strings"
)

func runMemoryUsage(c *Context) {
	for i := 3; i < len(c.Args); i++ {
		if !equalFold(c.Args[i], "samples") || i+1 == len(c.Args) {
			c.Error(errSyntax)
			return
		}
		i++
		samples, ok := c.Int(i)
		if !ok {
			return
		}
		if samples < 0 {
			c.Error(errSyntax)
			return
		}
	}
	h := c.Lock(c.Args[2])
	defer h.Release()
	e, found := h.Peek()
	if !found {
		c.Out.Null()
		return
	}
	c.Out.Int(int64(e.MemoryUsage()))
}

// runMemoryStats answers with the figures of Redis; parts that are not here
// are zero.
func runMemoryStats(c *Context) {
	u := c.Exec.memoryUse()
	var withKeys []int
	for db := range c.Exec.store.Databases() {
		if c.Exec.store.Len(db) > 0 {
			withKeys = append(withKeys, db)
		}
	}
	perKey := uint64(0)
	if u.keys > 0 {
		perKey = (u.Used - u.startup) / u.keys
	}
	number := func(name string, v int64) {
		c.Out.BulkString(name)
		c.Out.Int(v)
	}
	double := func(name string, v float64) {
		c.Out.BulkString(name)
		c.Out.Double(v)
	}
	const fixed = 31
	c.Out.Map(fixed + len(withKeys))
	number("peak.allocated", int64(u.Peak))
	number("total.allocated", int64(u.Used))
	number("startup.allocated", int64(u.startup))
	number("replication.backlog", 0)
	number("clients.slaves", 0)
	number("clients.normal", int64(u.clients))
	number("cluster.links", 0)
	number("aof.buffer", 0)
	number("lua.caches", 0)
	number("functions.caches", 0)
	for _, db := range withKeys {
		c.Out.BulkString(fmt.Sprintf("db.%d", db))
		c.Out.Map(2)
		c.Out.BulkString("overhead.hashtable.main")
		c.Out.Int(int64(u.Index))
		c.Out.BulkString("overhead.hashtable.expires")
		c.Out.Int(0)
	}
	number("overhead.total", int64(u.Used-u.dataset()))
	number("keys.count", int64(u.keys))
	number("keys.bytes-per-key", int64(perKey))
	number("dataset.bytes", int64(u.dataset()))
	double("dataset.percentage", u.share(u.dataset()))
	double("peak.percentage", 100*ratio(u.Used, u.Peak))
	number("allocator.allocated", int64(u.Used))
	number("allocator.active", int64(u.mappings))
	number("allocator.resident", int64(u.mappings))
	double("allocator-fragmentation.ratio", ratio(u.mappings, u.Used))
	number("allocator-fragmentation.bytes", int64(u.mappings)-int64(u.Used))
	double("allocator-rss.ratio", 1)
	number("allocator-rss.bytes", 0)
	double("rss-overhead.ratio", ratio(u.rss, u.mappings))
	number("rss-overhead.bytes", int64(u.rss)-int64(u.mappings))
	double("fragmentation", ratio(u.rss, u.Used))
	number("fragmentation.bytes", int64(u.rss)-int64(u.Used))
	number("larder.index", int64(u.Index))
	number("larder.holes", int64(u.Holes))
	number("larder.free-pages", int64(u.FreePages))
	number("larder.go-heap", int64(u.heap))
}

// runMemoryDoctor says in words what is unusual.
func runMemoryDoctor(c *Context) {
	u := c.Exec.memoryUse()
	var advice []string
	add := func(format string, args ...any) { advice = append(advice, " * "+fmt.Sprintf(format, args...)) }
	if u.Used < 5<<20 {
		c.Out.Verbatim("txt", "The cache is nearly empty, so there is nothing to say about its memory yet.\n")
		return
	}
	if u.Peak > u.Used*3/2 {
		add("Peak: at some time %s were in use, now %s are. Pages freed since then go back to the system within seconds; MEMORY PURGE does it at once.", human(u.Peak), human(u.Used))
	}
	if u.Holes+u.FreePages > u.Used/5 && u.Holes+u.FreePages > 64<<20 {
		add("Holes: %s lie free between entries. They are joined as new entries are written.", human(u.Holes+u.FreePages))
	}
	if u.rss > u.mappings+u.mappings/4 && u.rss-u.mappings > 64<<20 {
		add("Process: %s are resident beyond what the cache accounts for.", human(u.rss-u.mappings))
	}
	if u.clients > 64<<20 {
		add("Clients: their buffers hold %s. CLIENT LIST shows whose (qbuf, omem); slow readers are the usual cause.", human(u.clients))
	}
	if u.max > 0 && u.Used > u.max*95/100 && !u.Candidates {
		add("Limit: %s of %s are in use and the policy %s evicts nothing: writes are about to be refused.", human(u.Used), human(u.max), c.Exec.store.Policy())
	}
	if len(advice) == 0 {
		c.Out.Verbatim("txt", "Nothing unusual: memory is used as it should be.\n")
		return
	}
	c.Out.Verbatim("txt", "What is unusual about the memory of this node:\n\n"+strings.Join(advice, "\n\n")+"\n")
}

func runMemoryMallocStats(c *Context) {
	u := c.Exec.memoryUse()
	var b strings.Builder
	fmt.Fprintf(&b, "engine: blocks %d, index %d, holes %d, free pages %d, resident %d\n", u.Blocks, u.Index, u.Holes, u.FreePages, u.Resident)
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			fmt.Fprintf(&b, "go: %s %d\n", s.Name, s.Value.Uint64())
		}
	}
	c.Out.Verbatim("txt", b.String())
}

// runMemoryPurge gives free memory back: what the Go runtime holds, and the
// free pages of the engine.
func runMemoryPurge(c *Context) {
	debug.FreeOSMemory()
	c.Exec.store.Tick(c.Now, true)
	c.Out.OK()
}

func runMemoryHelp(c *Context) {
	c.help("MEMORY",
		"DOCTOR",
		"    Say in words what is unusual about memory.",
		"MALLOC-STATS",
		"    Return the allocators' own statistics.",
		"PURGE",
		"    Give free memory back to the system.",
		"STATS",
		"    Tell what memory is used for.",
		"USAGE <key> [SAMPLES <count>]",
		"    Return the bytes that <key> and its value take.")
}
