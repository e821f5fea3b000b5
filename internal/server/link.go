package server

import (
	"net/netip"

	"github.com/larder-cache/larder/internal/command"
)

var _ command.Link = (*conn)(nil)

// Push implements [command.Link].
func (c *conn) Push(message []byte) {
	class := command.ClassNormal
	if s := c.known.Load(); s != nil {
		class = s.Class()
	}
	hard := c.srv.exec.Limits().Output[class].Hard
	wake, dropped := c.mail.push(message, int(c.sizes.output.Load()), hard)
	if !dropped {
		c.counts.pushes.Add(1)
	}
	if wake {
		c.line.wake()
	}
}

// Kill implements [command.Link].
func (c *conn) Kill(afterReply bool) {
	kill := killNow
	if afterReply {
		kill = killAfterReply
	}
	c.endBy(kill, ClosedByKill)
}

// endBy asks the owner to end the connection. Called from any goroutine.
func (c *conn) endBy(kill killRequest, reason CloseReason) {
	if c.mail.close(kill, reason) {
		c.line.wake()
	}
}

// RemoteAddr implements [command.Link].
func (c *conn) RemoteAddr() string { return c.peer.remote() }

// LocalAddr implements [command.Link].
func (c *conn) LocalAddr() string { return c.peer.local() }

// Buffers implements [command.Link].
func (c *conn) Buffers() (query, queryFree, output int) {
	return int(c.sizes.query.Load()), int(c.sizes.free.Load()), int(c.sizes.output.Load()) + c.mail.size()
}

// FD implements [command.Link].
func (c *conn) FD() int { return c.line.fd() }

// ends has the addresses of both ends, of a Unix socket its path.
type ends struct {
	from, to netip.AddrPort
	path     string
}

func (p *ends) remote() string { return p.text(p.from) }
func (p *ends) local() string  { return p.text(p.to) }

func (p *ends) text(a netip.AddrPort) string {
	if p.path != "" {
		return p.path + ":0"
	}
	if !a.IsValid() {
		return "?:0"
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}
