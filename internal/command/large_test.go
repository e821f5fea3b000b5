package command

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Values that are sent and worked on outside of the engine's locks.
func TestLargeValues(t *testing.T) {
	r := newTester(t)
	source := rand.New(rand.NewPCG(3, 4))
	value := make([]byte, 300<<10)
	for i := range value {
		value[i] = byte(source.Uint32())
	}
	text := string(value)
	expect := func(want string, request ...string) {
		t.Helper()
		if got := r.do(request...); got != want {
			t.Errorf("%.20q: got %d bytes %.60q, want %d bytes %.60q", request, len(got), got, len(want), want)
		}
	}
	bulkOf := func(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }
	expect("+OK\r\n", "SET", "a", text)
	expect(bulkOf(text), "GET", "a")
	expect("*2\r\n"+bulkOf(text)+"$-1\r\n", "MGET", "a", "b")
	expect(bulkOf(text[1000:200001]), "GETRANGE", "a", "1000", "200000")
	expect(bulkOf(text[:9]), "GETRANGE", "a", "0", "8")
	expect(fmt.Sprintf(":%d\r\n", countBits(value, 0, 8*len(value))), "BITCOUNT", "a")
	expect(":-1\r\n", "BITPOS", "a", "1", "999999")
	d := digest(value)
	expect(bulkOf(string(d[:])), "DIGEST", "a")
	expect("+OK\r\n", "RESTORE", "b", "0", bulk(t, r.do("DUMP", "a")))
	expect(bulkOf(text), "GET", "b")
	expect("+OK\r\n", "RENAME", "b", "c")
	expect(":1\r\n", "COPY", "c", "d")
	expect(bulkOf(text), "SET", "d", "short", "GET")
	expect(bulkOf(text), "GETDEL", "c")
	expect(fmt.Sprintf(":%d\r\n", len(text)+4), "APPEND", "a", "more")
	expect(bulkOf(text+"more"), "GET", "a")
	expect(":0\r\n", "SETBIT", "new", "8388607", "1")
	expect(":1048576\r\n", "STRLEN", "new")
	expect(":8388607\r\n", "BITPOS", "new", "1")
}

// A reply that waits to be sent keeps the value that was there.
func TestPendingReplyKeepsItsValue(t *testing.T) {
	for _, write := range []string{"SETRANGE a 0 XXXX", "SETBIT a 1 1", "BITFIELD a SET u8 0 88", "APPEND a XXXX", "SET a X", "DEL a"} {
		r := newTester(t)
		text := strings.Repeat("v", 100<<10)
		r.do("SET", "a", text)
		r.x.Begin(r.s)
		r.x.Execute(r.s, [][]byte{[]byte("GET"), []byte("a")})
		var args [][]byte
		for _, w := range words(t, write) {
			args = append(args, []byte(w))
		}
		r.x.Execute(r.s, args)
		r.x.End(r.s)
		if out := flatten(&r.s.Out); !bytes.Contains(out, []byte("\n"+text+"\r")) {
			t.Errorf("%s changes the reply of the GET before", write)
		}
		r.s.Out.Reset()
	}
}

// A large argument that was received into engine memory.
func TestStagedValues(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789abcdef"), 8<<10)
	tests := []struct {
		name       string
		before     []string
		after      []string
		reply, get string
	}{
		{"set", []string{"SET", "a"}, nil, "+OK", string(text)},
		{"set with expiry", []string{"SET", "a"}, []string{"EX", "10"}, "+OK", string(text)},
		{"set refused", []string{"SET", "a"}, []string{"NX"}, "$-1", "old"},
		{"set with get", []string{"SET", "a"}, []string{"GET"}, "$3 old", string(text)},
		{"set with an error", []string{"SET", "a"}, []string{"FOO"}, "-ERR syntax error", "old"},
		{"setnx", []string{"SETNX", "a"}, nil, ":0", "old"},
		{"setex", []string{"SETEX", "a", "10"}, nil, "+OK", string(text)},
		{"getset", []string{"GETSET", "a"}, nil, "$3 old", string(text)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newTester(t)
			r.do("SET", "a", "old")
			var args [][]byte
			for _, w := range tt.before {
				args = append(args, []byte(w))
			}
			stage := r.x.Stage(r.s, args, len(text))
			if stage == nil {
				t.Fatal("not staged")
			}
			copy(stage.Bytes(), text)
			args = append(args, stage.Bytes())
			for _, w := range tt.after {
				args = append(args, []byte(w))
			}
			if got := flat(string(r.run(args))); got != tt.reply {
				t.Errorf("reply %.60q, want %q", got, tt.reply)
			}
			if got := bulk(t, r.do("GET", "a")); got != tt.get {
				t.Errorf("value of %d bytes %.20q, want %d bytes %.20q", len(got), got, len(tt.get), tt.get)
			}
		})
	}
}
