package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Config describes the clients. Zero fields take the defaults of [Start].
type Config struct {
	Prefix  string        // of all keys. Default "h"
	Clients int           // Default 8
	Think   time.Duration // mean pause between two operations of a client. Default 10 ms
	// Keys is how many are in use at once, a third of them each for SET, for INCR, and
	// for all other operations. Default 64.
	Keys int
	// Lasting leaves EXPIRE out, for nodes whose clocks differ.
	Lasting bool
	// KeyOps and KeyUnknown are after how many operations, and after how many
	// writes of unknown outcome, another key takes the place. Default 300 and 6.
	KeyOps, KeyUnknown int
	Reads              int           // of ten operations. Default 4
	Timeout            time.Duration // of an operation. Default 10 s
	// Addresses are those of the nodes that run. It is asked before each operation.
	Addresses func() []string
	Seed      uint64 // same seed, same choices
	Recorder  *Recorder
}

// Clients are at work. Its methods may be called by one goroutine.
type Clients struct {
	c    Config
	keys *keys
	list []*client
	stop chan struct{}
	once sync.Once // closes stop
	wait sync.WaitGroup

	mu      sync.Mutex
	avoided map[string]bool // GUARDED_BY(mu): addresses
}

// stayers is how many clients there are for each that stays with a node that
// hangs or refuses: it waits there, and is the first to hear what the node says
// afterwards. The others go elsewhere.
const stayers = 4

// Start lets clients work until Stop.
func Start(c Config) (*Clients, error) {
	if c.Addresses == nil || c.Recorder == nil {
		return nil, errors.New("history: Addresses and Recorder are needed")
	}
	c.fill()
	cs := &Clients{c: c, keys: newKeys(&c), stop: make(chan struct{}), avoided: map[string]bool{}}
	for i := range c.Clients {
		cl := &client{all: cs, id: i, stays: Stays(i), random: rand.New(rand.NewPCG(c.Seed, uint64(i))), seen: map[int]seen{}}
		cs.list = append(cs.list, cl)
		cs.wait.Go(cl.run)
	}
	return cs, nil
}

func (c *Config) fill() {
	def := func(at *int, value int) {
		if *at == 0 {
			*at = value
		}
	}
	def(&c.Clients, 8)
	def(&c.Keys, 64)
	def(&c.KeyOps, 300)
	def(&c.KeyUnknown, 6)
	def(&c.Reads, 4)
	if c.Prefix == "" {
		c.Prefix = "h"
	}
	if c.Think == 0 {
		c.Think = 10 * time.Millisecond
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
}

// Stays reports whether a client takes no notice of [Clients.Avoid], and asks the
// same node again when it is refused.
func Stays(client int) bool { return client%stayers == stayers-1 }

// Avoid takes clients away from a node, as a load balancer does that has found it
// silent: connections to it are cut, what waits there is unknown. One client of
// four stays.
func (cs *Clients) Avoid(address string) {
	cs.mu.Lock()
	cs.avoided[address] = true
	cs.mu.Unlock()
	for _, cl := range cs.list {
		if !cl.stays {
			cl.cut(address)
		}
	}
}

// Allow lets clients go to a node again.
func (cs *Clients) Allow(address string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.avoided, address)
}

// Stop waits for the replies that are awaited, and ends the clients. It may be
// called twice.
func (cs *Clients) Stop() {
	cs.once.Do(func() { close(cs.stop) })
	cs.wait.Wait()
	for _, cl := range cs.list {
		cl.cut("")
	}
}

// choose returns an address for a client, empty when there is none.
func (cs *Clients) choose(cl *client) string {
	list := cs.c.Addresses()
	for len(list) > 0 {
		i := cl.random.IntN(len(list))
		if !cs.avoids(cl, list[i]) && (list[i] != cl.left || len(list) == 1) {
			return list[i]
		}
		list = append(list[:i:i], list[i+1:]...)
	}
	return ""
}

// avoids reports whether a client keeps away from a node.
func (cs *Clients) avoids(cl *client, address string) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return !cl.stays && cs.avoided[address]
}

// ReadAll reads every key that there has been, once the clients are stopped, and
// records it. It asks the nodes in turn, and again for what fails, until ctx ends.
func (cs *Clients) ReadAll(ctx context.Context) error {
	cl := &client{all: cs, id: Reader, random: rand.New(rand.NewPCG(cs.c.Seed, 1<<32))}
	defer cl.cut("")
	for _, key := range cs.keys.list() {
		for {
			o := Op{Client: Reader, Kind: Get, Key: key}
			cl.do(&o)
			cs.c.Recorder.add(o)
			if o.Outcome == OK {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s cannot be read: %s: %w", key, o.Error, ctx.Err())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}
