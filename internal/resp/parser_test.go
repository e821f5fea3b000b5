package resp_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/resp"
)

// client is a connection without a socket: input arrives in pieces and is
// parsed as the server does it.
type client struct {
	parser  *resp.Parser
	buf     []byte
	provide bool // take large arguments out of the buffer

	requests []string
	err      error
}

// arrive adds input and parses what is complete.
func (c *client) arrive(data []byte) {
	c.buf = append(c.buf, data...)
	for c.err == nil {
		args, n, err := c.parser.Next(c.buf)
		if errors.Is(err, resp.ErrIncomplete) {
			if !c.take() {
				return
			}
			continue
		}
		if err != nil {
			c.err = err
			return
		}
		if n <= 0 || n > len(c.buf) {
			panic(fmt.Sprintf("request of %d bytes in a buffer of %d", n, len(c.buf)))
		}
		if len(args) > 0 {
			// The request must survive that its bytes move.
			text := fmt.Sprintf("%q", args)
			moved := append([]byte(nil), c.buf[:n]...)
			clear(c.buf[:n])
			if again := fmt.Sprintf("%q", c.parser.Moved(moved)); again != text {
				panic("moved request differs: " + again + " instead of " + text)
			}
			c.requests = append(c.requests, text)
		}
		c.buf = c.buf[n:]
	}
}

// take provides a large argument once it is in the buffer.
func (c *client) take() bool {
	if !c.provide {
		return false
	}
	_, n, from, ok := c.parser.Large(c.buf)
	if !ok || len(c.buf) < from+n+2 {
		return false
	}
	data := append([]byte(nil), c.buf[from:from+n]...)
	c.buf = append(append([]byte(nil), c.buf[:from]...), c.buf[from+n+2:]...)
	c.parser.Provide(data)
	return true
}

// parse feeds input in pieces that end at the cuts.
func parse(l resp.Limits, provide bool, input []byte, cuts ...int) *client {
	c := &client{parser: resp.NewParser(l), provide: provide}
	from := 0
	for _, cut := range append(cuts, len(input)) {
		if cut > from && cut <= len(input) {
			c.arrive(input[from:cut])
			from = cut
		}
	}
	return c
}

