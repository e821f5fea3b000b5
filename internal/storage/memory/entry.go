package memory

import (
	"bytes"
	"encoding/binary"

	"github.com/larder-cache/larder/internal/eviction"
	"github.com/larder-cache/larder/internal/storage/offheap"
)

// Ref is the place of a block in its shard's arena, in units of 8 bytes.
type Ref = eviction.Ref

// Kind is the type of an entry's value.
type Kind uint8

// The kinds. Packed collections will take the free numbers up to 6; 7 is
// [packedTable].
const (
	String Kind = iota
	// Negative remembers that a source has no such row. Such an entry takes part
	// in expiry and eviction but is absent for every reader.
	Negative
)

// header begins every block that holds an entry:
//
//	0   meta       3 bytes, see below
//	3   policy     eviction.Node: 1 byte of bits and two links of 4 bytes
//	12  key length 1 byte (its lowest 8 bits when extended)
//	13  version    6 bytes
//	19  expiry     5 bytes: its lowest 40 bits in ms since expiryBase  } only with
//	24  links      2 x 4 bytes, the list of the timing wheel           } metaTimed
//	19 or 32       extension of 16 bytes, only with metaExtended
//	...            key, value, up to 15 bytes of slack
//
// The 24 bits of meta: block length in units (12), slack in bytes (4), kind
// (3), and five flags. A length of 0 is a hole, or, with metaExtended, a run:
// a block outside of the segments whose length the arena knows.
//
// Invariant: header starts with the layout of [eviction.Node].
type header struct {
	meta       [3]byte
	bits       uint8
	prev, next Ref
	keyLen     uint8
	version    [6]byte
	expiry     [5]byte
	wheelPrev  Ref
	wheelNext  Ref
}

const (
	plainHeader = 19
	timedHeader = 32

	metaUnits    = 1<<12 - 1
	slackShift   = 12
	metaSlack    = 15 << slackShift
	kindShift    = 16
	metaKind     = 7 << kindShift
	metaTimed    = 1 << 19 // expiry and wheel links are present
	metaExtended = 1 << 20 // the extension is present
	metaRaw      = 1 << 21 // the value was grown in place: OBJECT ENCODING raw
	metaFilled   = 1 << 22 // the value came from a source
	metaAfter    = 1 << 23 // the block before this one is a hole
)

// extension holds what does not fit the header of a common entry: long keys
// and values, keyspaces other than the first, expiry beyond 34 years.
type extension struct {
	keyLen   uint32
	valueLen uint32
	expiryHi uint32
	keyspace uint16
	_        uint16
}

const extensionSize = 16

// expiryBase, in Unix milliseconds, is what a stored expiry counts from:
// 2020-01-01. Earlier times are in the past anyway and become 1.
const expiryBase = 1577836800000

func (h *header) metaBits() uint32 {
	return uint32(h.meta[0]) | uint32(h.meta[1])<<8 | uint32(h.meta[2])<<16
}

func (h *header) setMeta(m uint32) {
	h.meta[0], h.meta[1], h.meta[2] = byte(m), byte(m>>8), byte(m>>16)
}

// begin clears what every block has for a new entry. The fields behind are
// not touched: a short block may end before them.
func (h *header) begin(keyLen int) {
	h.bits, h.prev, h.next, h.keyLen = 0, 0, 0, uint8(keyLen)
}

func (h *header) versionNumber() uint64 {
	return uint64(binary.LittleEndian.Uint32(h.version[:4])) | uint64(binary.LittleEndian.Uint16(h.version[4:]))<<32
}

func (h *header) setVersion(v uint64) {
	binary.LittleEndian.PutUint32(h.version[:4], uint32(v))
	binary.LittleEndian.PutUint16(h.version[4:], uint16(v>>32))
}

// layout is the decoded shape of an entry.
type layout struct {
	meta     uint32
	ext      uint64 // offset of the extension in the region, 0: none
	key      uint64 // offset of the key
	keyLen   uint64
	value    uint64 // offset of the value
	valueLen uint64
}

func (a *arena) header(r Ref) *header { return offheap.At[header](&a.region, uint64(r)*unit) }

// extensionAt views an extension; offsets are not aligned, so it is copied.
func (a *arena) extensionAt(off uint64) extension {
	b := a.region.Bytes(off, extensionSize)
	return extension{
		keyLen:   binary.LittleEndian.Uint32(b),
		valueLen: binary.LittleEndian.Uint32(b[4:]),
		expiryHi: binary.LittleEndian.Uint32(b[8:]),
		keyspace: binary.LittleEndian.Uint16(b[12:]),
	}
}

