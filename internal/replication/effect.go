package replication

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// A batch is what one frame carries:
//
//	byte    version of the form, 1; and quickBit, when there are no records but put, delete and confirm
//	uvarint incarnation of the sending node
//	uvarint stream, rising with every stream of that incarnation
//	uvarint version of what the sender goes by: of the view
//	then records: byte kind, uvarint partition, uvarint number of the effect, and by kind
//	  begin    uvarint epoch
//	  resume   uvarint epoch
//	  complete
//	  put      uvarint database, byte kind, byte flags, [uvarint expiry in Unix ms], uvarint length, key, uvarint length, value
//	  delete   uvarint database, uvarint length, key
//	  clear    uvarint database
//	  handover uvarint epoch
//	  confirm
//	  digest   uvarint database, uvarint first hash, uvarint last hash, uvarint time in Unix ms, uvarint entries, 8 bytes sum
//
// What a scan meets has the number of the last effect that it contains. The
// answer to a batch are the partitions that the node does not take any more:
// uvarint partition, byte reason.
const (
	batchForm = 1
	quickBit  = 1 << 7
)

// quickBytes is the largest batch that is quickly applied: in some 200 us.
const quickBytes = 64 << 10

// IsQuick reports whether a batch is applied without delay: without waiting for a
// view, or dropping or comparing a partition.
func IsQuick(batch []byte) bool {
	return len(batch) > 0 && len(batch) <= quickBytes && batch[0]&quickBit != 0
}

// effectKind is the kind of a record.
type effectKind byte

const (
	effectBegin    effectKind = 'B' // the copy starts: the receiver drops what it has of the partition
	effectPut      effectKind = 'P' // the entry is now this
	effectDelete   effectKind = 'D' // the key is gone
	effectClear    effectKind = 'C' // the database is empty, as far as the partition goes
	effectHandOver effectKind = 'H' // nothing follows: the receiver is the owner
	effectComplete effectKind = 'E' // the scan has ended: the copy is complete
	effectResume   effectKind = 'R' // as begin, for a node that has everything up to that effect
	effectConfirm  effectKind = 'N' // nothing: the answer says that the sender still is the owner
	effectDigest   effectKind = 'G' // what the entries of a range come to: the receiver compares
)

// Flags of a put: those of [memory.Flags], and the highest for an expiry that
// follows.
const (
	flagTimed  = 1 << 7
	knownFlags = byte(memory.Raw|memory.Filled) | flagTimed
)

// effect is one record. Its slices alias the batch.
type effect struct {
	at        memory.Place // of the key, once it is known
	kind      effectKind
	partition int
	seq       uint64
	epoch     uint64
	db        int
	is        memory.Kind
	flags     memory.Flags
	expireAt  int64 // Unix ms, 0: never
	key       []byte
	value     []byte
	hashes    memory.HashRange
	digest    memory.Digest
}

// isChange reports whether it is about a key.
func (e *effect) isChange() bool { return e.kind == effectPut || e.kind == effectDelete }

// ErrBatch is returned for a batch that is damaged or of a newer release.
var ErrBatch = errors.New("replication: the batch cannot be read")

// maxHead is the most bytes of a batch's head.
const maxHead = 1 + 3*binary.MaxVarintLen64

// appendHead appends what all batches begin with.
func appendHead(b []byte, incarnation, stream, version uint64) []byte {
	b = append(b, batchForm)
	b = binary.AppendUvarint(b, incarnation)
	b = binary.AppendUvarint(b, stream)
	return binary.AppendUvarint(b, version)
}

// appendRecord appends what all records begin with.
func appendRecord(b []byte, kind effectKind, partition int, seq uint64) []byte {
	b = append(b, byte(kind))
	b = binary.AppendUvarint(b, uint64(partition))
	return binary.AppendUvarint(b, seq)
}

// appendMark appends a begin or a handover.
func appendMark(b []byte, kind effectKind, partition int, seq, epoch uint64) []byte {
	return binary.AppendUvarint(appendRecord(b, kind, partition, seq), epoch)
}

// appendPut appends a put up to the value, whose length is given: the value
// itself has to follow.
func appendPut(b []byte, partition int, seq uint64, db int, e memory.Entry, valueLen int) []byte {
	key, expireAt, flags := e.Key(), e.ExpireAt(), byte(e.Flags())
	b = appendRecord(b, effectPut, partition, seq)
	b = binary.AppendUvarint(b, uint64(db))
	if expireAt != 0 {
		flags |= flagTimed
	}
	b = append(b, byte(e.Kind()), flags)
	if expireAt != 0 {
		b = binary.AppendUvarint(b, uint64(expireAt))
	}
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	return binary.AppendUvarint(b, uint64(valueLen))
}

func appendDelete(b []byte, partition int, seq uint64, db int, key []byte) []byte {
	b = appendRecord(b, effectDelete, partition, seq)
	b = binary.AppendUvarint(b, uint64(db))
	b = binary.AppendUvarint(b, uint64(len(key)))
	return append(b, key...)
}

func appendClear(b []byte, partition int, seq uint64, db int) []byte {
	b = appendRecord(b, effectClear, partition, seq)
	return binary.AppendUvarint(b, uint64(db))
}

func appendDigest(b []byte, r memory.HashRange, d memory.Digest) []byte {
	b = appendRecord(b, effectDigest, r.Partition, 0)
	for _, x := range []uint64{uint64(r.DB), uint64(r.From), uint64(r.Last), uint64(r.After), uint64(d.Entries)} {
		b = binary.AppendUvarint(b, x)
	}
	return binary.LittleEndian.AppendUint64(b, d.Sum)
}

