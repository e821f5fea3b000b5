package server_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/replication"
)

// copies is a node that has copies of all partitions of another one, as far as
// acknowledgements go: it applies nothing, and acknowledges when the test wants.
// It is the transport of the other one's sender.
type copies struct {
	t      testing.TB
	name   string
	logs   *replication.Logs
	sender *replication.Sender
	counts replication.Counters

	mu      sync.Mutex
	slow    bool                                 // GUARDED_BY(mu): acknowledge waits for the test
	waiting []func([]replication.Refusal, error) // GUARDED_BY(mu)
	sent    atomic.Uint64
}

// Send implements [replication.Transport].
func (c *copies) Send(_ []byte, done func([]replication.Refusal, error)) {
	c.sent.Add(1)
	c.mu.Lock()
	if c.slow {
		c.waiting = append(c.waiting, done)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	done(nil, nil)
}

// stop has what comes from now on wait.
func (c *copies) stop() {
	c.mu.Lock()
	c.slow = true
	c.mu.Unlock()
}

// goOn acknowledges what waits and what comes.
func (c *copies) goOn() {
	c.mu.Lock()
	c.slow = false
	list := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, done := range list {
		done(nil, nil)
	}
}

// step acknowledges one batch, if one waits.
func (c *copies) step() bool {
	c.mu.Lock()
	var done func([]replication.Refusal, error)
	if len(c.waiting) > 0 {
		done, c.waiting = c.waiting[0], c.waiting[1:]
	}
	c.mu.Unlock()
	if done != nil {
		done(nil, nil)
	}
	return done != nil
}

// refuse answers what waits with the word that another node has been promised a
// partition.
func (c *copies) refuse(p int) {
	c.mu.Lock()
	list := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, done := range list {
		done([]replication.Refusal{{Partition: p, Reason: replication.Promised}}, nil)
	}
}

// replicate gives a node logs before it has clients.
func (d *node) replicate() {
	d.logs = replication.NewLogs(d.cache.Store(), 0)
	d.x.Replicate(d.logs, &replication.Counters{})
}

// copyTo gives every partition that a node owns a copy that is required.
func (d *node) copyTo(name string) *copies {
	t := d.all.t
	c := &copies{t: t, name: name, logs: d.logs}
	changed := make(chan struct{}, 1)
	c.sender = replication.NewSender(replication.SenderConfig{
		Store: d.cache.Store(), Logs: d.logs, Transport: c, Incarnation: 1, Node: name, Counters: &c.counts,
		Changed: func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		},
	})
	t.Cleanup(c.sender.Close)
	var list []*replication.Copy
	for p := range hashing.Partitions {
		if d.x.Routes().IsHere(p) {
			one, err := c.sender.Copy(d.logs.Open(p, 0), 1)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, one)
		}
	}
	for _, one := range list {
		for one.State() != replication.CaughtUp {
			<-changed
		}
		log := d.logs.Log(one.Partition())
		log.Require(append(log.Required(), name))
	}
	return c
}

// inReplicated runs a test in clusters of two nodes, the first of which has copies
// elsewhere, in each mode.
func inReplicated(t *testing.T, test func(t *testing.T, c *nodes, at *copies)) {
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			c := newNodesWith(t, mode, 2, (*node).replicate)
			test(t, c, c.list[0].copyTo("copy"))
		})
	}
}

// silent checks that nothing comes.
func (c *client) silent() {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if b, err := c.r.Peek(1); err == nil {
		rest, _ := c.r.Peek(c.r.Buffered())
		c.t.Fatalf("%q came early: %q", b, rest)
	}
	c.SetReadDeadline(time.Now().Add(patience))
}

// batches waits until the copy has been sent more than n batches.
func (c *copies) batches(h *harness, n uint64) {
	h.t.Helper()
	h.eventually("the copy is sent something", func() bool { return c.sent.Load() > n })
}
