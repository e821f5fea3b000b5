package command

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/resp"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// tester is one client of an executor of its own, at a time of its own.
type tester struct {
	t   testing.TB
	x   *Executor
	s   *Session
	now *atomic.Int64
}

// testerStart is the time at which testers begin, in Unix milliseconds.
const testerStart = 1_700_000_000_000

func newTester(t testing.TB) *tester {
	r := &tester{t: t, now: new(atomic.Int64)}
	r.now.Store(testerStart)
	store, err := memory.Open(memory.Config{Shards: 16, Partitions: true, Clock: r.now.Load})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	r.x = New(Config{Cache: cache.New(store, nil), Options: DefaultOptions()})
	r.s = r.x.NewSession(deadLink{})
	return r
}

// deadLink is a connection to nobody.
type deadLink struct{}

func (deadLink) Push([]byte)              {}
func (deadLink) Kill(bool)                {}
func (deadLink) RemoteAddr() string       { return "127.0.0.1:1" }
func (deadLink) LocalAddr() string        { return "127.0.0.1:2" }
func (deadLink) Buffers() (int, int, int) { return 0, 0, 0 }
func (deadLink) FD() int                  { return 3 }

// do runs one request and returns the raw reply.
func (r *tester) do(words ...string) string {
	args := make([][]byte, len(words))
	for i, w := range words {
		args[i] = []byte(w)
	}
	return string(r.run(args))
}

func (r *tester) run(args [][]byte) []byte {
	for {
		r.x.Begin(r.s)
		r.s.ctx.Now = r.now.Load()
		outcome := r.x.Execute(r.s, args)
		r.x.End(r.s)
		if outcome != Park {
			break
		}
		if r.s.MayBlock {
			r.t.Fatalf("%q parks twice", args)
		}
		r.s.MayBlock = true
	}
	r.s.MayBlock = false
	out := flatten(&r.s.Out)
	r.s.Out.Reset()
	return out
}

// flatten returns all pending output.
func flatten(w *resp.Writer) (out []byte) {
	at := 0
	for _, a := range w.Attachments {
		out = append(out, w.Buf[at:a.At]...)
		out = append(out, a.Data...)
		at = a.At
	}
	return append(out, w.Buf[at:]...)
}

// step is a request, words separated by blanks and quoted as in Go where that
// is needed, and its reply: raw, with blanks for line ends.
type step struct{ request, reply string }

// words splits a request.
func words(t testing.TB, request string) (out []string) {
	for request = strings.TrimSpace(request); request != ""; request = strings.TrimSpace(request) {
		if request[0] != '"' {
			word, rest, _ := strings.Cut(request, " ")
			out, request = append(out, word), rest
			continue
		}
		quoted, err := strconv.QuotedPrefix(request)
		if err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		word, _ := strconv.Unquote(quoted)
		out, request = append(out, word), request[len(quoted):]
	}
	return out
}

// flat shows a raw reply as it stands in a step.
func flat(reply string) string {
	return strings.ReplaceAll(strings.TrimSuffix(reply, "\r\n"), "\r\n", " ")
}

// play runs a story on a new server.
func play(t *testing.T, steps []step) {
	t.Helper()
	r := newTester(t)
	for i, s := range steps {
		if got := flat(r.do(words(t, s.request)...)); got != s.reply {
			t.Errorf("step %d: %s\n got %q\nwant %q", i, s.request, got, s.reply)
		}
	}
}

func (r *tester) fill(n int) {
	for i := range n {
		r.do("SET", fmt.Sprint("key:", i), strconv.Itoa(i))
	}
}
