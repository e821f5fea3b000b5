package command

import (
	"time"

	"github.com/larder-cache/larder/internal/hashing"
)

// ReplicationRules say how safe a write has to be. The zero value: it is
// acknowledged by every copy that has to have it, however few there are.
type ReplicationRules struct {
	// MinInSync is how many nodes must have a write, the owner among them: with
	// fewer writes are refused. Zero and one: the owner is enough.
	MinInSync int
	// Unheld reports that replies about a key do not wait for copies (`ack: none`).
	// It is called on event loops and must be quick. Nil: all wait.
	Unheld func(key []byte) bool
	// MaxLag is how old, of such a key's partition, an effect may be that a copy
	// has not acknowledged: beyond that its writes are refused. Zero: any age.
	MaxLag time.Duration
}

// SetReplicationRules replaces the rules. Safe for concurrent use.
func (x *Executor) SetReplicationRules(r ReplicationRules) { x.replicated.rules.Store(&r) }

// Refusals of writes.
const (
	errNoReplicas = "NOREPLICAS Not enough good replicas to write."
	errBehind     = "NOREPLICAS The replicas are behind by more than max_lag; the write was not executed"
)

// isUnheld reports whether replies about a key do not wait for copies.
func (x *Executor) isUnheld(key []byte) bool {
	r := x.replicated.rules.Load()
	return r != nil && r.Unheld != nil && r.Unheld(key)
}

// refuses returns the error of a write that would not be safe enough, "" when it
// may be executed.
//
// REQUIRES: x.logs is not nil, cmd writes, and its keys are on this node.
func (x *Executor) refuses(s *Session, cmd *Command, args [][]byte) string {
	r := x.replicated.rules.Load()
	if r == nil || s.routes == nil || r.MinInSync <= 1 && r.Unheld == nil {
		return ""
	}
	switch k := &cmd.keys; k.form {
	case noKeys:
		if cmd.keys.whole {
			return x.refusesAll(s, r)
		}
	case oneKeyAt:
		return x.refusesKey(r, args[k.at])
	case keysAt:
		for at, end := k.at, k.end(len(args)); at < end; at += k.step {
			if text := x.refusesKey(r, args[at]); text != "" {
				return text
			}
		}
	case keysSought:
		for _, use := range cmd.keyUses(args) {
			if text := x.refusesKey(r, args[use.At]); text != "" {
				return text
			}
		}
	}
	return ""
}

func (x *Executor) refusesKey(r *ReplicationRules, key []byte) string {
	p := hashing.PartitionOf(key)
	switch {
	case x.logs.InSync(p)+1 < r.MinInSync:
		return errNoReplicas
	case r.MaxLag > 0 && r.Unheld != nil && r.Unheld(key) && x.logs.Lag(p) > r.MaxLag:
		return errBehind
	}
	return ""
}

// refusesAll is refuses for a write to everything that this node has.
func (x *Executor) refusesAll(s *Session, r *ReplicationRules) string {
	for p := range hashing.Partitions {
		if s.routes.IsHere(p) && x.logs.InSync(p)+1 < r.MinInSync {
			return errNoReplicas
		}
	}
	return ""
}

// refusesQueued is refuses for a transaction.
func (x *Executor) refusesQueued(s *Session) string {
	if x.logs == nil || s.tx.flags&Write == 0 {
		return ""
	}
	for _, q := range s.tx.queue {
		if q.cmd.Flags&Write == 0 {
			continue
		}
		if text := x.refuses(s, q.cmd, q.args); text != "" {
			return text
		}
	}
	return ""
}
