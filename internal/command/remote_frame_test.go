package command

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

func frameOf(kind uint8, r *remoteRequest) []byte {
	if kind == KindTransaction {
		return r.appendTransaction(nil)
	}
	if kind == KindNear {
		return r.appendNear(nil)
	}
	head, body := r.appendRequest(nil)
	return append(head, body...)
}

func TestFramesComeBack(t *testing.T) {
	word := func(s string) []byte { return []byte(s) }
	large := bytes.Repeat(word("x"), 100_000)
	for name, tt := range map[string]struct {
		kind uint8
		r    remoteRequest
	}{
		"request": {KindRequest, remoteRequest{resp3: true, hops: 3, db: 15, client: 1 << 40, view: 1 << 33, words: [][]byte{word("SET"), word("k"), word("")}}},
		"large":   {KindRequest, remoteRequest{noTouch: true, view: 1, words: [][]byte{word("SET"), word("k"), large}}},
		"middle":  {KindRequest, remoteRequest{view: 1, words: [][]byte{word("SET"), word("k"), large, word("NX")}}},
		"watch":   {KindWatch, remoteRequest{view: 1, words: [][]byte{word("WATCH"), word("k")}}},
		"transaction": {KindTransaction, remoteRequest{view: 1, epoch: 7,
			watched: []watchedKey{{3, word("k"), 1 << 63}, {0, word(""), 0}},
			queue:   [][][]byte{{word("GET"), word("k")}, {word("PING")}}}},
		"near":              {KindNear, remoteRequest{view: 1, holder: "n", lifetime: time.Second, words: [][]byte{word("GET"), word("k")}}},
		"empty transaction": {KindTransaction, remoteRequest{view: 1, epoch: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			frame := frameOf(tt.kind, &tt.r)
			got := remoteRequest{words: [][]byte{word("left over")}}
			if err := got.parse(tt.kind, frame); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(frameOf(tt.kind, &got), frame) || !reflect.DeepEqual(got.words, tt.r.words) && len(tt.r.words) > 0 {
				t.Errorf("%+v came back as %+v", tt.r, got)
			}
			for n := range min(len(frame), 200) {
				if got.parse(tt.kind, frame[:n]) == nil {
					t.Errorf("the first %d of %d bytes are taken for a frame", n, len(frame))
				}
			}
			if got.parse(tt.kind, append(frame, 0)) == nil {
				t.Error("a byte too many is not noticed")
			}
		})
	}
	if new(remoteRequest).parse(0xff, []byte{remoteFormat, 0, 0, 0, 0, 1, 1, 1, 'x'}) == nil {
		t.Error("a kind that does not exist is accepted")
	}
}

func FuzzFrame(f *testing.F) {
	r := remoteRequest{view: 1, words: [][]byte{[]byte("GET"), []byte("k")}, watched: []watchedKey{{1, []byte("k"), 5}}, epoch: cluster.Epoch(3),
		queue: [][][]byte{{[]byte("GET"), []byte("k")}}}
	for _, kind := range []uint8{KindRequest, KindTransaction, KindWatch, KindNear} {
		f.Add(kind, frameOf(kind, &r))
	}
	f.Fuzz(func(t *testing.T, kind uint8, frame []byte) {
		var r remoteRequest
		if r.parse(kind, frame) != nil {
			return
		}
		if kind != KindTransaction && len(r.words) == 0 {
			t.Fatal("a request without words")
		}
		for _, words := range r.queue {
			if len(words) == 0 {
				t.Fatal("a request without words in a transaction")
			}
		}
		again := remoteRequest{}
		if err := again.parse(kind, frameOf(kind, &r)); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}

// The replies of parts come from other nodes: whatever they are, one reply comes
// of it.
func FuzzGather(f *testing.F) {
	f.Add(uint8(splitLists), []byte("*2\r\n$1\r\na\r\n$-1\r\n"), []byte("*1\r\n_\r\n"))
	f.Add(uint8(splitSums), []byte(":1\r\n"), []byte(":2\r\n"))
	f.Add(uint8(splitOK), []byte("+OK\r\n"), []byte("-ERR no\r\n"))
	f.Fuzz(func(t *testing.T, form uint8, first, second []byte) {
		g := &gather{form: splitForm(form%3) + 1, keys: 3, left: 2, parts: []gatherPart{{at: []int{0, 2}}, {at: []int{1}}}}
		g.put(0, first)
		g.put(1, second)
		if len(g.compose()) == 0 {
			t.Fatal("no reply")
		}
	})
}
