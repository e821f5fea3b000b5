package loadgen

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// replies are complete replies with what should be known of each. Nonsense
// between them would show as a wrong count.
var respReplies = []struct {
	wire   string
	values int
	nulls  int
	err    string
}{
	{"+OK\r\n", 1, 0, ""},
	{"+\r\n", 1, 0, ""},
	{":-12\r\n", 1, 0, ""},
	{"$-1\r\n", 1, 1, ""},
	{"*-1\r\n", 1, 1, ""},
	{"_\r\n", 1, 1, ""},
	{"$0\r\n\r\n", 1, 0, ""},
	{"$5\r\n\r\n$-1\r\n", 1, 0, ""}, // the value looks like a reply
	{"$300\r\n" + strings.Repeat("x", 300) + "\r\n", 1, 0, ""},
	{"-ERR unknown command\r\n", 1, 0, "ERR unknown command"},
	{"!8\r\nERR a\r\nb\r\n", 1, 0, "ERR a\r\nb"},
	{"*0\r\n", 0, 0, ""},
	{"%0\r\n", 0, 0, ""},
	{"*3\r\n$1\r\na\r\n$-1\r\n:7\r\n", 3, 1, ""},
	{"*2\r\n*2\r\n+a\r\n+b\r\n*1\r\n*0\r\n", 2, 0, ""},
	{"%2\r\n+a\r\n:1\r\n+b\r\n*2\r\n_\r\n#t\r\n", 5, 1, ""},
	{"~1\r\n,3.14\r\n", 1, 0, ""},
	{"=7\r\ntxt:abc\r\n", 1, 0, ""},
	{"(12345678901234567890\r\n", 1, 0, ""},
	{"*2\r\n-MOVED 1 a\r\n!3\r\nERR\r\n", 2, 0, "MOVED 1 a"},
	{">2\r\n+message\r\n$-1\r\n:9\r\n", 1, 0, ""},             // a push before a reply
	{"|1\r\n+ttl\r\n:100\r\n+OK\r\n", 3, 0, ""},               // attributes before a reply
	{">1\r\n*2\r\n+a\r\n_\r\n>0\r\n$2\r\nab\r\n", 1, 0, ""},   // two pushes
	{"*1\r\n|1\r\n+k\r\n*1\r\n+v\r\n$2\r\nab\r\n", 3, 0, ""},  // attributes inside
	{"*1\r\n%1\r\n*1\r\n+k\r\n~2\r\n:1\r\n$-1\r\n", 3, 1, ""}, // maps of collections
	{"!600\r\n" + strings.Repeat("e", 600) + "\r\n", 1, 0, strings.Repeat("e", 512)},
}

// feedSplit gives stream to r in parts of at most size bytes (random with 0),
// and calls f for every reply.
func feedSplit(t *testing.T, r replyReader, stream []byte, size int, rnd *rand.Rand, f func(*reply)) {
	t.Helper()
	for len(stream) > 0 {
		n := size
		if size == 0 {
			n = 1 + rnd.IntN(40)
		}
		part := bytes.Clone(stream[:min(n, len(stream))]) // a fresh place: nothing may be kept of it
		stream = stream[len(part):]
		for len(part) > 0 {
			k, rep, err := r.next(part)
			if err != nil {
				t.Fatalf("at %.30q: %v", part, err)
			}
			if rep != nil {
				f(rep)
			} else if k != len(part) {
				t.Fatalf("took %d of %d bytes without a reply", k, len(part))
			}
			clear(part[:k])
			part = part[k:]
		}
	}
}