func TestParser(t *testing.T) {
	small := resp.Limits{MaxBulk: 20, MaxArgs: 12, MaxInline: 30}
	tests := []struct {
		name   string
		limits resp.Limits
		input  string
		want   []string
		err    string
		rest   int // bytes left over
	}{
		{"nothing", small, "", nil, "", 0},
		{"one", small, "*1\r\n$4\r\nPING\r\n", []string{`["PING"]`}, "", 0},
		{"two", small, "*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", []string{`["PING"]`, `["GET" "k"]`}, "", 0},
		{"empty argument", small, "*2\r\n$3\r\nGET\r\n$0\r\n\r\n", []string{`["GET" ""]`}, "", 0},
		{"binary argument", small, "*2\r\n$3\r\nGET\r\n$4\r\n\r\n\x00\xff\r\n", []string{`["GET" "\r\n\x00\xff"]`}, "", 0},
		{"ten arguments", small, "*10\r\n" + strings.Repeat("$1\r\na\r\n", 10), []string{`["a" "a" "a" "a" "a" "a" "a" "a" "a" "a"]`}, "", 0},
		{"half", small, "*2\r\n$3\r\nGET\r\n$5\r\nab", nil, "", 19},
		{"no arguments", small, "*0\r\n*-1\r\n*1\r\n$1\r\na\r\n", []string{`["a"]`}, "", 0},
		{"inline", small, "SET a 'b c'\r\nPING\n", []string{`["SET" "a" "b c"]`, `["PING"]`}, "", 0},
		{"blank lines", small, "\r\n\n  \r\nPING\r\n", []string{`["PING"]`}, "", 0},
		{"inline without end", small, "PING", nil, "", 4},
		{"inline at limit", small, strings.Repeat("a", 30) + "\n", []string{`["` + strings.Repeat("a", 30) + `"]`}, "", 0},
		{"inline beyond limit", small, strings.Repeat("a", 31), nil, "too big inline request", 0},
		{"quotes", small, "SET \"a\n", nil, "unbalanced quotes in request", 0},
		{"text after quote", small, "SET \"a\"b\n", nil, "unbalanced quotes in request", 0},
		{"count no number", small, "*x\r\n", nil, "invalid multibulk length", 0},
		{"count empty", small, "*\r\n", nil, "invalid multibulk length", 0},
		{"count with plus", small, "*+1\r\n", nil, "invalid multibulk length", 0},
		{"count with zero", small, "*01\r\n$1\r\na\r\n", nil, "invalid multibulk length", 0},
		{"count huge", small, "*99999999999999999999\r\n", nil, "invalid multibulk length", 0},
		{"count beyond limit", small, "*13\r\n", nil, "invalid multibulk length", 0},
		{"count line too long", small, "*" + strings.Repeat("1", 30), nil, "too big mbulk count string", 0},
		{"length no number", small, "*1\r\n$x\r\n", nil, "invalid bulk length", 0},
		{"length with zero", small, "*1\r\n$01\r\na\r\n", nil, "invalid bulk length", 0},
		{"length negative", small, "*1\r\n$-1\r\n", nil, "invalid bulk length", 0},
		{"length at limit", small, "*1\r\n$20\r\n" + strings.Repeat("a", 20) + "\r\n", []string{`["` + strings.Repeat("a", 20) + `"]`}, "", 0},
		{"length beyond limit", small, "*1\r\n$21\r\n", nil, "invalid bulk length", 0},
		{"length line too long", small, "*1\r\n$" + strings.Repeat("1", 30), nil, "too big bulk count string", 0},
		{"no dollar", small, "*1\r\nPING\r\n", nil, "expected '$', got 'P'", 0},
		{"no dollar but line end", small, "*1\r\n\r\n", nil, `expected '$', got '\x0d'`, 0},
		{"stranger count", resp.Unauthenticated, "*11\r\n", nil, "unauthenticated multibulk length", 0},
		{"stranger length", resp.Unauthenticated, "*1\r\n$16385\r\n", nil, "unauthenticated bulk length", 0},
		{"stranger", resp.Unauthenticated, "*1\r\n$4\r\nAUTH\r\n", []string{`["AUTH"]`}, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			input := []byte(tt.input)
			judge := func(how string, c *client) {
				t.Helper()
				if got, want := strings.Join(c.requests, " "), strings.Join(tt.want, " "); got != want {
					t.Errorf("%s: requests %s, want %s", how, got, want)
				}
				switch {
				case tt.err == "" && c.err != nil:
					t.Errorf("%s: %v", how, c.err)
				case tt.err != "" && (c.err == nil || c.err.Error() != "Protocol error: "+tt.err):
					t.Errorf("%s: error %v, want %q", how, c.err, tt.err)
				case tt.err == "" && len(c.buf) != tt.rest:
					t.Errorf("%s: %d bytes left, want %d", how, len(c.buf), tt.rest)
				}
			}
			judge("whole", parse(tt.limits, false, input))
			judge("by bytes", parse(tt.limits, false, input, everywhere(len(input))...))
			for cut := range input {
				judge(fmt.Sprintf("cut at %d", cut), parse(tt.limits, false, input, cut))
			}
		})
	}
}

func everywhere(n int) []int {
	cuts := make([]int, n)
	for i := range cuts {
		cuts[i] = i
	}
	return cuts
}

func TestLarge(t *testing.T) {
	p := resp.NewParser(resp.Limits{Large: 8})
	head := "*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\n"
	buf := []byte(head + "0123")
	if _, _, err := p.Next(buf); !errors.Is(err, resp.ErrIncomplete) {
		t.Fatalf("Next: %v", err)
	}
	before, n, from, ok := p.Large(buf)
	if !ok || n != 10 || from != len(head) || fmt.Sprintf("%q", before) != `["SET" "k"]` {
		t.Fatalf("Large: %q, %d bytes from %d, %v", before, n, from, ok)
	}
	value := []byte("0123456789")
	p.Provide(value)
	buf = []byte(head + "$2\r\nNX\r\n*1\r\n$4\r\nPING\r\n")
	args, n, err := p.Next(buf)
	if err != nil || fmt.Sprintf("%q", args) != `["SET" "k" "0123456789" "NX"]` || &args[2][0] != &value[0] {
		t.Fatalf("Next: %q, %v", args, err)
	}
	if args, _, err = p.Next(buf[n:]); err != nil || fmt.Sprintf("%q", args) != `["PING"]` {
		t.Fatalf("Next: %q, %v", args, err)
	}
}

