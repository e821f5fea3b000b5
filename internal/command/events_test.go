package command

import (
	"strings"
	"testing"
)

// ear is the connection of a subscriber.
type ear struct {
	deadLink
	heard []byte
}

func (e *ear) Push(message []byte) { e.heard = append(e.heard, message...) }

// take returns the events heard since the last call, as event:key.
func (e *ear) take(t testing.TB) string {
	var events []string
	for rest := string(e.heard); rest != ""; {
		var v any
		v, rest = decode(t, rest)
		message := v.([]any) // pmessage, pattern, channel, key
		_, event, _ := strings.Cut(message[2].(string), "__:")
		events = append(events, event+":"+message[3].(string))
	}
	e.heard = nil
	return strings.Join(events, " ")
}

func TestEventsOfDataCommands(t *testing.T) {
	r := newTester(t)
	e := &ear{}
	subscriber := &tester{t: t, x: r.x, s: r.x.NewSession(e), now: r.now}
	subscriber.do("PSUBSCRIBE", "__keyevent@*")
	r.do("CONFIG", "SET", "notify-keyspace-events", "AEn")
	e.heard = nil
	for _, s := range []step{
		{"SET a 1", "new:a set:a"},
		{"SET a 1 EX 10", "set:a expire:a"},
		{"SET a 1 NX", ""},
		{"SETEX a 10 1", "set:a expire:a"},
		{"GETSET a 1", "set:a"},
		{"GETEX a EX 10", "expire:a"},
		{"GETEX a PERSIST", "persist:a"},
		{"GETEX a PERSIST", ""},
		{"MSET a 1 b 2", "set:a new:b set:b"},
		{"MSETNX a 1 c 2", ""},
		{"INCR n", "new:n incrby:n"},
		{"DECRBY n 3", "incrby:n"},
		{"INCRBYFLOAT n 3", "incrbyfloat:n"},
		{"APPEND n 3", "append:n"},
		{"SETRANGE n 1 x", "setrange:n"},
		{`SETRANGE n 1 ""`, ""},
		{"SETBIT bit 0 0", "new:bit setbit:bit"},
		{"SETBIT bit 0 0", ""},
		{"SETBIT bit 0 1", "setbit:bit"},
		{"BITFIELD bit SET u8 0 5", "setbit:bit"},
		{"BITFIELD bit SET u8 0 5 GET u8 0", ""},
		{"BITOP OR o bit", "new:o set:o"},
		{"BITOP OR o nosuch", "del:o"},
		{"EXPIRE a 10", "expire:a"},
		{"PERSIST a", "persist:a"},
		{"EXPIRE a -1", "del:a"},
		{"RENAME b c", "new:c rename_from:b rename_to:c"},
		{"COPY c d", "new:d copy_to:d"},
		{"MOVE d 1", "new:d move_from:d move_to:d"},
		{"GETDEL c", "del:c"},
		{"DEL n bit nosuch", "del:n del:bit"},
		{"SET s 1", "new:s set:s"},
		{"SORT nosuch STORE s", "del:s"},
		{`RESTORE r 0 "\x00\xc0\n\n\x00n\x9fWE\x0e\xaec\xbb"`, "new:r restore:r"},
		{`RESTORE r 1 "\x00\xc0\n\n\x00n\x9fWE\x0e\xaec\xbb" REPLACE ABSTTL`, "del:r"},
		{"MSETEX 1 x 1 EX 10", "new:x set:x expire:x"},
		{"DELEX x IFEQ 1", "del:x"},
	} {
		r.do(words(t, s.request)...)
		if got := e.take(t); got != s.reply {
			t.Errorf("%s: %q, want %q", s.request, got, s.reply)
		}
	}
}
