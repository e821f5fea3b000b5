package command

import "bytes"

// lcsOptions are the options of LCS.
type lcsOptions struct {
	length    bool // LEN: the length alone
	index     bool // IDX: where the common parts are
	minMatch  int64
	withMatch bool
}

func (c *Context) parseLCS() (o lcsOptions, ok bool) {
	for i := 3; i < len(c.Args); i++ {
		switch word := c.Args[i]; {
		case equalFold(word, "idx"):
			o.index = true
		case equalFold(word, "len"):
			o.length = true
		case equalFold(word, "withmatchlen"):
			o.withMatch = true
		case equalFold(word, "minmatchlen") && i+1 < len(c.Args):
			i++
			if o.minMatch, ok = c.Int(i); !ok {
				return o, false
			}
		default:
			c.Error(errSyntax)
			return o, false
		}
	}
	if o.length && o.index {
		c.Error("ERR If you want both the length and indexes, please just use IDX.")
		return o, false
	}
	return o, true
}

func runLcs(c *Context) {
	o, ok := c.parseLCS()
	if !ok {
		return
	}
	a, b, ok := c.twoValues()
	if !ok {
		c.Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
		return
	}
	switch {
	case o.length:
		c.Out.Int(int64(newLCS(a, b, false).length))
	case o.index:
		c.answerLCS(newLCS(a, b, true), o)
	default:
		c.Out.Bulk(newLCS(a, b, true).common())
	}
}

// twoValues returns copies of the values of the first two arguments, both of
// one moment. A missing key is an empty value. ok is false when LCS of the two
// takes too much: the limit is that of Redis, whose table has four bytes for
// each pair of bytes, so that the same requests are refused. Ours has one bit.
func (c *Context) twoValues() (a, b []byte, ok bool) {
	all := c.Args
	c.Args = all[:3]
	keys := c.lockEvery(1, 1)
	c.Args = all
	defer keys.Release()
	if e, found := c.Lookup(keys.At(0)); found {
		a = e.Value()
	}
	if e, found := c.Lookup(keys.At(1)); found {
		b = e.Value()
	}
	if int64(len(a)+1)*int64(len(b)+1) > int64(c.Exec.Limits().MaxValue)/4 {
		return nil, nil, false
	}
	return bytes.Clone(a), bytes.Clone(b), true
}

func (c *Context) answerLCS(l *lcs, o lcsOptions) {
	var matches []lcsMatch
	for _, m := range l.matches() {
		if int64(m.length) >= o.minMatch {
			matches = append(matches, m)
		}
	}
	out := &c.Out
	out.Map(2)
	out.BulkString("matches")
	out.Array(len(matches))
	for _, m := range matches {
		if o.withMatch {
			out.Array(3)
		} else {
			out.Array(2)
		}
		for _, at := range [2]int{m.a, m.b} {
			out.Array(2)
			out.Int(int64(at))
			out.Int(int64(at + m.length - 1))
		}
		if o.withMatch {
			out.Int(int64(m.length))
		}
	}
	out.BulkString("len")
	out.Int(int64(l.length))
}

// lcs is the longest common subsequence of two strings, by the usual dynamic
// program. Of its table only the current row of lengths is kept, and for every
// cell one bit that tells the way back.
type lcs struct {
	a, b   []byte
	length int
	up     []uint64 // bit (i-1)*len(b) + j-1: the cell above (i, j) is greater than the one to its left
}

// newLCS computes the length and, with trace, what is needed to find the
// sequence itself.
func newLCS(a, b []byte, trace bool) *lcs {
	l := &lcs{a: a, b: b}
	if len(a) == 0 || len(b) == 0 {
		return l
	}
	if trace {
		l.up = make([]uint64, (len(a)*len(b)+63)/64)
	}
	row := make([]uint32, len(b)+1)
	bit := 0
	for i := range a {
		diagonal := uint32(0) // what row[j] was before this round
		for j := range b {
			above, left := row[j+1], row[j]
			switch {
			case a[i] == b[j]:
				row[j+1] = diagonal + 1
			case above > left:
				if trace {
					l.up[bit>>6] |= 1 << (bit & 63)
				}
			default:
				row[j+1] = left
			}
			diagonal = above
			bit++
		}
	}
	l.length = int(row[len(b)])
	return l
}

// walk goes from the end of both strings to the beginning of one and calls
// pair for each pair of positions in the sequence.
func (l *lcs) walk(pair func(i, j int)) {
	i, j := len(l.a), len(l.b)
	for i > 0 && j > 0 {
		bit := (i-1)*len(l.b) + j - 1
		switch {
		case l.a[i-1] == l.b[j-1]:
			i, j = i-1, j-1
			pair(i, j)
		case l.up[bit>>6]>>(bit&63)&1 != 0:
			i--
		default:
			j--
		}
	}
}

// common returns the sequence.
func (l *lcs) common() []byte {
	out := make([]byte, l.length)
	n := l.length
	l.walk(func(i, _ int) {
		n--
		out[n] = l.a[i]
	})
	return out
}

// lcsMatch is a run of bytes that both strings have in common.
type lcsMatch struct{ a, b, length int }

// matches returns the runs the sequence consists of, the last one first.
func (l *lcs) matches() []lcsMatch {
	var runs []lcsMatch
	l.walk(func(i, j int) {
		if n := len(runs); n > 0 && runs[n-1].a == i+1 && runs[n-1].b == j+1 {
			runs[n-1].a, runs[n-1].b = i, j
			runs[n-1].length++
			return
		}
		runs = append(runs, lcsMatch{i, j, 1})
	})
	return runs
}
