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
	if c.Session.routes != nil && !c.maySubscribe(kind) {
		return
	}
	for _, name := range c.Args[1:] {
		c.Exec.pubsub.subscribe(c.Session, kind, string(name))
		c.confirm(kind, event, name)
	}
	c.endRaise()
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

// stillSubscribed reports whether the client has subscriptions: those of shard
// channels may have been ended by others.
func (s *Session) stillSubscribed() bool {
	s.subscribed()
	return s.gates&gateSubscribed != 0
}

func runPublish(c *Context)  { c.publish(toChannel) }
func runSpublish(c *Context) { c.publish(toShard) }

func runPubsubChannels(c *Context)      { c.activeChannels(toChannel) }
func runPubsubShardchannels(c *Context) { c.activeChannels(toShard) }

// activeChannels lists the channels with subscribers that match the pattern
// given, if one is.
func (c *Context) activeChannels(kind subscriptionKind) {
	if len(c.Args) > 3 {
		c.subcommandSyntax()
		return
	}
	all, ok := c.audienceOfAll(kind, nil)
	if !ok {
		return
	}
	names := slices.DeleteFunc(all.names(), func(name string) bool {
		return len(c.Args) == 3 && !globMatch(c.Args[2], []byte(name), false)
	})
	c.Out.Array(len(names))
	for _, name := range names {
		c.Out.BulkString(name)
	}
}

func runPubsubNumsub(c *Context)      { c.countSubscribers(toChannel) }
func runPubsubShardnumsub(c *Context) { c.countSubscribers(toShard) }

func (c *Context) countSubscribers(kind subscriptionKind) {
	all, ok := audience{}, true
	if len(c.Args) > 2 {
		all, ok = c.audienceOfAll(kind, c.Args[2:])
	}
	if !ok {
		return
	}
	c.Out.Array(2 * (len(c.Args) - 2))
	for _, name := range c.Args[2:] {
		c.Out.Bulk(name)
		c.Out.Int(int64(all[string(name)]))
	}
}

func runPubsubNumpat(c *Context) {
	if all, ok := c.audienceOfAll(toPattern, nil); ok {
		c.Out.Int(int64(len(all)))
	}
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
