package resp_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larder-cache/larder/internal/resp"
)

// outputModel is the output as a plain list of what it consists of.
type outputModel struct {
	parts []outputPart
	sent  int // bytes of the first part
}

type outputPart struct {
	data []byte
	id   uint64
	open bool
}

func (m *outputModel) ready() (out []byte) {
	for _, p := range m.parts {
		if p.open {
			break
		}
		out = append(out, p.data...)
	}
	return out[m.sent:]
}

func (m *outputModel) size() (n int) {
	for _, p := range m.parts {
		n += len(p.data)
	}
	return n - m.sent
}

func (m *outputModel) waiting() (n int) {
	for _, p := range m.parts {
		if p.open {
			n++
		}
	}
	return n
}

func (m *outputModel) send(n int) {
	for n += m.sent; len(m.parts) > 0 && !m.parts[0].open && n >= len(m.parts[0].data); m.parts = m.parts[1:] {
		n -= len(m.parts[0].data)
	}
	m.sent = n
}

// holeStory has a writer and the model do the same, chosen at random.
type holeStory struct {
	t        *testing.T
	r        *rand.Rand
	w        resp.Writer
	m        outputModel
	mark     resp.Mark
	marked   int // parts of the model at the mark; -1: none that is valid
	taken    int // references handed to the writer
	released int
}

func (s *holeStory) blob() []byte {
	n := s.r.IntN(40)
	switch s.r.IntN(12) {
	case 0:
		n = 16<<10 + s.r.IntN(3) - 1
	case 1:
		n = 60_000
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.r.Uint32())
	}
	return b
}

func (s *holeStory) step() {
	switch s.r.IntN(13) {
	case 11:
		s.holeAtMark()
	case 12:
		s.lift()
	case 0, 1:
		data := s.blob()
		s.w.Raw(data)
		s.m.parts = append(s.m.parts, outputPart{data: data})
	case 2:
		data := s.blob()
		s.taken++
		s.w.BulkRef(data, func() { s.released++ })
		s.m.parts = append(s.m.parts, outputPart{data: fmt.Appendf(nil, "$%d\r\n%s\r\n", len(data), data)})
	case 3, 4, 5:
		s.m.parts = append(s.m.parts, outputPart{id: s.w.Hole(), open: true})
	case 6, 7:
		s.fill()
	case 8:
		s.drain()
	case 9:
		if s.marked < 0 || s.r.IntN(3) == 0 {
			s.mark, s.marked = s.w.Mark(), len(s.m.parts)
			return
		}
		s.w.Truncate(s.mark)
		s.m.parts = s.m.parts[:s.marked]
	case 10:
		s.w.Compact(make([]byte, 0, s.r.IntN(100)))
		s.marked = -1
		if s.r.IntN(4) == 0 {
			s.w.Furnish(make([]byte, 64))
		} else {
			s.w.Vacate()
		}
	}
}

func (s *holeStory) fill() {
	if n := s.m.waiting(); n == 0 {
		if s.w.Fill(uint64(s.r.Uint32()), nil, nil) {
			s.t.Fatal("a hole that does not exist was filled")
		}
		return
	} else {
		// Mostly in order, as replies come.
		skip := 0
		if s.r.IntN(3) == 0 {
			skip = s.r.IntN(n)
		}
		for i := range s.m.parts {
			p := &s.m.parts[i]
			if !p.open {
				continue
			}
			if skip > 0 {
				skip--
				continue
			}
			p.data, p.open = s.blob(), false
			if i >= s.marked {
				s.marked = -1
			}
			if s.r.IntN(2) == 0 {
				s.taken++
				s.w.Fill(p.id, p.data, func() { s.released++ })
			} else {
				given := bytes.Clone(p.data)
				s.w.Fill(p.id, given, nil)
				clear(given)
			}
			if s.w.Fill(p.id, []byte("again"), nil) {
				s.t.Fatal("a hole was filled twice")
			}
			return
		}
	}
}

// holeAtMark puts a hole where output stands already.
func (s *holeStory) holeAtMark() {
	if s.marked < 0 {
		return
	}
	s.m.parts = slices.Insert(s.m.parts, s.marked, outputPart{id: s.w.HoleAt(s.mark), open: true})
	s.marked = -1
}

