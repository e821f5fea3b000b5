package command

import (
	"encoding/binary"
	"errors"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/resp"
)

// A sweep is work on many partitions, each of which is done by the node that
// owns it: what DBSIZE, SCAN, KEYS, RANDOMKEY, FLUSHDB and FLUSHALL are made of
// in a cluster. The node that a client is connected to divides it, asks all
// owners at the same time, and asks again what an owner did not do: because the
// partition has moved, or because the answer would have become too long.
//
//	items ─┬─ here ────────▶ sweepHere ─┬─▶ reports: done, or to be asked again
//	       ╰─ KindSweep ─▶ its owner ───╯
//
// Invariant: a partition counts as done only if its owner did it, inside a batch
// in whose table the partition was Here. So nothing is missed while partitions
// move, and what a former owner still has of one is not seen.

// KindSweep asks a node to do its part of a sweep. The frame, numbers of
// variable length unless said otherwise:
//
//	u8 version of this format, u8 operation
//	database plus one, zero for all; length of the pattern, pattern
//	number of items, each: partition, cursor (u32, little endian), limit
//
// The reply: u8 version of this format; number of reports, each: partition,
// u8 state, cursor (u32, little endian), count; number of keys; the keys as bulk
// strings of RESP.
const KindSweep uint8 = 0x20

const sweepFormat = 1

// sweepOp is what is done with a partition.
type sweepOp uint8

const (
	sweepCount sweepOp = 1 + iota // count its keys
	sweepList                     // list those that match the pattern
	sweepFlush                    // delete all
)

// everyDB stands for all databases.
const everyDB = -1

// sweep is the work of one node.
type sweep struct {
	op      sweepOp
	db      int // or everyDB
	pattern []byte
	items   []sweepItem
}

// sweepItem is the work on one partition.
type sweepItem struct {
	partition int
	cursor    uint32 // where listing begins, in the order of hashes
	limit     uint32 // of entries to visit, about; 0: all
}

// sweepState is what has become of an item.
type sweepState uint8

const (
	sweepDone      sweepState = iota // to the end of the partition
	sweepEnough                      // the limit is reached: there is more from the cursor on
	sweepLater                       // there was no more room in the answer: ask again from the cursor on
	sweepElsewhere                   // the node does not serve the partition, or not yet
)

// sweepReport is the outcome of an item.
type sweepReport struct {
	partition int
	state     sweepState
	cursor    uint32
	count     uint64 // of keys, for sweepCount
}

// swept is what a node has done of a sweep.
type swept struct {
	reports []sweepReport
	n       int         // keys
	keys    resp.Writer // as bulk strings
}

// errSweep says that a frame is none of ours.
var errSweep = errors.New("answer of another node can not be understood")

func (q *sweep) append(b []byte) []byte {
	b = append(b, sweepFormat, byte(q.op))
	b = binary.AppendUvarint(b, uint64(q.db+1))
	b = appendWord(b, q.pattern)
	b = binary.AppendUvarint(b, uint64(len(q.items)))
	for _, it := range q.items {
		b = binary.AppendUvarint(b, uint64(it.partition))
		b = binary.LittleEndian.AppendUint32(b, it.cursor)
		b = binary.AppendUvarint(b, uint64(it.limit))
	}
	return b
}

// parseSweep reads a frame, which the pattern aliases.
func parseSweep(frame []byte, databases int) (q sweep, err error) {
	c := frameCursor{rest: frame}
	if c.byte() != sweepFormat {
		return q, errFrame
	}
	q.op = sweepOp(c.byte())
	db := c.number()
	q.pattern = c.word()
	for range c.count(6, cluster.Partitions) {
		it := sweepItem{partition: int(c.number() & 0xffff), cursor: c.fixed32(), limit: uint32(c.number())}
		if it.partition >= cluster.Partitions {
			c.fail()
			break
		}
		q.items = append(q.items, it)
	}
	if c.bad || len(c.rest) > 0 || q.op < sweepCount || q.op > sweepFlush || db > uint64(databases) {
		return q, errFrame
	}
	q.db = int(db) - 1
	return q, nil
}

func (r *swept) append(b []byte) []byte {
	b = append(b, sweepFormat)
	b = binary.AppendUvarint(b, uint64(len(r.reports)))
	for _, p := range r.reports {
		b = append(binary.AppendUvarint(b, uint64(p.partition)), byte(p.state))
		b = binary.LittleEndian.AppendUint32(b, p.cursor)
		b = binary.AppendUvarint(b, p.count)
	}
	return binary.AppendUvarint(b, uint64(r.n))
}

// parseSwept reads a reply, which the keys alias.
func parseSwept(frame []byte) (r swept, err error) {
	c := frameCursor{rest: frame}
	if c.byte() != sweepFormat {
		return r, errSweep
	}
	for range c.count(7, cluster.Partitions) {
		p := sweepReport{partition: int(c.number() & 0xffff), state: sweepState(c.byte()), cursor: c.fixed32(), count: c.number()}
		if p.partition >= cluster.Partitions || p.state > sweepElsewhere {
			c.fail()
			break
		}
		r.reports = append(r.reports, p)
	}
	r.n = int(c.number() & (1<<31 - 1))
	if c.bad {
		return r, errSweep
	}
	r.keys.Buf = c.rest
	return r, nil
}

// fixed32 reads a number of four bytes.
func (c *frameCursor) fixed32() uint32 {
	if len(c.rest) < 4 {
		c.fail()
		return 0
	}
	v := binary.LittleEndian.Uint32(c.rest)
	c.rest = c.rest[4:]
	return v
}
