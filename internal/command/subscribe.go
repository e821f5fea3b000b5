package command

import (
	"slices"

	"github.com/larder-cache/larder/internal/resp"
)

func runSubscribe(c *Context)    { c.subscribe(toChannel, "subscribe") }
func runPsubscribe(c *Context)   { c.subscribe(toPattern, "psubscribe") }
func runSsubscribe(c *Context)   { c.subscribe(toShard, "ssubscribe") }
func runUnsubscribe(c *Context)  { c.unsubscribe(toChannel, "unsubscribe") }
func runPunsubscribe(c *Context) { c.unsubscribe(toPattern, "punsubscribe") }
func runSunsubscribe(c *Context) { c.unsubscribe(toShard, "sunsubscribe") }

// subscribe adds the names given and confirms each.
func (c *Context) subscribe(kind subscriptionKind, event string) {
	for _, name := range c.Args[1:] {
		c.Exec.pubsub.subscribe(c.Session, kind, string(name))
		c.confirm(kind, event, name)
	}
	c.Session.subscribed()
}

// unsubscribe removes the names given, or all, and confirms each; with nothing
// to remove one confirmation without a name.
func (c *Context) unsubscribe(kind subscriptionKind, event string) {
	names := c.Args[1:]
	if len(names) == 0 {
		for _, name := range c.Exec.pubsub.names(c.Session, kind) {
			names = append(names, []byte(name))
		}
	}
	for _, name := range names {
		c.Exec.pubsub.unsubscribe(c.Session, kind, string(name))
		c.confirm(kind, event, name)
	}
	if len(names) == 0 {
		c.confirm(kind, event, nil)
	}
	c.Session.subscribed()
}

// confirm answers one change of subscriptions with how many there are now:
// channels and patterns together, shard channels apart.
func (c *Context) confirm(kind subscriptionKind, event string, name []byte) {
	shared := &c.Session.shared
	count := shared.subs.Load() + shared.psubs.Load()
	if kind == toShard {
		count = shared.ssubs.Load()
	}
	c.Out.Push(3)
	c.Out.BulkString(event)
	if name == nil {
		c.Out.Null()
	} else {
		c.Out.Bulk(name)
	}
	c.Out.Int(int64(count))
}

// subscribed brings the client's class and gate in line with whether it has
// subscriptions.
func (s *Session) subscribed() {
	class := ClassNormal
	if s.subscriptionCount() > 0 {
		class = ClassPubSub
	}
	s.shared.class.Store(int32(class))
	s.gate(gateSubscribed, class == ClassPubSub && s.Out.Version == resp.RESP2)
}

func runPublish(c *Context) { c.Out.Int(int64(c.Exec.pubsub.publish(c.Args[1], c.Args[2]))) }

func runSpublish(c *Context) { c.Out.Int(int64(c.Exec.pubsub.publishShard(c.Args[1], c.Args[2]))) }

func runPubsubChannels(c *Context)      { c.activeChannels(toChannel) }
func runPubsubShardchannels(c *Context) { c.activeChannels(toShard) }

// activeChannels lists the channels with subscribers that match the pattern
// given, if one is.
func (c *Context) activeChannels(kind subscriptionKind) {
	if len(c.Args) > 3 {
		c.subcommandSyntax()
		return
	}
	p := &c.Exec.pubsub
	p.mu.RLock()
	all, _ := p.of(kind, c.Session)
	var names []string
	for name := range all {
		if len(c.Args) == 2 || globMatch(c.Args[2], []byte(name), false) {
			names = append(names, name)
		}
	}
	p.mu.RUnlock()
	slices.Sort(names)
	c.Out.Array(len(names))
	for _, name := range names {
		c.Out.BulkString(name)
	}
}

func runPubsubNumsub(c *Context)      { c.countSubscribers(toChannel) }
func runPubsubShardnumsub(c *Context) { c.countSubscribers(toShard) }

func (c *Context) countSubscribers(kind subscriptionKind) {
	p := &c.Exec.pubsub
	p.mu.RLock()
	defer p.mu.RUnlock()
	all, _ := p.of(kind, c.Session)
	c.Out.Array(2 * (len(c.Args) - 2))
	for _, name := range c.Args[2:] {
		c.Out.Bulk(name)
		c.Out.Int(int64(len(all[string(name)])))
	}
}

func runPubsubNumpat(c *Context) {
	p := &c.Exec.pubsub
	p.mu.RLock()
	defer p.mu.RUnlock()
	c.Out.Int(int64(len(p.patterns)))
}

func runPubsubHelp(c *Context) {
	c.help("PUBSUB",
		"CHANNELS [<pattern>]",
		"    List the channels with subscribers whose names match <pattern> (default: all).",
		"NUMPAT",
		"    Return the number of patterns with subscribers.",
		"NUMSUB [<channel> ...]",
		"    Count the subscribers of these channels, patterns left out.",
		"SHARDCHANNELS [<pattern>]",
		"    List the shard channels with subscribers whose names match <pattern> (default: all).",
		"SHARDNUMSUB [<shardchannel> ...]",
		"    Count the subscribers of these shard channels.")
}