// batch reads the records of a batch one after the other.
type batch struct {
	incarnation, stream, version uint64
	b                            []byte
	limits                       limits
}

// limits bound the numbers that a batch may name.
type limits struct{ partitions, databases int }

// openBatch reads the head of a batch.
func openBatch(b []byte, l limits) (batch, error) {
	if len(b) == 0 || b[0]&^quickBit != batchForm {
		return batch{}, fmt.Errorf("%w: unknown form; the nodes' releases are too far apart", ErrBatch)
	}
	r := batch{b: b[1:], limits: l}
	for _, to := range []*uint64{&r.incarnation, &r.stream, &r.version} {
		var ok bool
		if *to, ok = r.uvarint(); !ok {
			return batch{}, fmt.Errorf("%w: it ends in its head", ErrBatch)
		}
	}
	return r, nil
}

// groupSize is how many records are looked at before they are applied: about as many
// loads of memory as a processor core keeps under way.
const groupSize = 8

// some appends the next records to group, which has room for groupSize. more is
// false at the end; with an error those before it are in the group.
func (r *batch) some(group []effect) (_ []effect, more bool, err error) {
	for len(group) < groupSize {
		e, more, err := r.next()
		if err != nil || !more {
			return group, false, err
		}
		group = append(group, e)
	}
	return group, true, nil
}

// next returns the next record; more is false at the end.
func (r *batch) next() (e effect, more bool, err error) {
	if len(r.b) == 0 {
		return e, false, nil
	}
	e.kind = effectKind(r.b[0])
	r.b = r.b[1:]
	ok := r.number(&e.partition, r.limits.partitions)
	if ok {
		e.seq, ok = r.uvarint()
	}
	switch e.kind {
	case effectBegin, effectResume, effectHandOver:
		if ok {
			e.epoch, ok = r.uvarint()
		}
	case effectPut:
		ok = ok && r.number(&e.db, r.limits.databases) && r.put(&e)
	case effectDelete:
		ok = ok && r.number(&e.db, r.limits.databases) && r.text(&e.key)
	case effectClear:
		ok = ok && r.number(&e.db, r.limits.databases)
	case effectDigest:
		ok = ok && r.number(&e.db, r.limits.databases) && r.digest(&e)
	case effectConfirm, effectComplete:
	default:
		return e, false, fmt.Errorf("%w: record of unknown kind %q", ErrBatch, byte(e.kind))
	}
	if !ok {
		return e, false, fmt.Errorf("%w: it ends early, or has a number out of range, in a record of kind %q", ErrBatch, byte(e.kind))
	}
	return e, true, nil
}

func (r *batch) put(e *effect) bool {
	if len(r.b) < 2 {
		return false
	}
	kind, flags := r.b[0], r.b[1]
	r.b = r.b[2:]
	if flags&^knownFlags != 0 || memory.Kind(kind) > memory.Negative {
		return false
	}
	e.is, e.flags = memory.Kind(kind), memory.Flags(flags&^flagTimed)
	if flags&flagTimed != 0 {
		at, ok := r.uvarint()
		if !ok || int64(at) <= 0 {
			return false
		}
		e.expireAt = int64(at)
	}
	return r.text(&e.key) && r.text(&e.value)
}

func (r *batch) digest(e *effect) bool {
	var from, last, after int
	if !r.number(&from, math.MaxUint32+1) || !r.number(&last, math.MaxUint32+1) || from > last ||
		!r.number(&after, math.MaxInt64) || !r.number(&e.digest.Entries, math.MaxInt32) || len(r.b) < 8 {
		return false
	}
	e.hashes = memory.HashRange{DB: e.db, Partition: e.partition, From: uint32(from), Last: uint32(last), After: int64(after)}
	e.digest.Sum = binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return true
}

func (r *batch) uvarint() (uint64, bool) {
	x, n := binary.Uvarint(r.b)
	if n <= 0 {
		return 0, false
	}
	r.b = r.b[n:]
	return x, true
}

func (r *batch) number(to *int, limit int) bool {
	x, ok := r.uvarint()
	if !ok || x >= uint64(limit) {
		return false
	}
	*to = int(x)
	return true
}

func (r *batch) text(to *[]byte) bool {
	n, ok := r.uvarint()
	if !ok || n > uint64(len(r.b)) {
		return false
	}
	*to = r.b[:n:n]
	r.b = r.b[n:]
	return true
}

// Refusal is a partition of a batch that the node does not take any more.
type Refusal struct {
	Partition int
	Reason    RefusalReason
}

// RefusalReason is why a node does not take a partition.
type RefusalReason uint8

// The reasons; their numbers are on the wire.
const (
	NotTaken RefusalReason = iota // it is no copy of the partition, as far as it knows
	Promised                      // it has promised a new owner to take nothing from this one
	Differs                       // what it has of the partition is not what the owner has
)

// AppendRefusals appends refusals in the form of the answer to a batch.
func AppendRefusals(b []byte, list []Refusal) []byte {
	for _, r := range list {
		b = append(binary.AppendUvarint(b, uint64(r.Partition)), byte(r.Reason))
	}
	return b
}

// ParseRefusals reads the answer to a batch.
func ParseRefusals(b []byte) (list []Refusal, err error) {
	for len(b) > 0 {
		p, n := binary.Uvarint(b)
		if n <= 0 || p >= maxPartitions || len(b) == n || RefusalReason(b[n]) > Differs {
			return nil, fmt.Errorf("%w: its answer", ErrBatch)
		}
		list = append(list, Refusal{int(p), RefusalReason(b[n])})
		b = b[n+1:]
	}
	return list, nil
}
