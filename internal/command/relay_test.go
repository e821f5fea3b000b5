package command

import (
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
)

// TestRelayFramesComeBack: also what is cut short or is none is told from a frame.
func TestRelayFramesComeBack(t *testing.T) {
	frame := append(appendRelay(nil, KindTransaction, "owner"), "inside"...)
	kind, owner, inside, err := parseRelay(frame)
	if err != nil || kind != KindTransaction || owner != "owner" || string(inside) != "inside" {
		t.Errorf("%x came back as %d, %q, %q, %v", frame, kind, owner, inside, err)
	}
	for n := range 8 {
		if _, _, _, err := parseRelay(frame[:n]); err == nil {
			t.Errorf("the first %d bytes are taken for a frame", n)
		}
	}
	for _, kind := range []uint8{0, KindNear, KindRelay, KindNews, KindInterest, 0xff} {
		if _, _, _, err := parseRelay(appendRelay(nil, kind, "owner")); err == nil {
			t.Errorf("kind %#x is handed on", kind)
		}
	}
}

// forks finds links by the name of the node.
type forks map[cluster.NodeID]*scriptedLane

func (f forks) Lane(to *cluster.Node, _ int) Lane        { return f[to.ID] }
func (f forks) Silent(node cluster.NodeID) time.Duration { return 0 }

// TestOnePathAtATime: a request waits as long as one of the same client to the same
// owner is under way by another path.
func TestOnePathAtATime(t *testing.T) {
	l := newLoopClient(t)
	direct, other := &scriptedLane{fails: peer.ErrUnreachable}, &scriptedLane{}
	v := cluster.NewView([]cluster.Node{{ID: "0"}, {ID: "1"}, {ID: "2"}})
	for p := range v.Rows {
		v.Rows[p].Owner, v.Rows[p].Epoch = 1, 1
	}
	v.Version = 1
	l.w.x.Reroute(cluster.NewRoutes(v, "0", func(int) bool { return true }))
	l.w.x.ForwardBy(forks{"1": direct, "2": other})

	if out := l.run("SET a 1", "SET b 1", "MSET a 2 b 2"); out != Continue || len(other.sent) != 3 || len(direct.sent) != 0 {
		t.Fatalf("outcome %v, %d relayed, %d sent", out, len(other.sent), len(direct.sent))
	}
	direct.fails = nil // the link is up
	if out := l.run("GET a"); out != Hold || !l.s.Holding() || len(direct.sent) != 0 {
		t.Fatalf("outcome %v behind what is relayed, %d sent", out, len(direct.sent))
	}
	for i := range other.sent {
		l.w.x.Arrived(l.s, other.sent[i].tag, []byte("+OK\r\n"), nil, nil)
	}
	if l.s.Holding() {
		t.Fatal("it waits with nothing under way")
	}
	if out := l.run("GET a"); out != Continue || len(direct.sent) != 1 {
		t.Fatalf("outcome %v after that, %d sent", out, len(direct.sent))
	}
	direct.fails = peer.ErrUnreachable
	if out := l.run("GET a"); out != Hold || len(other.sent) != 3 {
		t.Fatalf("outcome %v behind what was sent directly, %d relayed", out, len(other.sent))
	}
	l.w.x.Arrived(l.s, direct.sent[0].tag, []byte("$1\r\n2\r\n"), nil, nil)
	if l.s.Holding() {
		t.Fatal("it waits with nothing under way")
	}
	l.output("+OK +OK +OK $1 2")

	// Who has just said that it does not reach the owner is not asked again at once.
	if out := l.run("GET a"); out != Continue || len(other.sent) != 4 {
		t.Fatalf("outcome %v, %d relayed", out, len(other.sent))
	}
	l.w.x.Arrived(l.s, other.sent[3].tag, nil, nil, OutcomeOf(peer.Reply{Status: statusNotRelayed}, nil))
	if !l.s.NeedsRepair() {
		t.Error("a request that was not executed is not repeated")
	}
	l.w.x.GiveUp(l.s)
	if out := l.run("GET a"); out != Park || len(other.sent) != 4 {
		t.Errorf("outcome %v, %d relayed", out, len(other.sent))
	}
}

// TestRequestsOfOthersAreNotRelayed: a node sends those to the owner or nowhere.
func TestRequestsOfOthersAreNotRelayed(t *testing.T) {
	w := newWorld(t)
	s := w.connect("2").s
	v := cluster.NewView([]cluster.Node{{ID: "0"}, {ID: "1"}, {ID: "2"}})
	w.x.Reroute(cluster.NewRoutes(v, "0", func(int) bool { return true }))
	w.x.ForwardBy(forks{"1": {fails: peer.ErrUnreachable}, "2": {}})
	w.x.Begin(s)
	defer w.x.End(s)
	for _, row := range []struct {
		name string
		origin
		via int16
	}{
		{"of a client", origin{}, 2},
		{"of a client, once more", origin{view: 1, client: 7}, 2},
		{"of another node", origin{view: 1}, 1},
		{"forwarded to it", origin{view: 1, hops: 2}, 1},
	} {
		s.origin = row.origin
		h := w.x.hopTo(s, 1)
		if h.via != row.via {
			t.Errorf("a request %s goes to node %d", row.name, h.via)
		}
		// Node 2 has clients with the same numbers.
		own := w.x.requestFor(s, nil).client
		if client := w.x.requestFor(s, nil).along(h.path, s).client; (client == own) != h.isDirect() {
			t.Errorf("a request %s is one of client %#x, which is %#x here", row.name, client, own)
		}
	}
	s.origin = origin{}
}
