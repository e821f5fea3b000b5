package peer

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

// pieces is a reader that delivers bytes in pieces of random lengths.
type pieces struct {
	rest []byte
	rnd  *rand.Rand
	most int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(len(p.rest), 1+p.rnd.IntN(p.most))])
	p.rest = p.rest[n:]
	return n, nil
}

// TestHalfFrames cuts a stream of frames everywhere; what is kept of a frame
// stays as it was while others are read.
func TestHalfFrames(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var stream []byte
		var want [][]byte
		for range 300 {
			size := rnd.IntN(200)
			switch rnd.IntN(30) {
			case 0:
				size = rnd.IntN(200 << 10)
			case 1:
				size = rnd.IntN(chunkSize * 2)
			}
			payload := make([]byte, size)
			for i := range payload {
				payload[i] = byte(rnd.Uint32())
			}
			want = append(want, payload)
			stream = header{typ: frameRequest, id: uint32(len(want)), length: uint32(size)}.append(stream)
			stream = append(stream, payload...)
		}
		in := inbox{from: &pieces{stream, rnd, 1 + rnd.IntN(40<<10)}, maxFrame: frameLimit}
		type kept struct {
			data []byte
			c    *chunk
			i    int
		}
		var keep []kept
		verify := func(k kept) {
			if !bytes.Equal(k.data, want[k.i]) {
				t.Fatalf("seed %d: frame %d of %d bytes changed", seed, k.i, len(want[k.i]))
			}
			k.c.Release()
		}
		got := 0
		for got < len(want) {
			h, data, ok, err := in.next()
			check(t, err)
			if !ok {
				check(t, in.fill())
				continue
			}
			if got++; h.id != uint32(got) {
				t.Fatalf("seed %d: frame %d has id %d", seed, got, h.id)
			}
			in.chunk.refs.Add(1)
			keep = append(keep, kept{data, in.chunk, got - 1})
			if len(keep) > 20 || rnd.IntN(3) == 0 {
				verify(keep[0])
				keep = keep[1:]
			}
		}
		for _, k := range keep {
			verify(k)
		}
		in.close()
	}
}

// TestLengthAloneTakesNoMemory guards that memory follows the bytes.
func TestLengthAloneTakesNoMemory(t *testing.T) {
	stream := header{typ: frameRequest, length: frameLimit}.append(nil)
	stream = append(stream, make([]byte, 1<<20)...)
	in := inbox{from: &pieces{stream, rand.New(rand.NewPCG(1, 1)), 100 << 10}, maxFrame: frameLimit}
	for {
		if _, _, ok, err := in.next(); ok || err != nil {
			t.Fatal(ok, err)
		}
		if in.fill() != nil {
			break
		}
	}
	if got := len(in.chunk.buf); got > firstGrowth+chunkSlack {
		t.Errorf("%d bytes were taken for 1 MiB", got)
	}
	in.close()
}

func FuzzInbox(f *testing.F) {
	f.Add(header{typ: framePing}.append(nil), uint16(3))
	f.Add(append(header{typ: frameReply, length: 3, id: 9}.append(nil), "abc"...), uint16(1))
	f.Add(header{typ: frameRequest, length: 1 << 31}.append(nil), uint16(100))
	f.Add([]byte{0, 0, 0, 0, 2, 1}, uint16(1))
	f.Fuzz(func(t *testing.T, stream []byte, most uint16) {
		const maxFrame = 1 << 16
		in := inbox{from: &pieces{stream, rand.New(rand.NewPCG(1, 2)), 1 + int(most)}, maxFrame: maxFrame}
		defer in.close()
		var again []byte
		for {
			h, data, ok, err := in.next()
			if err != nil {
				return
			}
			if ok {
				if int(h.length) != len(data) || len(data) > maxFrame {
					t.Fatalf("%d bytes of %d", len(data), h.length)
				}
				again = append(h.append(again), data...)
				continue
			}
			if in.fill() != nil {
				break
			}
		}
		if !bytes.HasPrefix(stream, again) {
			t.Fatal("the frames are not those of the stream")
		}
	})
}

func FuzzGreeting(f *testing.F) {
	h := hello{Identity: Identity{Cluster: "c", Node: "n", Build: "b", Incarnation: 7}, minVersion: 1, maxVersion: 2, lane: "x"}
	a := answer{Identity: h.Identity, refusal: RefusedLane, version: 1, reason: "why"}
	f.Add(h.encode())
	f.Add(a.encode())
	f.Add([]byte(helloMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := readEnvelope(bytes.NewReader(b))
		if err != nil {
			return
		}
		if h, err := parseHello(body); err == nil {
			if again, err := parseHello(h.encode()[helloPrefix:]); err != nil || again != h {
				t.Fatalf("%+v became %+v, %v", h, again, err)
			}
		}
		if a, err := parseAnswer(body); err == nil {
			if again, err := parseAnswer(a.encode()[helloPrefix:]); err != nil || again != a {
				t.Fatalf("%+v became %+v, %v", a, again, err)
			}
		}
	})
}

// TestChunkClasses guards that a class holds what it is chosen for.
func TestChunkClasses(t *testing.T) {
	for _, size := range []int{1, chunkSize, chunkSize + chunkSlack, chunkSize + chunkSlack + 1, 1 << 20, 1<<20 + headerSize, 4<<20 + chunkSlack, 4<<20 + chunkSlack + 1, 9 << 20} {
		c := newChunk(size)
		if len(c.buf) < size || len(c.buf) > 2*size+chunkSize+chunkSlack {
			t.Errorf("%d bytes for %d", len(c.buf), size)
		}
		if class := chunkClass(len(c.buf)); class < chunkClasses && len(c.buf) != chunkSize<<class+chunkSlack {
			t.Errorf("%d bytes go back to class %d", len(c.buf), class)
		}
		c.Release()
	}
}

// TestPendingTable guards that an id finds its own request only.
func TestPendingTable(t *testing.T) {
	var table pendingTable
	sink := newCollector()
	ids := map[uint32]uint64{}
	rnd := rand.New(rand.NewPCG(3, 4))
	for tag := range uint64(100000) {
		id := table.add(waiting{sink: sink, tag: tag, size: 2})
		if _, twice := ids[id]; twice {
			t.Fatalf("id %d is given twice", id)
		}
		ids[id] = tag
		for id, tag := range ids {
			if len(ids) < 500 && rnd.IntN(2) == 0 {
				break
			}
			if w, ok := table.take(id); !ok || w.tag != tag {
				t.Fatalf("id %d: %+v, %v", id, w, ok)
			}
			if _, ok := table.take(id); ok {
				t.Fatalf("id %d was there twice", id)
			}
			delete(ids, id)
			break
		}
	}
	if table.n != len(ids) || table.bytes != 2*len(ids) || len(table.takeAll()) != len(ids) {
		t.Errorf("%d requests, %d bytes; %d are open", table.n, table.bytes, len(ids))
	}
}