// An announcement must not outlive the argument it was made for.
func TestLargeIsForgotten(t *testing.T) {
	p := resp.NewParser(resp.Limits{Large: 4})
	buf := []byte("*2\r\n$4\r\nab")
	p.Next(buf)
	if _, _, _, ok := p.Large(buf); !ok {
		t.Fatal("a large argument is not announced")
	}
	buf = append(buf, "cd\r\n$"...)
	p.Next(buf)
	if _, _, _, ok := p.Large(buf); ok {
		t.Fatal("a large argument is announced while a length is awaited")
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	p := resp.NewParser(resp.Limits{})
	for _, input := range []string{
		"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n",
		"*10\r\n" + strings.Repeat("$1\r\na\r\n", 10),
	} {
		buf := []byte(input)
		p.Next(buf)
		if n := testing.AllocsPerRun(100, func() { p.Next(buf) }); n != 0 {
			t.Errorf("%q: %v allocations", input, n)
		}
	}
}

// FuzzParser checks that where the input is cut, and who takes large arguments
// out of the buffer, makes no difference.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{
		"*1\r\n$4\r\nPING\r\n", "PING\r\n", "*2\r\n$3\r\nGET\r\n$12\r\n0123456789ab\r\nSET a \"b\\x41\"\r\n",
		"*11\r\n" + strings.Repeat("$12\r\n0123456789ab\r\n", 11), "*0\r\n\r\n*-1\r\n*x\r\n", "*1\r\n$007\r\n",
	} {
		f.Add([]byte(seed), uint16(3), uint16(9))
	}
	f.Fuzz(func(t *testing.T, input []byte, a, b uint16) {
		l := resp.Limits{MaxBulk: 64, MaxArgs: 20, MaxInline: 40, Large: 10}
		first, second := int(min(a, b)), int(max(a, b))
		want := parse(l, false, input)
		for how, got := range map[string]*client{
			"cut":      parse(l, false, input, first, second),
			"provided": parse(l, true, input, first, second),
			"by bytes": parse(l, true, input, everywhere(len(input))...),
		} {
			if fmt.Sprint(got.requests) != fmt.Sprint(want.requests) || fmt.Sprint(got.err) != fmt.Sprint(want.err) {
				t.Fatalf("%s: %v %v\nwhole: %v %v", how, got.requests, got.err, want.requests, want.err)
			}
			if how == "cut" && want.err == nil && !bytes.Equal(got.buf, want.buf) {
				t.Fatalf("%s: %q left, want %q", how, got.buf, want.buf)
			}
		}
	})
}

// FuzzRequest checks that what has been put on the wire comes out again.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("SET"), []byte("key"), []byte("value"), uint8(1))
	f.Add([]byte(""), []byte("\r\n"), bytes.Repeat([]byte("x"), 100), uint8(40))
	f.Fuzz(func(t *testing.T, a, b, c []byte, cut uint8) {
		args := [][]byte{a, b, c}
		var wire []byte
		wire = fmt.Appendf(wire, "*%d\r\n", len(args))
		for _, arg := range args {
			wire = fmt.Appendf(wire, "$%d\r\n%s\r\n", len(arg), arg)
		}
		got := parse(resp.Limits{Large: 16}, cut&1 != 0, wire, int(cut))
		if got.err != nil || len(got.requests) != 1 || got.requests[0] != fmt.Sprintf("%q", args) {
			t.Fatalf("got %v, %v; want %q", got.requests, got.err, args)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	buf := []byte(strings.Repeat("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000001\r\n$64\r\n"+strings.Repeat("v", 64)+"\r\n", 64))
	p := resp.NewParser(resp.Limits{})
	b.SetBytes(int64(len(buf)) / 64)
	rest := buf
	for b.Loop() {
		_, n, err := p.Next(rest)
		if err != nil {
			b.Fatal(err)
		}
		if rest = rest[n:]; len(rest) == 0 {
			rest = buf
		}
	}
}
