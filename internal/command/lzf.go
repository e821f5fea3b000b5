package command

import "sync"

// LZF is the compression of strings in RDB files and DUMP payloads: a
// byte-oriented Lempel-Ziv by Marc Lehmann. Its stream consists of
//
//	000lllll              l+1 bytes follow as they are
//	lllooooo oooooooo     copy l+2 bytes from o+1 bytes back, l from 1 to 6
//	111ooooo llllllll oooooooo   the same with l+9 bytes

const (
	lzfHashBits   = 16
	lzfMaxLiteral = 1 << 5
	lzfMaxOffset  = 1 << 13
	lzfMaxMatch   = 1<<8 + 1<<3
)

// lzfTable finds earlier places with the same three bytes: positions plus one.
type lzfTable [1 << lzfHashBits]uint32

var lzfTables = sync.Pool{New: func() any { return new(lzfTable) }}

func lzfSlot(src []byte, i int) uint32 {
	h := uint32(src[i])<<16 | uint32(src[i+1])<<8 | uint32(src[i+2])
	return (h>>(24-lzfHashBits) - h*5) & (1<<lzfHashBits - 1)
}

// lzfCompress returns the compressed form of src if it is at most limit bytes
// long, nil otherwise. It decides as Redis's library does in the settings it is
// built with, so that payloads are usually equal to the byte.
func lzfCompress(src []byte, limit int) []byte {
	table := lzfTables.Get().(*lzfTable)
	clear(table[:])
	defer lzfTables.Put(table)

	n := len(src)
	out := make([]byte, 1, limit+4) // the first byte announces the literals
	literals := 0
	i := 0
	for i < n-2 {
		slot := lzfSlot(src, i)
		at := int(table[slot]) - 1
		table[slot] = uint32(i + 1)
		if at < 1 || i-at > lzfMaxOffset || string(src[at:at+3]) != string(src[i:i+3]) {
			if len(out) >= limit {
				return nil
			}
			out = append(out, src[i])
			i++
			if literals++; literals == lzfMaxLiteral {
				out, literals = lzfEndRun(out, literals)
			}
			continue
		}
		room := 4
		if literals == 0 {
			room = 3
		}
		if len(out)+room >= limit {
			return nil
		}
		length := lzfMatch(src, at, i)
		if literals > 0 {
			out[len(out)-literals-1] = byte(literals - 1)
		} else {
			out = out[:len(out)-1]
		}
		out = lzfReference(out, i-at-1, length-2)
		out, literals = append(out, 0), 0
		i += length
		if i >= n-2 {
			break
		}
		table[lzfSlot(src, i-2)] = uint32(i - 1)
		table[lzfSlot(src, i-1)] = uint32(i)
	}
	if len(out)+3 > limit {
		return nil
	}
	for ; i < n; i++ {
		out = append(out, src[i])
		if literals++; literals == lzfMaxLiteral {
			out, literals = lzfEndRun(out, literals)
		}
	}
	if literals == 0 {
		return out[:len(out)-1]
	}
	out[len(out)-literals-1] = byte(literals - 1)
	return out
}

// lzfEndRun closes a run of literals and opens the next.
func lzfEndRun(out []byte, literals int) ([]byte, int) {
	out[len(out)-literals-1] = byte(literals - 1)
	return append(out, 0), 0
}

func lzfReference(out []byte, offset, length int) []byte {
	if length < 7 {
		return append(out, byte(offset>>8|length<<5), byte(offset))
	}
	return append(out, byte(offset>>8|7<<5), byte(length-7), byte(offset))
}

// lzfMatch returns how many bytes are equal at two places where at least three
// are. The last two bytes are left as literals, except that a match of up to
// nineteen bytes may go to the end.
func lzfMatch(src []byte, at, i int) int {
	limit := min(len(src)-i-2, lzfMaxMatch)
	if limit > 16 {
		limit = max(limit, 19)
	}
	length := 3
	for length < limit && src[at+length] == src[i+length] {
		length++
	}
	return length
}

// lzfDecompress returns the n bytes a stream stands for; ok is false when it is
// broken or stands for another number of bytes.
func lzfDecompress(src []byte, n int) (out []byte, ok bool) {
	// A reference of three bytes makes at most lzfMaxMatch: what claims to be
	// more is refused before memory is taken for it.
	if n < 0 || n > (len(src)/3+1)*lzfMaxMatch {
		return nil, false
	}
	out = make([]byte, 0, n)
	for i := 0; i < len(src); {
		head := int(src[i])
		i++
		if head < lzfMaxLiteral {
			end := i + head + 1
			if end > len(src) || len(out)+head+1 > n {
				return nil, false
			}
			out = append(out, src[i:end]...)
			i = end
			continue
		}
		length := head >> 5
		if length == 7 {
			if i == len(src) {
				return nil, false
			}
			length += int(src[i])
			i++
		}
		if i == len(src) {
			return nil, false
		}
		from := len(out) - (head&31)<<8 - int(src[i]) - 1
		i++
		length += 2
		if from < 0 || len(out)+length > n {
			return nil, false
		}
		for length > 0 { // the source may reach into what is being written
			part := out[from:min(from+length, len(out))]
			out = append(out, part...)
			from += len(part)
			length -= len(part)
		}
	}
	return out, len(out) == n
}
