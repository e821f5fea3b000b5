package config

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/source"
)

// Replication configures what a reply waits for, beside MinInSync and MaxLag of
// [command.Options], which commands can change.
type Replication struct {
	// Ack is that of keys whose namespace has none. Default replicas.
	Ack Ack
	replication.Limits
}

// Ack is what a reply about a key waits for.
type Ack string

// What replies wait for.
const (
	AckReplicas Ack = "replicas" // every copy in sync has what it tells
	AckNone     Ack = "none"     // nothing
)

// Namespace is one entry of the section namespaces.
type Namespace struct {
	source.NamespaceConfig
	// Ack is what replies about its keys wait for. Default (empty): that of the
	// section replication.
	Ack Ack
}

// WithDefaults returns the entry with every zero field that has a default filled
// in, but for Ack.
func (n Namespace) WithDefaults() Namespace {
	n.NamespaceConfig = n.NamespaceConfig.WithDefaults()
	return n
}

// replicationSettings is the section of the file.
var replicationSettings = []setting[Config]{
	{
		path:  "replication.ack",
		scope: ScopeCluster,
		live:  true,
		doc:   "What replies wait for, about keys whose namespace does not say: replicas (until every copy in sync has what the reply tells) or none (not at all: a node that dies takes writes of up to max_lag with it that were acknowledged).",
		at:    func(c *Config) value { return wordOf(&c.Replication.Ack, AckReplicas, AckNone) },
	},
	{
		path:  "replication.min_in_sync",
		scope: ScopeCluster,
		doc:   "Nodes that must be in sync, the owner of the key among them, for a write to be executed. With fewer it is refused: NOREPLICAS. Not above cluster.replicas + 1. CONFIG SET counts the nodes beside the owner.",
		redis: "min-replicas-to-write",
		at:    func(c *Config) value { return intOf(&c.Command.MinInSync, 1, cluster.MaxReplicas+1) },
	},
	{
		path:  "replication.max_lag",
		scope: ScopeCluster,
		doc:   "How old a write may be that a copy in sync does not have: beyond that, writes to keys with ack: none are refused, NOREPLICAS, until the copies have caught up.",
		zero:  "0: any age.",
		redis: "min-replicas-max-lag",
		at:    func(c *Config) value { return durationOf(&c.Command.MaxLag) },
	},
	{
		path:  "replication.timeout",
		scope: ScopeCluster,
		live:  true,
		doc:   "For how long a copy in sync may keep replies waiting without acknowledging anything, or four times as long by always being later than that. Then it is no longer in sync, and is made anew. At least 100ms.",
		at:    func(c *Config) value { return durationOf(&c.Replication.Timeout) },
	},
	{
		path:  "replication.backlog",
		scope: ScopeCluster,
		live:  true,
		doc:   "Bytes of writes that may queue for one node, within memory.maxmemory. Its copies are given up and made anew beyond that.",
		at:    func(c *Config) value { return bytesOf(&c.Replication.Backlog, 1<<20, math.MaxInt64, false) },
	},
}

// leastTimeout is the shortest time-out by which a copy is not given up for what
// every machine does now and then.
const leastTimeout = 100 * time.Millisecond

// judgeReplication returns what is wrong with the section.
func (l *loader) judgeReplication() {
	if n, replicas := l.config.Command.MinInSync, l.config.Cluster.Replicas; n > replicas+1 {
		l.objection("replication.min_in_sync", fmt.Sprintf("%d nodes never have a key when cluster.replicas is %d: every write would be refused", n, replicas),
			fmt.Sprintf("write %d or less, or cluster.replicas: %d", replicas+1, n-1))
	}
	if d := l.config.Replication.Timeout; d < leastTimeout {
		l.objection("replication.timeout", fmt.Sprintf("%s is too short: copies would be given up that are well", FormatDuration(d)),
			fmt.Sprintf("write %s or more, for example %s", leastTimeout, replication.DefaultLimits().Timeout))
	}
}

// Unheld returns what tells of which keys the replies do not wait for copies; nil
// when all do. A key belongs to the namespace with the longest prefix.
func (c *Config) Unheld() func(key []byte) bool {
	type rule struct {
		prefix string
		unheld bool
	}
	var rules []rule
	anyUnheld := c.Replication.Ack == AckNone
	for _, n := range c.Namespaces {
		unheld := cmp.Or(n.Ack, c.Replication.Ack) == AckNone
		anyUnheld = anyUnheld || unheld
		rules = append(rules, rule{n.WithDefaults().Prefix, unheld})
	}
	if !anyUnheld {
		return nil
	}
	slices.SortFunc(rules, func(a, b rule) int {
		return cmp.Or(len(b.prefix)-len(a.prefix), strings.Compare(a.prefix, b.prefix))
	})
	otherwise := c.Replication.Ack == AckNone
	return func(key []byte) bool {
		for i := range rules {
			if r := &rules[i]; len(key) >= len(r.prefix) && string(key[:len(r.prefix)]) == r.prefix {
				return r.unheld
			}
		}
		return otherwise
	}
}
