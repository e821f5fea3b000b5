package command

import (
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// Stage returns engine memory that will receive a large argument of n bytes
// that has not arrived yet, given the arguments before it, when that argument
// is the value of a command that stores it; nil otherwise, or when there is no
// room. The caller fills Bytes(), passes them as the argument to Execute, and
// leaves the rest to the executor, also when the request never completes.
func (x *Executor) Stage(s *Session, before [][]byte, n int) *memory.Staged {
	x.dropStage(s)
	if len(before) < 2 || s.gates&gateMulti != 0 || s.gates&gateAuth != 0 && x.needsAuth(s) || n > x.Limits().MaxValue {
		return nil
	}
	cmd := x.table.Find(before[0])
	if r := x.Routes(); r != nil && !r.IsHere(hashing.PartitionOf(before[1])) {
		return nil // it is going to be forwarded
	}
	if cmd == nil || cmd.staged == 0 || cmd.staged != len(before) || x.cache.Reserve(n) != nil {
		return nil
	}
	s.stage = x.cache.Stage(s.DB, before[1], n)
	return s.stage
}

func (x *Executor) dropStage(s *Session) {
	if s.stage != nil {
		s.stage.Discard()
		s.stage = nil
	}
}

// staged returns the engine memory that holds argument i, nil when it is an
// ordinary argument. The caller then adopts or discards it, and finds its bytes
// there, no longer in Args; a handler that looks for a key first does so before
// it calls staged.
func (c *Context) staged(i int) *memory.Staged {
	st := c.stage
	if st == nil || len(c.Args[i]) == 0 {
		return nil
	}
	if b := st.Bytes(); len(b) != len(c.Args[i]) || &b[0] != &c.Args[i][0] {
		return nil
	}
	c.stage = nil
	// The memory may be freed as soon as the key is unlocked.
	c.Args[i] = largeArgument
	return st
}

// largeArgument stands for an argument whose bytes went into the engine.
var largeArgument = []byte("(large value)")
