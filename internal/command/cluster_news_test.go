package command

import (
	"bytes"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
)

// otherNode is the one other node of a cluster, as a forwarder sees it: it takes
// frames and answers as it is told.
type otherNode struct {
	id     cluster.NodeID
	wants  *interest
	frames chan sentFrame    // those but interests
	answer func(n int) error // to the n-th of them
	n      int
}

type sentFrame struct {
	kind uint8
	data []byte
}

// Lane implements [Forwarder].
func (o *otherNode) Lane(*cluster.Node, int) Lane { return o }

func (o *otherNode) Silent(cluster.NodeID) time.Duration { return 0 }

// Queue implements [Lane].
func (o *otherNode) Queue(kind uint8, p peer.Payload, sink peer.Sink, tag uint64) error {
	if kind == KindInterest {
		sink.Complete(tag, peer.Reply{Data: o.wants.append(nil, o.id)}, nil)
		return nil
	}
	n := o.n
	o.n++
	data := append(bytes.Clone(p.Head), p.Body...)
	if o.answer != nil {
		sink.Complete(tag, peer.Reply{}, o.answer(n))
	}
	o.frames <- sentFrame{kind, data}
	return nil
}

// Flush implements [Lane].
func (o *otherNode) Flush() {}

// IsUp implements [Lane].
func (o *otherNode) IsUp() bool { return true }

// next returns the next frame.
func (o *otherNode) next(t *testing.T) sentFrame {
	t.Helper()
	select {
	case f := <-o.frames:
		return f
	case <-time.After(20 * time.Second):
		t.Fatal("no frame is sent")
		return sentFrame{}
	}
}

// withOther returns a server that is one of two nodes and owns everything.
func withOther(t *testing.T, wants *interest) (*tester, *otherNode) {
	r := newTester(t)
	o := &otherNode{id: cluster.NewNodeID(), wants: wants, frames: make(chan sentFrame, 100)}
	self := cluster.NewNodeID()
	v := cluster.NewView([]cluster.Node{{ID: self}, {ID: o.id}})
	v.Version = 1
	for p := range v.Rows {
		v.Rows[p].Owner = int16(v.Index(self))
	}
	r.x.ForwardBy(o)
	r.x.Reroute(cluster.NewRoutes(v, self, func(int) bool { return true }))
	r.x.ViewChanged(v)
	t.Cleanup(r.x.LeaveCluster)
	return r, o
}

// Names of changed keys go out together; when they are lost the other node is
// told so until it has heard it.
func TestNewsThatAreLost(t *testing.T) {
	r, o := withOther(t, &interest{boot: 1, version: 1, changes: true})
	o.answer = func(n int) error {
		if n < 2 {
			return peer.ErrLost
		}
		return nil
	}
	n := &r.x.neighbours
	b := n.find(o.id)
	b.news.mu.Lock()
	b.news.timer = true // the test sends
	b.news.mu.Unlock()
	for _, key := range []string{"a", "a", "b", "a"} {
		n.keyChanged([]byte(key))
	}
	go b.sendNews()
	head := appendWord([]byte{newsFormat, 0}, []byte(n.self()))
	want := append(bytes.Clone(head), newsChanged, 1, 'a', newsChanged, 1, 'b', newsChanged, 1, 'a')
	if f := o.next(t); f.kind != KindNews || !bytes.Equal(f.data, want) {
		t.Errorf("sent %q, want %q", f.data, want)
	}
	head[1] = newsLost
	for range 2 { // the first of these is lost as well
		if f := o.next(t); !bytes.Equal(f.data, head) {
			t.Errorf("sent %q, want %q", f.data, head)
		}
	}
	if lost := n.lost.Load(); lost != 2 {
		t.Errorf("%d lost, want 2", lost)
	}
	n.keyChanged([]byte("c"))
	head[1] = 0
	if f := o.next(t); !bytes.Equal(f.data, append(head, newsChanged, 1, 'c')) {
		t.Errorf("sent %q", f.data)
	}
}

// What waits for a node that does not answer is bounded.
func TestNewsAreBounded(t *testing.T) {
	r, o := withOther(t, &interest{boot: 1, version: 1, changes: true})
	n := &r.x.neighbours
	b := n.find(o.id)
	b.news.mu.Lock()
	b.news.underway = maxNewsUnderway
	b.news.mu.Unlock()
	key := bytes.Repeat([]byte("k"), 1000)
	for i := range 2000 {
		key[0] = byte(i)
		n.keyChanged(key)
	}
	b.news.mu.Lock()
	if len(b.news.items) > maxNews || !b.news.lost {
		t.Errorf("%d bytes wait, lost: %v", len(b.news.items), b.news.lost)
	}
	b.news.mu.Unlock()
	if n.lost.Load() == 0 {
		t.Error("nothing is counted as lost")
	}
}

// A node that has not said what it wants is taken to want everything, one that
// has gets what it wants only; another process of it is another node.
func TestInterestOfOthers(t *testing.T) {
	wants := &interest{boot: 1, version: 5}
	wants.channels.add(7)
	r, o := withOther(t, wants)
	n := &r.x.neighbours
	b := n.find(o.id)
	if b.wantsChanges() || !b.wantsMessage(toChannel, 7) || b.wantsMessage(toChannel, 8) || b.wantsMessage(toShard, 7) || n.watching.Load() {
		t.Error("what the node wants is not what it has said")
	}
	b.hear(&interest{boot: 1, version: 4, changes: true})
	if b.wantsChanges() {
		t.Error("an older interest replaces a newer one")
	}
	b.hear(&interest{boot: 1, version: 6, patterns: true})
	if !b.wantsMessage(toChannel, 8) || b.wantsMessage(toShard, 8) {
		t.Error("patterns want all messages but those of shard channels")
	}
	b.hear(&interest{boot: 2, version: 1, changes: true})
	if !n.watching.Load() || b.acked.Load() != 0 {
		t.Error("a new process is not told anew")
	}
	unknown := &neighbour{all: n}
	if !unknown.wantsChanges() || !unknown.wantsMessage(toShard, 1) {
		t.Error("a node that is not known does not want everything")
	}
}

// A node that could not be reached is tried again before a client is told that
// it has subscribed.
func TestNobodyIsExcusedForLong(t *testing.T) {
	r, o := withOther(t, &interest{boot: 1, version: 1})
	b := r.x.neighbours.find(o.id)
	b.told(&interest{}, peer.ErrUnreachable)
	r.do("SUBSCRIBE", "news")
	r.x.neighbours.wants.mu.Lock()
	version := r.x.neighbours.wants.version
	r.x.neighbours.wants.mu.Unlock()
	if acked := b.acked.Load(); acked != version {
		t.Errorf("subscribed, and the other node knows of version %d, not %d", acked, version)
	}
}