// lift takes away one of the holes.
func (s *holeStory) lift() {
	n := s.m.waiting()
	if n == 0 {
		return
	}
	n = s.r.IntN(n)
	for i, p := range s.m.parts {
		if !p.open {
			continue
		}
		if n > 0 {
			n--
			continue
		}
		if !s.w.Has(p.id) || !s.w.Lift(p.id) || s.w.Lift(p.id) || s.w.Has(p.id) || s.w.Fill(p.id, []byte("late"), nil) {
			s.t.Fatal("a hole is not taken away once")
		}
		s.m.parts = slices.Delete(s.m.parts, i, i+1)
		s.marked = -1
		return
	}
}

func (s *holeStory) drain() {
	want := s.m.ready()
	limit := 1 + s.r.IntN(5)
	chunks := s.w.Chunks(nil, limit)
	if len(chunks) > limit {
		s.t.Fatalf("%d chunks, at most %d wanted", len(chunks), limit)
	}
	got := bytes.Join(chunks, nil)
	if !bytes.HasPrefix(want, got) || len(got) == 0 && len(want) > 0 {
		s.t.Fatalf("to be sent are %d bytes %.50q, want %d bytes %.50q", len(got), got, len(want), want)
	}
	n := len(got)
	if s.r.IntN(2) == 0 {
		n = s.r.IntN(n + 1)
	}
	s.w.Sent(n)
	s.m.send(n)
	s.marked = -1
}

func (s *holeStory) check() {
	if s.w.Size() != s.m.size() || s.w.Waiting() != s.m.waiting() || s.w.Ready() != (len(s.m.ready()) > 0) {
		s.t.Fatalf("size %d, waiting %d, ready %v; want %d, %d, %v", s.w.Size(), s.w.Waiting(), s.w.Ready(),
			s.m.size(), s.m.waiting(), len(s.m.ready()) > 0)
	}
}

func TestHolesAgainstModel(t *testing.T) {
	for seed := range uint64(500) {
		s := &holeStory{t: t, r: rand.New(rand.NewPCG(seed, 1)), marked: -1}
		for range 60 {
			s.step()
			s.check()
		}
		if seed%2 == 0 {
			for s.m.waiting() > 0 {
				s.fill()
			}
			for s.m.size() > 0 {
				s.drain()
			}
		} else {
			s.w.Reset()
			s.m = outputModel{}
		}
		s.check()
		if s.taken != s.released || len(s.w.Attachments) != 0 || s.w.Attached() != 0 {
			t.Fatalf("seed %d: %d references taken, %d released, %d attachments", seed, s.taken, s.released, len(s.w.Attachments))
		}
	}
}

// Small replies leave together, whether they were forwarded or not.
func TestHolesLeaveTogether(t *testing.T) {
	w := resp.Writer{Version: resp.RESP2}
	var ids []uint64
	want := ""
	for i := range 100 {
		ids = append(ids, w.Hole())
		w.Int(int64(i))
		want += fmt.Sprintf("+%d\r\n:%d\r\n", i, i)
	}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(ids)) {
		w.Fill(ids[i], fmt.Appendf(nil, "+%d\r\n", i), nil)
	}
	chunks := w.Chunks(nil, 1000)
	if got := string(bytes.Join(chunks, nil)); got != want || len(chunks) > 2 {
		t.Errorf("%d chunks: %.60q", len(chunks), got)
	}
}

// Output that is held back and let go leaves as the run that it was written as.
func TestHeldOutputStaysOneRun(t *testing.T) {
	w := resp.Writer{Version: resp.RESP2}
	var ids []uint64
	want := ""
	for i := range 20 {
		mark := w.Mark()
		w.Int(int64(i))
		ids = append(ids, w.HoleAt(mark))
		want += fmt.Sprintf(":%d\r\n", i)
	}
	if w.Ready() {
		t.Error("something is ready behind a hole")
	}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(ids)) {
		w.Lift(ids[i])
	}
	chunks := w.Chunks(nil, 1000)
	if got := string(bytes.Join(chunks, nil)); got != want || len(chunks) != 1 {
		t.Errorf("%d chunks: %.60q", len(chunks), got)
	}
}

func TestHolesDoNotAllocate(t *testing.T) {
	var w resp.Writer
	reply := []byte("$5\r\nvalue\r\n")
	var room [1][]byte
	if n := testing.AllocsPerRun(100, func() {
		mark := w.Mark()
		w.Int(1)
		held := w.HoleAt(mark)
		var ids [64]uint64
		for i := range ids {
			ids[i] = w.Hole()
		}
		w.Lift(held)
		for _, id := range ids {
			w.Fill(id, reply, nil)
		}
		w.Sent(len(w.Chunks(room[:0], 1)[0]))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
