package command

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
)

// scriptedLane is a link to every node: it keeps what is sent, for the test to
// answer, or fails.
type scriptedLane struct {
	fails   error
	sent    []sentRequest
	flushed int
}

type sentRequest struct {
	kind  uint8
	words []string
	sink  peer.Sink
	tag   uint64
}

func (l *scriptedLane) Lane(*cluster.Node, int) Lane { return l }

func (l *scriptedLane) Silent(cluster.NodeID) time.Duration { return 0 }

func (l *scriptedLane) Queue(kind uint8, p peer.Payload, sink peer.Sink, tag uint64) error {
	if l.fails != nil {
		return l.fails
	}
	var r remoteRequest
	frame := append(append([]byte(nil), p.Head...), p.Body...)
	if kind == KindRelay {
		var err error
		if kind, _, frame, err = parseRelay(frame); err != nil {
			return err
		}
	}
	if err := r.parse(kind, frame); err != nil {
		return err
	}
	sent := sentRequest{kind: kind, sink: sink, tag: tag}
	for _, w := range r.words {
		sent.words = append(sent.words, string(w))
	}
	l.sent = append(l.sent, sent)
	if e, ok := sink.(*errand); ok {
		e.Complete(0, peer.Reply{Data: []byte("+again\r\n")}, nil) // somebody waits for it
	}
	return nil
}

func (l *scriptedLane) Flush() { l.flushed++ }

func (l *scriptedLane) IsUp() bool { return l.fails != peer.ErrUnreachable }

// nowhereSink is where replies of the test's client would go.
type nowhereSink struct{}

func (nowhereSink) Complete(uint64, peer.Reply, error) {}
func (nowhereSink) Flush()                             {}

// loopClient is a client on an event loop whose every key is another node's.
type loopClient struct {
	*client
	lane *scriptedLane
	tag  uint64
}

func newLoopClient(t *testing.T) *loopClient {
	w := newWorld(t)
	l := &loopClient{lane: &scriptedLane{}, client: w.connect("2"), tag: 5 << TagBits}
	w.x.ForwardBy(l.lane)
	w.x.Reroute(routesTo(func(int) bool { return false }))
	l.s.AnswerTo(nowhereSink{}, l.tag, 0)
	return l
}

// run executes requests as one batch and returns the last outcome.
func (l *loopClient) run(requests ...string) (out Outcome) {
	l.w.x.Begin(l.s)
	defer l.w.x.End(l.s)
	for _, r := range requests {
		var args [][]byte
		for _, w := range words(l.w.t, r) {
			args = append(args, []byte(w))
		}
		if out = l.w.x.Execute(l.s, args); out != Continue {
			return out
		}
	}
	return out
}

func (l *loopClient) arrive(i int, reply string, err error) {
	l.w.x.Arrived(l.s, l.lane.sent[i].tag, []byte(reply), nil, err)
}

// output returns what can be sent.
func (l *loopClient) output(want string) {
	l.w.t.Helper()
	if got := flat(string(takeReady(l.s))); got != want {
		l.w.t.Errorf("output %q, want %q", got, want)
	}
}

func takeReady(s *Session) (all []byte) {
	for s.Out.Ready() {
		chunk := s.Out.Chunks(nil, 1)[0]
		all = append(all, chunk...)
		s.Out.Sent(len(chunk))
	}
	return all
}

func TestRepliesOfOtherNodes(t *testing.T) {
	l := newLoopClient(t)
	l.run("GET a", "PING", "MGET a b", "SET c 1")
	if l.lane.flushed != 1 || len(l.lane.sent) != 3 || l.s.InFlight() != 3 {
		t.Fatalf("%d flushes, %d requests, %d under way", l.lane.flushed, len(l.lane.sent), l.s.InFlight())
	}
	l.output("")
	l.arrive(2, "+OK\r\n", nil)
	l.arrive(2, "+twice\r\n", nil)
	l.w.x.Arrived(l.s, l.tag|999, []byte("+nobody's\r\n"), nil, nil)
	l.output("")
	l.arrive(0, "$1\r\na\r\n", nil)
	l.output("$1 a +PONG")
	l.arrive(1, "*2\r\n$1\r\na\r\n$1\r\nb\r\n", nil)
	l.output("*2 $1 a $1 b +OK")
	if l.s.InFlight() != 0 || l.s.Out.Waiting() != 0 {
		t.Errorf("%d under way, %d holes", l.s.InFlight(), l.s.Out.Waiting())
	}
	l.run("CLIENT REPLY OFF", "GET a")
	l.arrive(3, "$1\r\na\r\n", nil)
	l.run("CLIENT REPLY ON")
	l.output("+OK")
}