func TestRESPReplies(t *testing.T) {
	var stream []byte
	for range 3 {
		for _, row := range respReplies {
			stream = append(stream, row.wire...)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 2, 3, 7, 64, 1 << 20, 0} {
		i := 0
		feedSplit(t, newReplyReader(RESP3), stream, size, rnd, func(r *reply) {
			want := respReplies[i%len(respReplies)]
			if r.values != want.values || r.nulls != want.nulls || string(r.errText) != want.err {
				t.Errorf("parts of %d: %.40q gives %d values, %d nulls, error %q", size, want.wire, r.values, r.nulls, r.errText)
			}
			i++
		})
		if i != 3*len(respReplies) {
			t.Errorf("parts of %d: %d replies, want %d", size, i, 3*len(respReplies))
		}
	}
}

func TestMemcachedReplies(t *testing.T) {
	rows := []struct {
		wire  string
		nulls int
		err   string
	}{
		{"STORED\r\n", 0, ""}, {"HD\r\n", 0, ""}, {"EN\r\n", 1, ""}, {"END\r\n", 1, ""},
		{"VALUE key:1 0 3\r\nabc\r\nEND\r\n", 0, ""},
		{"VALUE key:1 0 0 77\r\n\r\nEND\r\n", 0, ""},
		{"VALUE k 0 5\r\nEND\r\n\r\nEND\r\n", 0, ""}, // the value looks like a reply
		{"VA 4\r\nEN\r\n\r\n", 0, ""}, {"VA 2 f0\r\nab\r\n", 0, ""},
		{"SERVER_ERROR out of memory storing object\r\n", 0, "SERVER_ERROR out of memory storing object"},
		{"ERROR\r\n", 0, "ERROR"},
	}
	var stream []byte
	for _, row := range rows {
		stream = append(stream, row.wire...)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 2, 5, 1 << 20, 0} {
		i := 0
		feedSplit(t, newReplyReader(Memcached), stream, size, rnd, func(r *reply) {
			if want := rows[i]; r.values != 1 || r.nulls != want.nulls || string(r.errText) != want.err {
				t.Errorf("parts of %d: %q gives %+v", size, want.wire, *r)
			}
			i++
		})
		if i != len(rows) {
			t.Errorf("parts of %d: %d replies, want %d", size, i, len(rows))
		}
	}
}

func TestMalformedReplies(t *testing.T) {
	for _, wire := range []string{
		"\r\n", "?\r\n", "OK\r\n", "+OK\n", "$\r\n", "$abc\r\n", "$-2\r\n", "*1x\r\n",
		"$9999999999999999\r\n", "$?\r\n", "+" + strings.Repeat("x", maxLine),
	} {
		if _, r, err := newReplyReader(RESP2).next([]byte(wire)); err == nil || r != nil {
			t.Errorf("%.20q is taken for a reply", wire)
		}
	}
	for _, wire := range []string{"\r\n", "+OK\r\n", "VALUE k 0\r\n", "VALUE k 0 -1\r\n", "VA x\r\n", "stored\r\n"} {
		if _, r, err := newReplyReader(Memcached).next([]byte(wire)); err == nil || r != nil {
			t.Errorf("%.20q is taken for a reply of memcached", wire)
		}
	}
}

// FuzzReplies: whatever arrives, the readers take the same replies from it in
// one piece as byte by byte, and never more bytes than there are.
func FuzzReplies(f *testing.F) {
	for _, row := range respReplies {
		f.Add([]byte(row.wire), false)
	}
	f.Add([]byte("VALUE k 0 3\r\nabc\r\nEND\r\nSTORED\r\n"), true)
	f.Fuzz(func(t *testing.T, stream []byte, memcached bool) {
		protocol := RESP3
		if memcached {
			protocol = Memcached
		}
		trace := func(size int) string {
			var log strings.Builder
			r := newReplyReader(protocol)
			for rest := stream; len(rest) > 0; {
				part := rest[:min(size, len(rest))]
				n, rep, err := r.next(part)
				if n < 0 || n > len(part) {
					t.Fatalf("took %d of %d bytes", n, len(part))
				}
				if err != nil {
					return log.String() + "!"
				}
				if rep != nil {
					fmt.Fprintf(&log, "%d/%d/%q ", rep.values, rep.nulls, rep.errText)
				}
				rest = rest[n:]
			}
			return log.String()
		}
		if whole, bytewise := trace(len(stream)+1), trace(1); whole != bytewise {
			t.Errorf("whole: %s, byte by byte: %s", whole, bytewise)
		}
	})
}
