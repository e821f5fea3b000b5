package loadgen

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// driveBlocking runs a phase over the single session of w with blocking calls:
// a batch out, all its replies in, again. It works on every system.
//
// In an open loop each connection has its own schedule, 1/connections of the
// rate; requests that have become due while a batch was under way form the next
// batch, up to the pipeline depth.
func driveBlocking(w *worker, ph *phase) error {
	s := w.sessions[0]
	if s.broken {
		return errNoConnection
	}
	buf := make([]byte, readBufferBytes)
	for {
		now := ph.clock.now()
		w.maybeDrain(ph, now)
		if w.draining {
			w.publish()
			return nil
		}
		if ph.rate > 0 && int64(w.due) > now {
			pause(ph, int64(w.due)-now)
			continue
		}
		w.gen.elapse(time.Duration(now - ph.begin))
		w.fillBatch(s, ph, now)
		if err := w.roundTrip(s, ph, buf); err != nil {
			now := ph.clock.now()
			w.drop(s, err, now)
			w.giveUp(ph, now)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return errStalled
			}
			return errNoConnection
		}
		w.publish()
	}
}

// pause waits for ns nanoseconds, but not past the moment to look at ph again.
func pause(ph *phase, ns int64) {
	wait := min(time.Duration(ns), time.Duration(maxWaitNs), time.Duration(max(ph.deadline-ph.clock.now(), 0)))
	time.Sleep(wait)
}

// fillBatch appends the next batch: the pipeline's depth in a closed loop, what
// is due in an open one.
func (w *worker) fillBatch(s *session, ph *phase, now int64) {
	if ph.rate == 0 {
		n := int(min(uint64(ph.pipeline), w.budget))
		s.fill(n, now, w.gen)
		w.budget -= uint64(n)
		return
	}
	for s.inflight < ph.pipeline && w.budget > 0 && int64(w.due) <= now {
		s.fill(1, int64(w.due), w.gen)
		w.budget--
		w.advance(ph)
	}
}

// roundTrip sends what is to be sent and reads all replies. A large batch is
// sent while replies are read: a server may stop reading requests until its
// replies are taken, and both sides would wait for each other.
func (w *worker) roundTrip(s *session, ph *phase, buf []byte) error {
	if len(s.out.bigs) == 0 && len(s.out.buf) < safeBatch {
		n, err := flush(s, ph)
		w.tally.bytesOut += n
		if err != nil {
			return err
		}
		return w.collect(s, ph, buf)
	}
	var sent uint64
	var sendErr error
	var group sync.WaitGroup
	group.Go(func() { sent, sendErr = flush(s, ph) })
	err := w.collect(s, ph, buf)
	if err != nil {
		_ = s.conn.Close() // ends the sender; the error is err
	}
	group.Wait()
	w.tally.bytesOut += sent
	if err != nil {
		return err
	}
	return sendErr
}

// safeBatch is how many bytes the buffers of any connection take.
const safeBatch = 4 << 10

// flush sends what s has to send, and returns the number of bytes.
func flush(s *session, ph *phase) (sent uint64, err error) {
	var store [maxPieces][]byte
	for !s.out.empty() {
		if err := s.conn.SetWriteDeadline(time.Now().Add(time.Duration(ph.timeout))); err != nil {
			return sent, err
		}
		list := net.Buffers(s.out.pieces(store[:0]))
		n, err := list.WriteTo(s.conn)
		s.out.advance(int(n))
		sent += uint64(n)
		if err != nil {
			return sent, fmt.Errorf("write: %w", plain(err))
		}
	}
	return sent, nil
}

// collect reads until nothing is in flight.
func (w *worker) collect(s *session, ph *phase, buf []byte) error {
	for s.inflight > 0 {
		if err := s.conn.SetReadDeadline(time.Now().Add(time.Duration(ph.timeout))); err != nil {
			return err
		}
		n, err := s.conn.Read(buf)
		if n > 0 {
			if err := s.feed(buf[:n], ph.clock.now(), w.tally); err != nil {
				return err
			}
		}
		if err != nil {
			return fmt.Errorf("read: %w", plain(err))
		}
	}
	return nil
}

// plain takes the addresses out of an error, so that equal faults of several
// connections have equal texts.
func plain(err error) error {
	if errors.Is(err, io.EOF) {
		return errClosed
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

var errClosed = errors.New("the server closed the connection")
