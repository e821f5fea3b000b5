package command

import "github.com/larder-cache/larder/internal/storage/memory"

// scratch is memory that a client's commands use again and again, so that the
// usual ones allocate nothing. It is part of [Context].
type scratch struct {
	refs   []memory.KeyRef
	locked memory.Handles
}

// keptRefs is the number of key references a client keeps between commands.
const keptRefs = 256

// lockEvery locks the arguments from, from+step, from+2*step ... as keys of
// the client's database, all together and in any shard order that suits the
// engine. The caller releases the handles before it locks anything else; handle i
// is the i-th of these keys.
func (c *Context) lockEvery(from, step int) *memory.Handles {
	refs := c.refs[:0]
	for i := from; i < len(c.Args); i += step {
		refs = append(refs, memory.KeyRef{DB: c.DB, Key: c.Args[i]})
	}
	c.refs = nil
	if cap(refs) <= keptRefs {
		c.refs = refs
	}
	if len(refs) > keptRefs {
		c.locked = memory.Handles{}
	}
	c.Cache.Store().LockInto(&c.locked, refs, c.Now)
	return &c.locked
}
