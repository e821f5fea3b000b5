package hashing

import (
	"bytes"
	"encoding/binary"
)

const (
	// Slots is the number of hash slots of Redis Cluster.
	Slots = 16384
	// Partitions is the number of partitions, each of [SlotsPerPartition] slots.
	Partitions = 1024
	// SlotsPerPartition is how many slots in a row a partition has.
	SlotsPerPartition = Slots / Partitions
)

// Partition returns the partition of a slot, from 0 to [Partitions]-1. The slot
// must be below [Slots].
func Partition(slot uint16) int { return int(slot / SlotsPerPartition) }

// PartitionOf returns the partition of a key.
func PartitionOf(key []byte) int { return Partition(Slot(key)) }

// Slot returns the slot of a key, from 0 to [Slots]-1: the CRC16 of the key or,
// when it has one, of its hash tag: what stands between the first '{' and the
// first '}' behind it, if that is anything. It neither keeps nor changes the
// key and does not allocate.
func Slot(key []byte) uint16 {
	sum, brace := checksum(key)
	if brace {
		if tag := Tag(key); len(tag) != len(key) {
			sum, _ = checksum(tag)
		}
	}
	return sum % Slots
}

// Tag returns the part of a key that decides its slot: its hash tag, the whole
// key when it has none. The result aliases the key.
func Tag(key []byte) []byte {
	open := bytes.IndexByte(key, '{')
	if open < 0 {
		return key
	}
	n := bytes.IndexByte(key[open+1:], '}')
	if n <= 0 {
		return key
	}
	return key[open+1 : open+1+n]
}

// polynomial of CRC16-XMODEM: x^16 + x^12 + x^5 + 1, highest bit first, no
// reflection, initial value 0.
const polynomial = 0x1021

// tables for up to sixteen bytes at a time (M. E. Kounavis, F. L. Berry, "A systematic
// approach to building high performance software-based CRC generators", ISCC
// 2005): tables[n][b] is the checksum of byte b followed by n zero bytes.
var tables = makeTables()

func makeTables() (t [16][256]uint16) {
	for b := range 256 {
		sum := uint16(b) << 8
		for range 8 {
			carry := sum >> 15
			sum = sum<<1 ^ carry*polynomial
		}
		t[0][b] = sum
	}
	for n := 1; n < len(t); n++ {
		for b := range 256 {
			before := t[n-1][b]
			t[n][b] = before<<8 ^ t[0][before>>8]
		}
	}
	return t
}

// checksum returns the CRC16-XMODEM of b and whether there is a '{' in it.
//
// The initial value is 0, so zero bytes in front change nothing: the first
// step takes what is beyond a multiple of eight, as if b were so lengthened,
// and the others whole words. The lookups of one step do not wait for each
// other, so a key of 16 bytes is one step.
func checksum(b []byte) (sum uint16, brace bool) {
	braces := uint64(0)
	if head := len(b) % 8; head != 0 {
		w := firstBytes(b, head)
		braces = findBrace(w)
		sum = step(w)
		b = b[head:]
	}
	if len(b)%16 != 0 {
		w := binary.BigEndian.Uint64(b)
		braces |= findBrace(w)
		sum = step(w ^ uint64(sum)<<48)
		b = b[8:]
	}
	for len(b) >= 16 {
		v, w := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
		braces |= findBrace(v) | findBrace(w)
		sum = stepBefore(v^uint64(sum)<<48) ^ step(w)
		b = b[16:]
	}
	return sum, braces != 0
}

// step returns the checksum of the eight bytes of w, the highest first.
func step(w uint64) uint16 {
	return tables[7][w>>56] ^ tables[6][byte(w>>48)] ^
		tables[5][byte(w>>40)] ^ tables[4][byte(w>>32)] ^
		tables[3][byte(w>>24)] ^ tables[2][byte(w>>16)] ^
		tables[1][byte(w>>8)] ^ tables[0][byte(w)]
}

// stepBefore is step for eight bytes with eight more behind them.
func stepBefore(w uint64) uint16 {
	return tables[15][w>>56] ^ tables[14][byte(w>>48)] ^
		tables[13][byte(w>>40)] ^ tables[12][byte(w>>32)] ^
		tables[11][byte(w>>24)] ^ tables[10][byte(w>>16)] ^
		tables[9][byte(w>>8)] ^ tables[8][byte(w)]
}

// firstBytes returns the first n bytes of b, 0 < n < 8, as the low bytes of a
// word, the last one lowest.
func firstBytes(b []byte, n int) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b) >> (64 - 8*n)
	}
	if n >= 4 {
		// Both halves overlap where n is less than eight.
		return uint64(binary.BigEndian.Uint32(b))<<(8*n-32) | uint64(binary.BigEndian.Uint32(b[n-4:]))
	}
	// One to three bytes: first, middle and last, which may be the same.
	return uint64(b[0])<<(8*n-8) | uint64(b[n/2])<<(8*(n-1-n/2)) | uint64(b[n-1])
}

// findBrace returns something other than zero if a byte of w is '{'.
func findBrace(w uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	x := w ^ '{'*ones
	return (x - ones) &^ x & highs
}
