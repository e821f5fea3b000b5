package server

import "sync"

// intake is a large argument on its way from the socket into its own memory:
// that of the engine when the command stores it as it is, pooled otherwise. The
// rest of the request, what came before the argument, stays in conn.in.
type intake struct {
	data []byte // where the argument goes; a pooled one grows as it arrives
	want int    // length of the argument; 0: there is none
	got  int    // bytes of it that have arrived
	tail int    // bytes of the line end behind it that have arrived
	own  bool   // data is of the pool rather than of the engine
}

func (t *intake) active() bool { return t.want > 0 }

// receive starts the intake when the parser waits for a large argument, with
// the part of it that has arrived. It returns what stays in the buffer.
func (c *conn) receive(rest []byte) []byte {
	before, n, from, ok := c.parser.Large(rest)
	if !ok || c.intake.active() {
		return rest
	}
	t := &c.intake
	t.want, c.large = n, true
	if !c.staged {
		t.data = c.srv.exec.Receive(c.session, before, n)
	}
	if t.data == nil {
		t.data, t.own = c.srv.pool.get(n), true
	} else {
		c.staged = true
		c.counts.staged.Add(1)
	}
	c.holds = true
	// Less than the argument and its line end is there, of the line end one byte
	// at most.
	arrived := rest[from:]
	t.got = copy(t.data, arrived)
	for t.got < min(t.want, len(arrived)) {
		t.grow(&c.srv.pool)
		t.got += copy(t.data[t.got:], arrived[t.got:])
	}
	t.tail = len(arrived) - t.got
	return rest[:from]
}

// target returns where the next bytes of the argument go, empty when it is
// there.
func (t *intake) target(p *pool) []byte {
	if t.got < t.want && t.got == len(t.data) {
		t.grow(p)
	}
	return t.data[t.got:]
}

// grow doubles the room, up to what is wanted. Memory is taken as data comes,
// not for an announcement.
func (t *intake) grow(p *pool) {
	data := make([]byte, min(2*len(t.data), t.want))
	copy(data, t.data[:t.got])
	p.put(t.data)
	t.data = data
}

// finish is called with what has arrived behind the argument: extra bytes in
// buf, behind the have bytes that precede the argument. When argument and line
// end are there the parser gets it. It returns the bytes in buf, line end
// removed, and whether there is something to parse.
func (c *conn) finish(buf []byte, have, extra int) (length int, complete bool) {
	t := &c.intake
	if t.got < t.want {
		return have, false
	}
	skip := min(2-t.tail, extra)
	t.tail += skip
	if t.tail < 2 {
		return have, false
	}
	copy(buf[have:], buf[have+skip:have+extra])
	c.parser.Provide(t.data[:t.want])
	if t.own {
		c.lent = append(c.lent, t.data)
		c.lentBytes += t.want
	}
	*t = intake{}
	return have + extra - skip, true
}

// abandon drops an argument that will not be completed. The engine's memory is
// the executor's to free.
func (t *intake) abandon(p *pool) {
	if t.own {
		p.put(t.data)
	}
	*t = intake{}
}

// settleLoans gives back the memory of the arguments of the request that has
// been executed.
func (c *conn) settleLoans() {
	for i, b := range c.lent {
		c.srv.pool.put(b)
		c.lent[i] = nil
	}
	c.lent, c.lentBytes = c.lent[:0], 0
	c.holds, c.staged = false, false
}

// pool lends memory for large arguments that no command stores as they are.
// Safe for concurrent use.
type pool struct{ blocks sync.Pool }

// blockBytes is the size of what is pooled, and the most that is taken before
// anything has arrived.
const blockBytes = 1 << 20

// get returns memory for an argument of n bytes, less when it is huge.
func (p *pool) get(n int) []byte {
	if b, ok := p.blocks.Get().(*[blockBytes]byte); ok {
		return b[:min(n, blockBytes)]
	}
	return new([blockBytes]byte)[:min(n, blockBytes)]
}

// put takes memory back. What is of another size is left to the collector.
func (p *pool) put(b []byte) {
	if cap(b) == blockBytes {
		p.blocks.Put((*[blockBytes]byte)(b[:blockBytes]))
	}
}
