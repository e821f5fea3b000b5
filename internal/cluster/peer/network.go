package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Network is a node's connections to the others: a listener, the connections it
// has accepted, and the links it keeps. Safe for concurrent use.
type Network struct {
	cfg      Config
	speaks   versions
	epoch    time.Time // all times are kept as nanoseconds since then
	listener net.Listener
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	gone     sync.WaitGroup // every goroutine

	handshakes chan struct{} // capacity MaxHandshakes; full: connections are closed
	counters   counters

	mu       sync.Mutex
	kept     map[linkKey]*Link
	accepted map[*inbound]struct{}
	past     struct { // of links and connections that are no more
		busy, down, lost uint64
		outbound, served Traffic
	}
	closed bool
}

// linkKey names a link.
type linkKey struct{ node, lane string }

// Open starts a network, listening if the configuration says so. The caller
// closes it.
func Open(cfg Config) (*Network, error) {
	return open(cfg, versions{ProtocolMin, ProtocolMax})
}

func open(cfg Config, speaks versions) (*Network, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	n := &Network{
		cfg: cfg, speaks: speaks, epoch: cfg.Clock.Now(),
		handshakes: make(chan struct{}, cfg.MaxHandshakes),
		kept:       map[linkKey]*Link{},
		accepted:   map[*inbound]struct{}{},
	}
	n.listener = cfg.Listener
	if cfg.Listen != "" {
		if n.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
			return nil, fmt.Errorf("listen for nodes: %w", err)
		}
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.gone.Add(1)
	go n.beat()
	if n.listener != nil {
		n.gone.Add(1)
		go n.accept()
	}
	return n, nil
}

// Addr returns the address that is listened at, nil if none is.
func (n *Network) Addr() net.Addr {
	if n.listener == nil {
		return nil
	}
	return n.listener.Addr()
}

// elapsed returns the nanoseconds since the network was opened, more than zero.
func (n *Network) elapsed() int64 { return int64(n.cfg.Clock.Now().Sub(n.epoch)) + 1 }

// at is the inverse of elapsed; zero is never.
func (n *Network) at(elapsed int64) time.Time {
	if elapsed == 0 {
		return time.Time{}
	}
	return n.epoch.Add(time.Duration(elapsed - 1))
}

// Link returns the link to a node for a lane, and opens it if there is none. A
// new address is tried at once when the link is down. It does not wait for the
// connection. Errors: ErrClosed, and the node's own id.
func (n *Network) Link(node, addr, lane string) (*Link, error) {
	if node == n.cfg.Self.Node {
		return nil, fmt.Errorf("peer: link to node %s: that is this node", node)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	key := linkKey{node, lane}
	if l, ok := n.kept[key]; ok {
		l.mu.Lock()
		moved := l.addr != addr
		l.addr = addr
		l.mu.Unlock()
		if moved {
			l.retry()
		}
		return l, nil
	}
	l := &Link{net: n, node: node, lane: lane, addr: addr, changed: make(chan struct{}), wake: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancel(n.ctx)
	n.kept[key] = l
	n.gone.Add(1)
	go l.run()
	return l, nil
}

// Drop closes all links to a node and the connections it has made to this one.
func (n *Network) Drop(node string) {
	for _, l := range n.links() {
		if l.node == node {
			l.Close()
		}
	}
	for _, c := range n.inbounds() {
		if c.info.Node == node {
			c.end(ErrClosed)
		}
	}
}

// Break ends the connections of the links to a node from which nothing has
// arrived for so long: what is outstanding is lost. The links connect again.
func (n *Network) Break(node string, silent time.Duration) {
	if time.Duration(n.elapsed())-time.Duration(n.lastHeard(node)) < silent {
		return
	}
	for _, l := range n.links() {
		if c := l.conn.Load(); c != nil && l.node == node {
			c.end(errSilent)
		}
	}
}

// Overdue returns the nodes that have been asked for a sign of life on a link, and
// have sent nothing on any for so long.
func (n *Network) Overdue(least time.Duration) (nodes []string) {
	now := n.elapsed()
	for _, l := range n.links() {
		c := l.conn.Load()
		if c == nil || slices.Contains(nodes, l.node) {
			continue
		}
		c.out.mu.Lock()
		asked := c.watch.asked
		c.out.mu.Unlock()
		if asked != 0 && now-asked >= int64(least) && now-n.lastHeard(l.node) >= int64(least) {
			nodes = append(nodes, l.node)
		}
	}
	return nodes
}

// LastHeard returns when anything last arrived from a node, on any link and any
// connection it has made; the zero time if nothing did since they were opened.
func (n *Network) LastHeard(node string) time.Time { return n.at(n.lastHeard(node)) }

// lastHeard is [Network.LastHeard] as elapsed time, 0: never.
func (n *Network) lastHeard(node string) (latest int64) {
	for _, l := range n.links() {
		if l.node == node {
			latest = max(latest, l.heardAt())
		}
	}
	for _, c := range n.inbounds() {
		if c.info.Node == node {
			latest = max(latest, c.sock.heard.Load())
		}
	}
	return latest
}

// links returns the links that are kept.
func (n *Network) links() []*Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]*Link, 0, len(n.kept))
	for _, l := range n.kept {
		all = append(all, l)
	}
	return all
}

// inbounds returns the accepted connections that are served.
func (n *Network) inbounds() []*inbound {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]*inbound, 0, len(n.accepted))
	for c := range n.accepted {
		all = append(all, c)
	}
	return all
}

// forget stops keeping a link.
func (n *Network) forget(l *Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := linkKey{l.node, l.lane}
	if n.kept[key] != l {
		return
	}
	delete(n.kept, key)
	n.past.busy += l.busy.Load()
	n.past.down += l.down.Load()
	n.past.lost += l.lost.Load()
	n.past.outbound.add(l.traffic.snapshot())
}

// Stats returns a snapshot of the counters.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := Stats{
		Links: len(n.kept), Inbound: len(n.accepted),
		Connects: n.counters.connects.Load(), Accepts: n.counters.accepts.Load(),
		Strangers: n.counters.strangers.Load(), Crowded: n.counters.crowded.Load(),
		Busy: n.past.busy, Down: n.past.down, Lost: n.past.lost,
		Outbound: n.past.outbound, Served: n.past.served,
	}
	for r := range s.Failures {
		s.Failures[r] = n.counters.failures[r].Load()
	}
	for _, l := range n.kept {
		if l.conn.Load() != nil {
			s.LinksUp++
		}
		s.Busy += l.busy.Load()
		s.Down += l.down.Load()
		s.Lost += l.lost.Load()
		s.Outbound.add(l.traffic.snapshot())
	}
	for c := range n.accepted {
		s.Served.add(c.traffic.snapshot())
	}
	return s
}

// LinkStats returns a snapshot of every link.
func (n *Network) LinkStats() []LinkStats {
	var all []LinkStats
	for _, l := range n.links() {
		all = append(all, l.Stats())
	}
	return all
}

// Close stops listening and closes all connections and links. It returns when
// the last goroutine has ended: every request is completed and every session
// closed. It may be called more than once, but not by a sink or a session.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.cancel()
	var err error
	if n.listener != nil {
		if err = n.listener.Close(); errors.Is(err, net.ErrClosed) {
			err = nil
		}
	}
	n.gone.Wait()
	return err
}
