package demo

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Doors are the addresses that clients may enter by: those of the nodes. Any
// node answers for every key. Safe for concurrent use.
type Doors struct {
	mu      sync.Mutex // guards what follows
	list    []string
	version uint64 // of list
	callers []*caller
}

// NewDoors returns doors; the list must not be empty, and is theirs.
func NewDoors(list ...string) *Doors { return &Doors{list: list, version: 1} }

// Use replaces the addresses. Clients change over when they have the answer they
// wait for: no request is cut off.
func (d *Doors) Use(list ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = list
	d.version++
}

// Changed waits until every client has changed over to the addresses in use, or
// ctx ends.
func (d *Doors) Changed(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !d.settled() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *Doors) settled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.callers {
		if c.version.Load() != d.version && !c.closed.Load() {
			return false
		}
	}
	return true
}

// at returns the address at a place; places go round.
func (d *Doors) at(place int) (address string, version uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.list[place%len(d.list)], d.version
}

// current returns the version of the list.
func (d *Doors) current() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.version
}

// caller is a client that stays at its door as long as that is one and the node
// behind it answers. It belongs to one goroutine, but for what is atomic.
type caller struct {
	doors   *Doors
	place   int
	client  *Client       // nil: not connected
	uncut   func() bool   // the end of the context closes client no more
	version atomic.Uint64 // of the list that client was chosen from
	closed  atomic.Bool
}

// enter adds a caller; the places spread callers over the nodes.
func (d *Doors) enter(place int) *caller {
	c := &caller{doors: d, place: place}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.callers = append(d.callers, c)
	return c
}

// answerWithin is how long a caller waits for an answer before it gives the
// connection up.
const answerWithin = 10 * time.Second

// ready sees to a connection to a door that is in use, for one request.
func (c *caller) ready(ctx context.Context) error {
	if c.client != nil && c.version.Load() == c.doors.current() {
		return c.client.Expire(time.Now().Add(answerWithin))
	}
	c.drop()
	address, version := c.doors.at(c.place)
	client, err := Dial(ctx, address, 4096)
	if err != nil {
		return err
	}
	c.client = client
	// A node that hangs must not keep the caller beyond its time.
	c.uncut = context.AfterFunc(ctx, func() { client.Close() })
	c.version.Store(version)
	return client.Expire(time.Now().Add(answerWithin))
}

// flee leaves a door behind which nobody answers for the next one.
func (c *caller) flee() {
	c.drop()
	c.place++
}

func (c *caller) drop() {
	if c.client != nil {
		c.uncut()
		c.client.Close()
		c.client = nil
	}
}

// leave ends the caller.
func (c *caller) leave() {
	c.drop()
	c.closed.Store(true)
}
