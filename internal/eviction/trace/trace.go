package trace

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Extension is the ending of a trace's file name.
const Extension = ".dct.gz"

// magic opens every stream, inside the compression.
const magic = "DCT1"

// flagSizes is the bit of the flags byte that says that sizes follow the keys.
const flagSizes = 1

// ErrFormat is returned, wrapped, for a stream that is not a complete and
// consistent DCT1 trace.
var ErrFormat = errors.New("not a DCT1 trace")

// Trace is a recorded sequence of requests. It is immutable once read and may be
// shared by concurrent runs.
type Trace struct {
	// Name is the file name without directory and extension.
	Name string
	// Keys holds the key number of every request.
	// Invariant: numbers are 0..Distinct-1 in order of first appearance.
	Keys []uint32
	// Sizes holds the object's bytes at every request; nil when the trace has
	// none.
	Sizes []uint32
	// Distinct is the number of different keys.
	Distinct int
}

// Sized reports whether the trace knows the sizes of its objects.
func (t *Trace) Sized() bool { return t.Sizes != nil }

// Bytes returns the sum of the first size of every key, zero without sizes.
func (t *Trace) Bytes() uint64 {
	if t.Sizes == nil {
		return 0
	}
	var sum uint64
	var next uint32
	for i, k := range t.Keys {
		if k == next {
			sum += uint64(t.Sizes[i])
			next++
		}
	}
	return sum
}

// Files returns the paths of the traces in dir, sorted by name. A directory
// without any is an error.
func Files(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+Extension))
	if err != nil {
		return nil, fmt.Errorf("list traces in %q: %w", dir, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no *%s files in %q", Extension, dir)
	}
	sort.Strings(paths)
	return paths, nil
}

// NameOf returns the trace name that belongs to a path.
func NameOf(path string) string {
	return strings.TrimSuffix(filepath.Base(path), Extension)
}

// Open reads the trace at path.
func Open(path string) (*Trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open trace: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("open trace %q: %w", path, err)
	}
	t, err := Read(z)
	if err != nil {
		return nil, fmt.Errorf("read trace %q: %w", path, err)
	}
	t.Name = NameOf(path)
	return t, nil
}

// Read decodes an uncompressed DCT1 stream to its end. The name stays empty.
// Memory grows with what was read, not with what the header claims.
func Read(r io.Reader) (*Trace, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	var head [5]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrFormat, err)
	}
	if string(head[:4]) != magic {
		return nil, fmt.Errorf("%w: it starts with %q", ErrFormat, head[:4])
	}
	if head[4]&^flagSizes != 0 {
		return nil, fmt.Errorf("%w: unknown flags %#x", ErrFormat, head[4])
	}
	n, err := readCount(br, "requests")
	if err != nil {
		return nil, err
	}
	distinct, err := readCount(br, "keys")
	if err != nil {
		return nil, err
	}
	t := &Trace{}
	if t.Keys, err = readKeys(br, n, distinct); err != nil {
		return nil, err
	}
	t.Distinct = distinct
	if head[4]&flagSizes != 0 {
		if t.Sizes, err = readSizes(br, n); err != nil {
			return nil, err
		}
	}
	if _, err := br.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("%w: bytes after the last request (%v)", ErrFormat, err)
	}
	return t, nil
}

// readCount reads one of the two counts of the header.
func readCount(br *bufio.Reader, what string) (int, error) {
	v, err := binary.ReadUvarint(br)
	if err != nil {
		return 0, fmt.Errorf("%w: number of %s: %w", ErrFormat, what, err)
	}
	if v > math.MaxInt32 {
		return 0, fmt.Errorf("%w: %d %s are too many", ErrFormat, v, what)
	}
	return int(v), nil
}

// firstAllocation bounds what is allocated on the word of a header alone.
const firstAllocation = 1 << 16

// readKeys decodes n key numbers and checks their numbering.
func readKeys(br *bufio.Reader, n, distinct int) ([]uint32, error) {
	keys := make([]uint32, 0, min(n, firstAllocation))
	var key, next int64
	for i := range n {
		d, err := binary.ReadVarint(br)
		if err != nil {
			return nil, fmt.Errorf("%w: key of request %d: %w", ErrFormat, i, err)
		}
		if d > math.MaxInt32 || d < -math.MaxInt32 {
			return nil, fmt.Errorf("%w: key of request %d is out of range", ErrFormat, i)
		}
		key += d
		if key < 0 || key > next {
			return nil, fmt.Errorf("%w: key %d of request %d is not in order of first appearance", ErrFormat, key, i)
		}
		if key == next {
			next++
		}
		keys = append(keys, uint32(key))
	}
	if next != int64(distinct) {
		return nil, fmt.Errorf("%w: %d keys where the header says %d", ErrFormat, next, distinct)
	}
	return keys, nil
}

// readSizes decodes n object sizes.
func readSizes(br *bufio.Reader, n int) ([]uint32, error) {
	sizes := make([]uint32, 0, min(n, firstAllocation))
	for i := range n {
		s, err := binary.ReadUvarint(br)
		if err != nil {
			return nil, fmt.Errorf("%w: size of request %d: %w", ErrFormat, i, err)
		}
		if s > math.MaxUint32 {
			return nil, fmt.Errorf("%w: size of request %d is %d", ErrFormat, i, s)
		}
		sizes = append(sizes, uint32(s))
	}
	return sizes, nil
}

// Write encodes t, uncompressed, as Read expects it.
func Write(w io.Writer, t *Trace) error {
	bw := bufio.NewWriter(w)
	flags := byte(0)
	if t.Sized() {
		flags |= flagSizes
	}
	buf := append([]byte(magic), flags)
	buf = binary.AppendUvarint(buf, uint64(len(t.Keys)))
	buf = binary.AppendUvarint(buf, uint64(t.Distinct))
	prev := int64(0)
	for _, k := range t.Keys {
		buf = binary.AppendVarint(buf, int64(k)-prev)
		prev = int64(k)
		if len(buf) > 1<<12 {
			bw.Write(buf) // a failure is kept by bw and returned by Flush
			buf = buf[:0]
		}
	}
	for _, s := range t.Sizes {
		buf = binary.AppendUvarint(buf, uint64(s))
		if len(buf) > 1<<12 {
			bw.Write(buf)
			buf = buf[:0]
		}
	}
	bw.Write(buf)
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write trace: %w", err)
	}
	return nil
}
