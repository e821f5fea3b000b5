package server_test

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/resp"
)

// toy is an executor with a handful of commands that need no engine:
//
//	PING, ECHO x, SET k v, GET k, QUIT, AUTH word
//	REF n          a reply of n bytes that is not copied
//	COPY n         a reply of n bytes that is
//	HOLD name      waits until the test releases name; parks
//	SELF message   pushes a message to the client itself
//	LEN a b c      the lengths of the arguments
type toy struct {
	limits   atomic.Pointer[command.Limits]
	password string
	staging  bool // SET receives large values into memory of the toy

	sessions  atomic.Int64
	staged    atomic.Int64 // memory handed out and not given back
	adopted   atomic.Int64 // SETs that found their value in place
	pinned    atomic.Int64 // attachments not released
	waiting   atomic.Int64 // HOLDs at work
	interrupt atomic.Int64
	executed  atomic.Int64

	mu    sync.Mutex
	keys  map[string][]byte
	holds map[string]chan struct{}
	state map[*command.Session]*toyState
	links []command.Link
}

type toyState struct {
	gone  chan struct{}
	once  sync.Once
	stage []byte
}

func newToy() *toy {
	x := &toy{keys: map[string][]byte{}, holds: map[string]chan struct{}{}, state: map[*command.Session]*toyState{}}
	x.limits.Store(&command.Limits{MaxClients: 10000, MaxValue: 512 << 20, QueryBuffer: 1 << 30, KeepAlive: time.Minute})
	return x
}

// limit changes the limits.
func (x *toy) limit(f func(*command.Limits)) {
	l := *x.limits.Load()
	f(&l)
	x.limits.Store(&l)
}

func (x *toy) Limits() *command.Limits { return x.limits.Load() }

func (x *toy) Admit() string {
	if x.sessions.Load() >= int64(x.Limits().MaxClients) {
		return "-ERR max number of clients reached\r\n"
	}
	return ""
}

func (x *toy) NewSession(link command.Link) *command.Session {
	s := &command.Session{Link: link, Authenticated: x.password == ""}
	s.Out.Version = resp.RESP2
	x.sessions.Add(1)
	x.mu.Lock()
	x.state[s] = &toyState{gone: make(chan struct{})}
	x.links = append(x.links, link)
	x.mu.Unlock()
	return s
}

func (x *toy) of(s *command.Session) *toyState {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state[s]
}

func (x *toy) EndSession(s *command.Session) {
	st := x.of(s)
	st.once.Do(func() { close(st.gone) })
	x.mu.Lock()
	delete(x.state, s)
	for i, l := range x.links {
		if l == s.Link {
			x.links = append(x.links[:i], x.links[i+1:]...)
			break
		}
	}
	x.mu.Unlock()
	if st.stage != nil {
		x.staged.Add(-1)
	}
	s.Out.Reset()
	x.sessions.Add(-1)
}

func (x *toy) Interrupt(s *command.Session) {
	if st := x.of(s); st != nil {
		x.interrupt.Add(1)
		st.once.Do(func() { close(st.gone) })
	}
}

func (x *toy) Begin(*command.Session) {}
func (x *toy) End(*command.Session)   {}

func (x *toy) Receive(s *command.Session, before [][]byte, n int) []byte {
	if !x.staging || len(before) != 2 || !strings.EqualFold(string(before[0]), "set") {
		return nil
	}
	st := x.of(s)
	st.stage = make([]byte, n)
	x.staged.Add(1)
	return st.stage
}

func (x *toy) Execute(s *command.Session, args [][]byte) command.Outcome {
	out := &s.Out
	name := string(args[0])
	if !s.Authenticated && name != "AUTH" {
		out.Error("NOAUTH Authentication required.")
		return command.Continue
	}
	x.executed.Add(1)
	switch {
	case name == "PING":
		out.Simple("PONG")
	case name == "ECHO" && len(args) == 2:
		out.Bulk(args[1])
	case name == "SET" && len(args) == 3:
		x.set(s, args)
		out.OK()
	case name == "GET" && len(args) == 2:
		x.mu.Lock()
		v, ok := x.keys[string(args[1])]
		x.mu.Unlock()
		if ok {
			out.Bulk(v)
		} else {
			out.Null()
		}
	case name == "REF":
		n, _ := strconv.Atoi(string(args[1]))
		x.pinned.Add(1)
		out.BulkRef(blob(n), func() { x.pinned.Add(-1) })
	case name == "COPY":
		n, _ := strconv.Atoi(string(args[1]))
		out.Bulk(blob(n))
	case name == "LEN":
		out.Array(len(args) - 1)
		for _, a := range args[1:] {
			out.Int(int64(len(a)))
		}
	case name == "HOLD":
		return x.hold(s, string(args[1]))
	case name == "SELF":
		s.Link.Push(args[1])
		out.OK()
	case name == "AUTH":
		s.Authenticated = string(args[1]) == x.password
		out.OK()
	case name == "QUIT":
		out.OK()
		return command.Close
	default:
		out.Error("ERR unknown command")
	}
	return command.Continue
}

func (x *toy) set(s *command.Session, args [][]byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	st, value := x.state[s], args[2]
	if st.stage != nil && len(value) > 0 && &st.stage[0] == &value[0] {
		x.adopted.Add(1)
		x.staged.Add(-1)
		st.stage = nil
	} else {
		value = append([]byte(nil), value...)
	}
	x.keys[string(args[1])] = value
}

func (x *toy) hold(s *command.Session, name string) command.Outcome {
	if !s.MayBlock {
		return command.Park
	}
	x.waiting.Add(1)
	defer x.waiting.Add(-1)
	select {
	case <-x.gate(name):
		s.Out.Simple(name)
		return command.Continue
	case <-x.of(s).gone:
		return command.Close
	}
}

// gate is what HOLD name waits for.
func (x *toy) gate(name string) chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.holds[name] == nil {
		x.holds[name] = make(chan struct{})
	}
	return x.holds[name]
}

func (x *toy) release(name string) { close(x.gate(name)) }

// link returns the only client's link.
func (x *toy) link() command.Link {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.links) != 1 {
		return nil
	}
	return x.links[0]
}

// blob returns n bytes that differ by position.
func blob(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}
