package identity

import (
	"context"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster/peer"
)

// deaf takes every connection and answers nothing.
type deaf struct{}

func (deaf) Open(peer.Info, string, *peer.Responder) (peer.Session, error) { return silence{}, nil }

type silence struct{}

func (silence) Serve(peer.Request, *peer.Batch) {}
func (silence) EndBatch(*peer.Batch)            {}
func (silence) Close(error)                     {}

// open starts a network on the node's peer port.
func (m *member) open(t *testing.T) (*peer.Network, string) {
	t.Helper()
	s := listenSplit(t, m.Credentials)
	n, err := peer.Open(peer.Config{
		Self:     peer.Identity{Cluster: string(m.id.Cluster), Node: string(m.id.Node), Incarnation: 1},
		Listener: s.Peers(), Handler: deaf{},
		ServerTLS: m.ServerConfig(), ClientTLS: m.ClientConfig(""), Identify: m.Identify,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n, s.Peers().Addr().String()
}

// TestLinksOverTheSharedPort guards that package peer can use what this one
// gives: listener, configurations and Identify.
func TestLinksOverTheSharedPort(t *testing.T) {
	id := NewClusterID()
	a := must(NewAuthority(id, time.Now()))(t)
	x, y := newMember(t, a, id, time.Now), newMember(t, a, id, time.Now)
	_, address := x.open(t)
	network, _ := y.open(t)
	link := must(network.Link(string(x.id.Node), address, "test"))(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := link.WaitUp(ctx); err != nil {
		t.Fatal(err, link.Err())
	}
	if info, ok := link.Peer(); !ok || info.Node != string(x.id.Node) {
		t.Errorf("linked to %+v", info)
	}

	otherID := NewClusterID()
	stranger := newMember(t, must(NewAuthority(otherID, time.Now()))(t), otherID, time.Now)
	network, _ = stranger.open(t)
	link = must(network.Link(string(x.id.Node), address, "test"))(t)
	ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := link.WaitUp(ctx); err == nil {
		t.Error("a node of another cluster has a link")
	}
}
