package peer

import (
	"context"
	"errors"
	"net"
	"time"
)

// acceptPause is the wait after the system could not accept (no descriptors left).
const acceptPause = 20 * time.Millisecond

// accept takes connections until the listener is closed.
func (n *Network) accept() {
	defer n.gone.Done()
	for {
		tcp, err := n.listener.Accept()
		if n.ctx.Err() != nil {
			if err == nil {
				tcp.Close()
			}
			return
		}
		if err != nil {
			select {
			case <-n.cfg.Clock.After(acceptPause):
			case <-n.ctx.Done():
			}
			continue
		}
		select {
		case n.handshakes <- struct{}{}:
			n.gone.Add(1)
			go n.admit(tcp)
		default:
			n.counters.crowded.Add(1)
			tcp.Close()
		}
	}
}

// admit finds out who has connected, and serves a node to the end of its
// connection.
func (n *Network) admit(tcp net.Conn) {
	defer n.gone.Done()
	c := &inbound{network: n}
	c.sock = newSocket(tcp, n.elapsed, &c.traffic)
	defer context.AfterFunc(n.ctx, func() { c.end(ErrClosed) })()
	err := n.welcomeNode(c)
	<-n.handshakes
	if err != nil {
		n.countStranger(err)
		tcp.Close()
		return
	}
	n.counters.accepts.Add(1)
	n.present(c.info.Node)
	err = c.serve()
	n.remove(c)
	if cause := c.cause.Load(); cause != nil {
		err = *cause
	}
	c.close(err)
	if !errors.Is(err, ErrClosed) {
		n.counters.failures[reasonOf(err)].Add(1)
	}
}

// present has the links to a node that has just connected try again, if they are
// down: it is there.
func (n *Network) present(node string) {
	for _, l := range n.links() {
		if l.node == node && l.conn.Load() == nil {
			l.retry()
		}
	}
}

// welcomeNode is the called side's handshake, within its time limit. When it
// returns without error the connection is among the accepted.
func (n *Network) welcomeNode(c *inbound) error {
	if err := c.sock.SetDeadline(time.Now().Add(n.cfg.HandshakeTimeout)); err != nil {
		return err
	}
	info, lane, err := n.receive(c.sock)
	if err == nil {
		err = n.openSession(c, info, lane)
	}
	if err != nil {
		n.reject(c.sock, err)
	}
	return err
}

// openSession has the handler open a session, and welcomes the node.
func (n *Network) openSession(c *inbound, info Info, lane string) error {
	c.info, c.progress = info, n.elapsed()
	if err := n.enter(c); err != nil {
		return err
	}
	c.prepare()
	session, err := n.cfg.Handler.Open(info, lane, &Responder{c})
	if err != nil {
		n.remove(c)
		c.out.close()
		return refuse(RefusedLane, "lane %q: %s", lane, err)
	}
	c.session = session
	if err := n.welcome(c.sock, info.Version); err != nil {
		n.remove(c)
		c.close(err)
		return err
	}
	_ = c.sock.SetDeadline(time.Time{}) // fails when closed, which serve finds out
	c.sock.gather = c.sock.secure != nil
	return nil
}

// enter puts a connection among the accepted, if no newer process of its node is
// there, and ends those of older processes.
func (n *Network) enter(c *inbound) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return refuse(RefusedClosing, "this node is shutting down")
	}
	for other := range n.accepted {
		if other.info.Node == c.info.Node && other.info.Incarnation > c.info.Incarnation {
			return refuse(RefusedIncarnation, "another process of node %s, newer than you, is connected from %s",
				c.info.Node, other.info.Addr)
		}
	}
	for other := range n.accepted {
		if other.info.Node == c.info.Node && other.info.Incarnation < c.info.Incarnation {
			other.end(errReplaced)
		}
	}
	n.accepted[c] = struct{}{}
	return nil
}

// remove takes a connection from the accepted.
func (n *Network) remove(c *inbound) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.accepted, c)
	n.past.served.add(c.traffic.snapshot())
}

// countStranger counts a connection that was not accepted.
func (n *Network) countStranger(err error) {
	var refused *RefusedError
	if errors.As(err, &refused) {
		n.counters.failures[FailedRefused].Add(1)
		return
	}
	n.counters.strangers.Add(1)
}

// countHandshakeFailure counts an attempt to connect that came to nothing.
func (n *Network) countHandshakeFailure(err error) {
	var refused *RefusedError
	if errors.As(err, &refused) {
		n.counters.failures[FailedRefused].Add(1)
		return
	}
	n.counters.failures[FailedHandshake].Add(1)
}