func (a *arena) putExtension(off uint64, x extension) {
	b := a.region.Bytes(off, extensionSize)
	binary.LittleEndian.PutUint32(b, x.keyLen)
	binary.LittleEndian.PutUint32(b[4:], x.valueLen)
	binary.LittleEndian.PutUint32(b[8:], x.expiryHi)
	binary.LittleEndian.PutUint16(b[12:], x.keyspace)
}

// layout decodes the entry at r.
func (a *arena) layout(r Ref) layout {
	h := a.header(r)
	m := h.metaBits()
	l := layout{meta: m}
	off := uint64(r)*unit + plainHeader
	if m&metaTimed != 0 {
		off = uint64(r)*unit + timedHeader
	}
	if m&metaExtended != 0 {
		x := a.extensionAt(off)
		l.ext = off
		l.key = off + extensionSize
		l.keyLen = uint64(x.keyLen)
		l.value = l.key + l.keyLen
		l.valueLen = uint64(x.valueLen)
		return l
	}
	l.key = off
	l.keyLen = uint64(h.keyLen)
	l.value = off + l.keyLen
	l.valueLen = (uint64(r)+uint64(m&metaUnits))*unit - uint64(m&metaSlack)>>slackShift - l.value
	return l
}

// keyIs reports whether the entry at r has that key.
func (a *arena) keyIs(r Ref, key []byte) bool {
	h := a.header(r)
	if h.keyLen != uint8(len(key)) {
		return false
	}
	m := h.metaBits()
	off := uint64(r)*unit + plainHeader
	if m&metaTimed != 0 {
		off = uint64(r)*unit + timedHeader
	}
	if m&metaExtended != 0 {
		if a.extensionAt(off).keyLen != uint32(len(key)) {
			return false
		}
		off += extensionSize
	} else if len(key) > 255 {
		return false
	}
	return bytes.Equal(a.region.Bytes(off, uint64(len(key))), key)
}

func (a *arena) key(r Ref) []byte {
	l := a.layout(r)
	return a.region.Bytes(l.key, l.keyLen)
}

// expireAt returns when the entry expires in Unix milliseconds, 0 for never.
func (a *arena) expireAt(r Ref) int64 {
	h := a.header(r)
	m := h.metaBits()
	if m&metaTimed == 0 {
		return 0
	}
	at := uint64(binary.LittleEndian.Uint32(h.expiry[:4])) | uint64(h.expiry[4])<<32
	if m&metaExtended != 0 {
		at |= uint64(a.extensionAt(uint64(r)*unit+timedHeader).expiryHi) << 40
	}
	if at == 0 {
		return 0
	}
	return int64(at) + expiryBase
}

// expiryFits reports whether an expiry can be stored without an extension.
func expiryFits(at int64) bool { return at-expiryBase < 1<<40 }

// setExpireAt stores an expiry in an entry that has room for it.
func (a *arena) setExpireAt(r Ref, at int64) {
	stored := uint64(0)
	if at != 0 {
		stored = uint64(max(at-expiryBase, 1))
	}
	h := a.header(r)
	binary.LittleEndian.PutUint32(h.expiry[:4], uint32(stored))
	h.expiry[4] = byte(stored >> 32)
	if h.metaBits()&metaExtended != 0 {
		off := uint64(r)*unit + timedHeader
		x := a.extensionAt(off)
		x.expiryHi = uint32(stored >> 40)
		a.putExtension(off, x)
	}
}

// keyspaceOf returns the id of the keyspace the entry belongs to.
func (a *arena) keyspaceOf(r Ref) uint16 {
	l := a.layout(r)
	if l.ext == 0 {
		return 0
	}
	return a.extensionAt(l.ext).keyspace
}

// shape is what an entry to be stored needs.
type shape struct {
	timed, extended bool
	size            uint64 // bytes, without slack
}

// shapeOf tells how an entry is laid out.
func shapeOf(keyspace uint16, keyLen, valueLen int, expireAt int64) shape {
	s := shape{
		timed:    expireAt != 0,
		extended: keyspace != 0 || keyLen > 255 || !expiryFits(expireAt),
	}
	s.size = s.header() + uint64(keyLen) + uint64(valueLen)
	if s.size > maxBlock {
		// A run always has room for everything.
		s.timed, s.extended = true, true
		s.size = s.header() + uint64(keyLen) + uint64(valueLen)
	}
	return s
}

func (s shape) header() uint64 {
	n := uint64(plainHeader)
	if s.timed {
		n = timedHeader
	}
	if s.extended {
		n += extensionSize
	}
	return n
}
