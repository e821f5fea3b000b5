package node

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/replication"
)

// stream carries the batches of one stream. It implements
// [replication.Transport] and [peer.Sink].
//
// Invariant: batches are submitted in the order of their sending. While some are
// delayed, all that follow are.
type stream struct {
	lines *lines
	to    cluster.Node

	mu      sync.Mutex
	link    *peer.Link                                    // GUARDED_BY(mu), as all below; nil: not asked for yet
	next    uint64                                        // tag of the batch sent last
	waiting map[uint64]func([]replication.Refusal, error) // by tag
	delayed []delayed                                     // not submitted: the link is not up, or full
}

type delayed struct {
	tag   uint64
	batch []byte
}

// Stream implements [membership.Peers].
func (l *lines) Stream(to *cluster.Node) replication.Transport {
	return &stream{lines: l, to: *to, waiting: map[uint64]func([]replication.Refusal, error){}}
}

// kindBatch is the only kind of the lane stream.
const kindBatch uint8 = 1

// Send implements [replication.Transport].
func (s *stream) Send(batch []byte, done func([]replication.Refusal, error)) {
	s.mu.Lock()
	s.next++
	tag := s.next
	s.waiting[tag] = done
	if len(s.delayed) == 0 && s.link != nil && s.link.Queue(kindBatch, peer.Payload{Head: batch}, s, tag) == nil {
		link := s.link
		s.mu.Unlock()
		link.Flush()
		return
	}
	s.delayed = append(s.delayed, delayed{tag, bytes.Clone(batch)})
	begin := len(s.delayed) == 1
	s.mu.Unlock()
	if begin {
		go s.catchUp()
	}
}

// upWithin is for how long a batch waits for its link: a node that has just
// joined may not be reached yet.
const upWithin = 2 * time.Second

// catchUp submits what is delayed, until nothing is.
func (s *stream) catchUp() {
	for {
		s.mu.Lock()
		first := s.delayed[0]
		s.mu.Unlock()
		err := s.submit(first)
		s.mu.Lock()
		s.delayed = s.delayed[1:]
		last := len(s.delayed) == 0
		s.mu.Unlock()
		if err != nil {
			s.finish(first.tag, nil, err)
		}
		if last {
			return
		}
	}
}

// submit waits for the link, up to upWithin, and when that is full.
func (s *stream) submit(d delayed) error {
	ctx, cancel := context.WithTimeout(context.Background(), upWithin)
	defer cancel()
	link, err := s.lines.link(ctx, &s.to, laneStream)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.link = link
	s.mu.Unlock()
	for {
		err := link.Submit(kindBatch, peer.Payload{Head: d.batch}, s, d.tag)
		if !errors.Is(err, peer.ErrBusy) || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// Complete implements [peer.Sink].
func (s *stream) Complete(tag uint64, r peer.Reply, err error) {
	var refused []replication.Refusal
	if err == nil {
		if r.Status != statusDone {
			err = errors.New(string(r.Data))
		} else {
			refused, err = replication.ParseRefusals(r.Data)
		}
		r.Release()
	}
	s.finish(tag, refused, err)
}

// Flush implements [peer.Sink].
func (s *stream) Flush() {}

func (s *stream) finish(tag uint64, refused []replication.Refusal, err error) {
	s.mu.Lock()
	done := s.waiting[tag]
	delete(s.waiting, tag)
	s.mu.Unlock()
	if done != nil {
		done(refused, err)
	}
}
