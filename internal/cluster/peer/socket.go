package peer

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// gatherBytes is how many bytes of TLS records are gathered for one write.
const gatherBytes = 64 << 10

// socket is one TCP connection, with TLS on it or plain. Bytes in the clear are
// read from stream and written with tryWrite, write or writeParts. It adds to a
// connection what a transport needs: a call before every read that may wait, a
// write that never waits, TLS records that leave together, and the times of the
// last signs of life.
//
// One goroutine reads; one at a time writes (see [outbox]).
type socket struct {
	net.Conn // the TCP connection; TLS reads and writes through socket's methods
	stream   io.ReadWriter
	secure   *tls.Conn       // nil when plain
	raw      syscall.RawConn // nil: tryWrite leaves all to write
	elapsed  func() int64
	traffic  *traffic

	// dry is called before the connection is read, when all that has arrived was
	// handled. Set before the first read.
	dry func()

	// first is the byte that has to come first, zero: any. The connection of
	// somebody who begins otherwise is closed before TLS answers with an alert.
	first byte

	heard atomic.Int64  // elapsed time of the last byte that arrived
	sent  atomic.Uint64 // bytes the kernel has taken

	// gather makes TLS records wait in out for a flush. Set after the handshake,
	// when nobody else uses the socket.
	gather bool
	// mu guards out: the reading goroutine too makes TLS write (key updates).
	mu  sync.Mutex
	out []byte // what has to leave before anything else

	try struct {
		bytes []byte
		n     int
		err   error
		call  func(fd uintptr) bool
	}
}

func newSocket(c net.Conn, elapsed func() int64, t *traffic) *socket {
	s := &socket{Conn: c, elapsed: elapsed, traffic: t}
	s.stream = s
	if sc, ok := c.(syscall.Conn); ok && canTryWrite {
		if s.raw, _ = sc.SyscallConn(); s.raw != nil {
			resendSoon(s.raw)
		}
	}
	s.try.call = func(fd uintptr) bool {
		s.try.n, s.try.err = tryWriteFD(fd, s.try.bytes)
		return true
	}
	s.heard.Store(elapsed())
	return s
}

// useTLS puts TLS on the connection. The handshake is the caller's.
func (s *socket) useTLS(wrap func(net.Conn, *tls.Config) *tls.Conn, cfg *tls.Config) *tls.Conn {
	own := cfg.Clone()
	own.MinVersion = tls.VersionTLS13
	own.DynamicRecordSizingDisabled = true // frames are read whole anyway
	own.SessionTicketsDisabled = true      // every connection proves who it is
	s.secure = wrap(s, own)
	s.stream = s.secure
	return s.secure
}

// Read reads from the network; TLS calls it too.
func (s *socket) Read(p []byte) (int, error) {
	if s.dry != nil {
		s.dry()
	}
	n, err := s.Conn.Read(p)
	if n > 0 {
		if s.first != 0 && p[0] != s.first {
			s.Conn.Close()
			return 0, errStranger
		}
		s.first = 0
		s.heard.Store(s.elapsed())
		s.traffic.bytesIn.Add(uint64(n))
		s.traffic.reads.Add(1)
	}
	return n, err
}

// Write is for TLS alone: it sends a record, or gathers it.
func (s *socket) Write(p []byte) (int, error) {
	if !s.gather {
		return s.Conn.Write(p)
	}
	s.mu.Lock()
	s.out = append(s.out, p...)
	s.mu.Unlock()
	return len(p), nil
}

// tryWrite sends b without waiting. When the kernel does not take all of it, the
// rest is kept and done is false: flush must be called before the next write.
func (s *socket) tryWrite(b []byte) (done bool, err error) {
	if s.secure != nil {
		if _, err := s.secure.Write(b); err != nil {
			return false, err
		}
		b = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secure == nil && len(s.out) == 0 {
		n, err := s.tryRaw(b)
		s.out = append(s.out, b[n:]...)
		return n == len(b), err
	}
	s.out = append(s.out, b...)
	n, err := s.tryRaw(s.out)
	s.out = append(s.out[:0], s.out[n:]...)
	return len(s.out) == 0, err
}

// tryRaw makes one system call, and returns how many bytes the kernel took.
func (s *socket) tryRaw(b []byte) (int, error) {
	if s.raw == nil || len(b) == 0 {
		return 0, nil
	}
	s.try.bytes, s.try.n, s.try.err = b, 0, nil // a closed socket makes no call
	err := s.raw.Write(s.try.call)
	s.try.bytes = nil
	if err == nil {
		err = s.try.err
	}
	s.countWrite(s.try.n)
	return s.try.n, err
}

func (s *socket) countWrite(n int) {
	s.sent.Add(uint64(n))
	s.traffic.bytesOut.Add(uint64(n))
	s.traffic.writes.Add(1)
}

// flush sends what tryWrite has kept and what TLS has gathered, waiting for the
// kernel to take it.
func (s *socket) flush() error {
	s.mu.Lock()
	b := s.out
	if len(b) == 0 {
		s.mu.Unlock()
		return nil
	}
	s.out = nil
	s.mu.Unlock()
	err := s.writeNow(b)
	s.mu.Lock()
	if s.out == nil && cap(b) <= 2*gatherBytes {
		s.out = b[:0]
	}
	s.mu.Unlock()
	return err
}

func (s *socket) writeNow(b []byte) error {
	for len(b) > 0 {
		n, err := s.Conn.Write(b[:min(len(b), maxWrite)])
		s.countWrite(n)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// maxWrite is the most that one call of the network gets, so that progress can
// be seen.
const maxWrite = 1 << 20

// write sends the parts in order, waiting for the kernel to take them. The
// slice of parts is used up.
func (s *socket) write(parts net.Buffers) error {
	if s.secure != nil {
		return s.writeSecure(parts)
	}
	for len(parts) > 0 {
		group, rest := splitParts(parts)
		for len(group) > 0 {
			n, err := group.WriteTo(s.Conn)
			s.countWrite(int(n))
			if err != nil {
				return err
			}
		}
		parts = rest
	}
	return nil
}

// splitParts returns the first maxWrite bytes of parts, and the others.
func splitParts(parts net.Buffers) (first, rest net.Buffers) {
	size := 0
	for i, p := range parts {
		if size+len(p) <= maxWrite {
			size += len(p)
			continue
		}
		cut := maxWrite - size
		if cut == 0 {
			return parts[:i], parts[i:]
		}
		first = append(append(net.Buffers(nil), parts[:i]...), p[:cut])
		parts[i] = p[cut:]
		return first, parts[i:]
	}
	return parts, nil
}

func (s *socket) writeSecure(parts net.Buffers) error {
	for _, p := range parts {
		for len(p) > 0 {
			n := min(len(p), gatherBytes)
			if _, err := s.secure.Write(p[:n]); err != nil {
				return err
			}
			p = p[n:]
			if s.gathered() >= gatherBytes {
				if err := s.flush(); err != nil {
					return err
				}
			}
		}
	}
	return s.flush()
}

func (s *socket) gathered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.out)
}