func TestLostReplies(t *testing.T) {
	tests := []struct {
		name     string
		requests []string
		outcomes []error // nil: answered
		want     string
	}{
		{"a read is repeated", []string{"GET a", "PING"}, []error{peer.ErrLost}, "+again +PONG"},
		{"a write may have been executed", []string{"SET a 1"}, []error{peer.ErrLost}, "-" + errUnknown},
		{"a write that was not sent is repeated", []string{"SET a 1", "SET b 1"}, []error{peer.ErrUnreachable, nil}, "+again +1"},
		{"not behind a later one", []string{"SET a 1", "SET a 2"}, []error{peer.ErrUnreachable, nil}, "-" + errOvertaken + " +1"},
		{"both were not sent", []string{"SET a 1", "SET a 2"}, []error{peer.ErrUnreachable, peer.ErrUnreachable}, "+again +again"},
		{"no owner was found", []string{"INCR a"}, []error{errMisrouted}, "+again"},
		{"too large to be kept", []string{"SET a " + strings.Repeat("x", keptFrame)}, []error{peer.ErrUnreachable}, "-" + errUnreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLoopClient(t)
			l.run(tt.requests...)
			for i, err := range tt.outcomes {
				l.arrive(i, fmt.Sprintf("+%d\r\n", i), err)
			}
			if l.s.NeedsRepair() {
				if !l.s.Holding() {
					t.Error("the client goes on before what has failed is repaired")
				}
				l.s.MayBlock = true
				l.w.x.Repair(l.s)
				l.s.MayBlock = false
			}
			l.output(tt.want)
			if l.s.InFlight() != 0 || l.s.Holding() {
				t.Errorf("%d under way, holding %v", l.s.InFlight(), l.s.Holding())
			}
		})
	}
}

func TestFullAndUnreachableLinks(t *testing.T) {
	l := newLoopClient(t)
	l.lane.fails = peer.ErrBusy
	l.run("GET a", "MGET a b", "MULTI", "GET a", "EXEC", "GET a")
	l.output("-" + errLinkFull + " -" + errLinkFull + " +OK +QUEUED -" + errLinkFull + " -" + errLinkFull)
	l.lane.fails = peer.ErrUnreachable
	if out := l.run("GET a"); out != Park {
		t.Errorf("outcome %v", out)
	}
	l.output("")
	l.lane.fails = nil
	if l.run("GET a"); l.s.InFlight() != 1 {
		t.Errorf("%d under way", l.s.InFlight())
	}
	l.arrive(0, "", peer.ErrLost)
	l.w.x.GiveUp(l.s)
	l.output("-" + errUnreachable)
}

// The client waits when too much is under way, and while another table than
// that of what is under way is in force.
func TestHold(t *testing.T) {
	l := newLoopClient(t)
	for range maxFlights {
		l.run("INCR a")
	}
	if out := l.run("INCR a"); out != Hold || !l.s.Holding() {
		t.Fatalf("outcome %v, holding %v", out, l.s.Holding())
	}
	for i := range maxFlights {
		if half := i == maxFlights/2; l.s.Holding() == half && i <= maxFlights/2 {
			t.Fatalf("holding %v with %d under way", l.s.Holding(), l.s.InFlight())
		}
		l.arrive(i, ":1\r\n", nil)
	}
	if l.run("INCR a") != Continue {
		t.Fatal("it does not go on")
	}
	l.w.x.Reroute(routesTo(all))
	l.w.x.Begin(l.s)
	if !l.s.IsBehind() {
		t.Error("it goes on by another table")
	}
	l.w.x.End(l.s)
	l.arrive(maxFlights, ":1\r\n", nil)
	l.w.x.Begin(l.s)
	if l.s.IsBehind() {
		t.Error("it does not go on")
	}
	l.w.x.End(l.s)
}
