package command

import "github.com/larder-cache/larder/internal/hashing"

// SetUnheld says of which keys the replies do not wait for copies (`ack: none`).
// unheld is called on event loops and must be quick; nil: all wait. Safe for
// concurrent use.
func (x *Executor) SetUnheld(unheld func(key []byte) bool) {
	x.changing.Lock()
	defer x.changing.Unlock()
	if unheld == nil {
		x.replicated.unheld.Store(nil)
	} else {
		x.replicated.unheld.Store(&unheld)
	}
	x.guard(x.options.Load())
}

// guard has writes judged before they are executed, if any may be refused.
//
// REQUIRES: x.changing held.
func (x *Executor) guard(o *Options) {
	x.replicated.guards.Store(o.MinInSync > 1 || x.replicated.unheld.Load() != nil)
}

// Refusals of writes.
const (
	errNoReplicas = "NOREPLICAS Not enough good replicas to write."
	errBehind     = "NOREPLICAS The replicas are behind by more than replication.max_lag; the write was not executed"
)

// isUnheld reports whether replies about a key do not wait for copies.
func (x *Executor) isUnheld(key []byte) bool {
	f := x.replicated.unheld.Load()
	return f != nil && (*f)(key)
}

// refuses returns the error of a write that would not be safe enough, "" when it
// may be executed.
//
// REQUIRES: cmd writes, and its keys are on this node.
func (x *Executor) refuses(s *Session, cmd *Command, args [][]byte) string {
	if !x.replicated.guards.Load() {
		return ""
	}
	o := x.options.Load()
	switch k := &cmd.keys; k.form {
	case noKeys:
		if cmd.keys.whole {
			return x.refusesAll(s, o)
		}
	case oneKeyAt:
		return x.refusesKey(o, args[k.at])
	case keysAt:
		for at, end := k.at, k.end(len(args)); at < end; at += k.step {
			if text := x.refusesKey(o, args[at]); text != "" {
				return text
			}
		}
	case keysSought:
		for _, use := range cmd.keyUses(args) {
			if text := x.refusesKey(o, args[use.At]); text != "" {
				return text
			}
		}
	}
	return ""
}

func (x *Executor) refusesKey(o *Options, key []byte) string {
	p := hashing.PartitionOf(key)
	switch {
	case o.MinInSync > 1 && x.inSync(p) < o.MinInSync:
		x.replicated.few.Add(1)
		return errNoReplicas
	case o.MaxLag > 0 && x.logs != nil && x.isUnheld(key) && x.logs.Lag(p) > o.MaxLag:
		x.replicated.behind.Add(1)
		return errBehind
	}
	return ""
}

// inSync returns how many nodes get what is written to a partition of this node,
// itself among them.
func (x *Executor) inSync(p int) int {
	if x.logs == nil {
		return 1
	}
	return 1 + x.logs.InSync(p)
}

// refusesAll is refuses for a write to everything. Of the partitions of other
// nodes the view tells who is in sync.
func (x *Executor) refusesAll(s *Session, o *Options) string {
	for p := range hashing.Partitions {
		n := 0
		switch {
		case s.routes == nil || s.routes.IsHere(p):
			n = x.inSync(p)
		case s.Redirects: // flushes this node's keys alone
			continue
		default:
			n = 1 + len(s.routes.View.Rows[p].InSync)
		}
		if n < o.MinInSync {
			x.replicated.few.Add(1)
			return errNoReplicas
		}
	}
	return ""
}

// refusesQueued is refuses for a transaction.
func (x *Executor) refusesQueued(s *Session) string {
	if s.tx.flags&Write == 0 {
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
