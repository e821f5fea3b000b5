package command

import (
	"encoding/binary"
	"hash/crc64"
	"math"
	"strconv"
)

// A DUMP payload is an RDB object with a footer: the type, the string, two
// bytes of RDB version and eight of CRC-64, both little-endian.
const (
	rdbVersion       = 10 // of Redis 7.0; strings have not changed since
	rdbNewest        = 12 // of Redis 7.4 and 8
	rdbValkey        = 80 // of Valkey 9
	rdbFooter        = 10
	rdbTypeString    = 0
	rdbLargestType   = 30
	rdbLen6          = 0
	rdbLen14         = 1
	rdbLen32         = 0x80
	rdbLen64         = 0x81
	rdbEncoded       = 3 // in the two highest bits: the rest tells how
	rdbInt8          = 0
	rdbInt16         = 1
	rdbInt32         = 2
	rdbLZF           = 3
	rdbLongestNumber = 11 // digits and sign of what may be kept as a number
	rdbShortestLZF   = 21 // bytes from which on compressing can pay
)

// jones is the table of the CRC-64 of Redis, whose polynomial is by David
// Jones; neither its start nor its result is inverted.
var jones = crc64.MakeTable(0x95ac9329ac4bc9b5)

func rdbChecksum(b []byte) uint64 { return ^crc64.Update(math.MaxUint64, jones, b) }

// appendDump appends the payload of a string.
func appendDump(b, value []byte) []byte {
	start := len(b)
	b = append(b, rdbTypeString)
	b = appendRDBString(b, value)
	b = binary.LittleEndian.AppendUint16(b, rdbVersion)
	return binary.LittleEndian.AppendUint64(b, rdbChecksum(b[start:]))
}

func appendRDBString(b, value []byte) []byte {
	if v, ok := parseInt(value); ok && len(value) <= rdbLongestNumber && int64(int32(v)) == v {
		return appendRDBInt(b, v)
	}
	if len(value) >= rdbShortestLZF {
		if packed := lzfCompress(value, len(value)-4); packed != nil {
			b = append(b, rdbEncoded<<6|rdbLZF)
			b = appendRDBLen(b, len(packed))
			b = appendRDBLen(b, len(value))
			return append(b, packed...)
		}
	}
	b = appendRDBLen(b, len(value))
	return append(b, value...)
}

func appendRDBInt(b []byte, v int64) []byte {
	switch {
	case int64(int8(v)) == v:
		return append(b, rdbEncoded<<6|rdbInt8, byte(v))
	case int64(int16(v)) == v:
		b = append(b, rdbEncoded<<6|rdbInt16)
		return binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	b = append(b, rdbEncoded<<6|rdbInt32)
	return binary.LittleEndian.AppendUint32(b, uint32(v))
}

func appendRDBLen(b []byte, n int) []byte {
	switch {
	case n < 1<<6:
		return append(b, byte(n))
	case n < 1<<14:
		return append(b, rdbLen14<<6|byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, rdbLen32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, rdbLen64), uint64(n))
}

// parseDump returns the string of a payload, of at most limit bytes; it may
// alias the payload. The refusal is the error to answer, "" when there is none.
// Bytes between the string and the footer are ignored, as by Redis.
func parseDump(payload []byte, limit int) (value []byte, refusal string) {
	if len(payload) < rdbFooter {
		return nil, errDumpSum
	}
	body := payload[:len(payload)-rdbFooter]
	version := binary.LittleEndian.Uint16(payload[len(body):])
	if version > rdbNewest && version != rdbValkey {
		return nil, errDumpSum
	}
	if binary.LittleEndian.Uint64(payload[len(body)+2:]) != rdbChecksum(payload[:len(body)+2]) {
		return nil, errDumpSum
	}
	switch {
	case len(body) == 0 || body[0] > rdbLargestType:
		return nil, errDumpFormat
	case body[0] != rdbTypeString:
		return nil, errDumpType
	}
	r := rdbReader{rest: body[1:]}
	value = r.text(limit)
	if r.broken {
		return nil, errDumpFormat
	}
	return value, ""
}

// rdbReader takes RDB elements off a run of bytes. Once broken it returns
// zeros.
type rdbReader struct {
	rest   []byte
	broken bool
}

func (r *rdbReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.broken, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// one takes a byte.
func (r *rdbReader) one() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// length takes a length, or the kind of an encoding.
func (r *rdbReader) length() (n uint64, encoded bool) {
	head := r.one()
	low := uint64(head & 0x3f)
	switch head >> 6 {
	case rdbLen6:
		return low, false
	case rdbLen14:
		return low<<8 | uint64(r.one()), false
	case rdbEncoded:
		return low, true
	}
	switch head {
	case rdbLen32:
		if b := r.take(4); b != nil {
			return uint64(binary.BigEndian.Uint32(b)), false
		}
	case rdbLen64:
		if b := r.take(8); b != nil {
			return binary.BigEndian.Uint64(b), false
		}
	}
	r.broken = true
	return 0, false
}

// text takes a string of at most limit bytes.
func (r *rdbReader) text(limit int) []byte {
	n, encoded := r.length()
	switch {
	case !encoded && n <= uint64(limit):
		return r.take(n)
	case encoded && n == rdbInt8:
		return strconv.AppendInt(nil, int64(int8(r.one())), 10)
	case encoded && n == rdbInt16:
		if b := r.take(2); b != nil {
			return strconv.AppendInt(nil, int64(int16(binary.LittleEndian.Uint16(b))), 10)
		}
	case encoded && n == rdbInt32:
		if b := r.take(4); b != nil {
			return strconv.AppendInt(nil, int64(int32(binary.LittleEndian.Uint32(b))), 10)
		}
	case encoded && n == rdbLZF:
		return r.packed(limit)
	}
	r.broken = true
	return nil
}

// packed takes a compressed string.
func (r *rdbReader) packed(limit int) []byte {
	size, encoded := r.length()
	n, encodedToo := r.length()
	src := r.take(size)
	if !r.broken && !encoded && !encodedToo && n <= uint64(limit) {
		if value, ok := lzfDecompress(src, int(n)); ok {
			return value
		}
	}
	r.broken = true
	return nil
}
