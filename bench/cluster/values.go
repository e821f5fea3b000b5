package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/larder-cache/larder/internal/loadgen"
	"github.com/larder-cache/larder/internal/nodes"
)

// values are many keys whose values follow from their numbers, so that each can
// be compared. They are written once.
type values struct {
	prefix string
	count  int
	bytes  int // of a value
}

// What writing and reading them all takes.
const (
	valuesClients  = 8
	valuesPipeline = 64
)

func (v values) key(i int) string { return fmt.Sprintf("%s%0*d", v.prefix, numberWidth, i) }

// value returns what a key holds: no other one has it.
func (v values) value(i int) string {
	number := strconv.Itoa(i) + "."
	return strings.Repeat(number, 1+v.bytes/len(number))[:max(v.bytes, len(number))]
}

// gets makes a load of GETs of these keys.
func (v values) gets(c loadgen.Config) loadgen.Config {
	c.Keys, c.KeyPrefix, c.KeyLength, c.Values = uint64(v.count), "", numberWidth, loadgen.FixedSize(v.bytes)
	c.Commands = []loadgen.Command{{Template: "GET " + v.prefix + "__key__", Weight: 1}}
	return c
}

// write writes all of them, through several nodes.
func (v values) write(ctx context.Context, addresses []string) error {
	return v.each(ctx, addresses, func(c *nodes.Conn, i int) { c.Send("SET", v.key(i), v.value(i)) },
		func(_ int, r nodes.Reply) error { return r.Err() })
}

// amiss is what is not as it was written.
type amiss struct {
	lost, wrong int
	example     string
}

func (a *amiss) count() int { return a.lost + a.wrong }

// check reads all of them, through several nodes, and compares one by one.
func (v values) check(ctx context.Context, addresses []string) (a amiss, err error) {
	var mu sync.Mutex
	err = v.each(ctx, addresses, func(c *nodes.Conn, i int) { c.Send("GET", v.key(i)) }, func(i int, r nodes.Reply) error {
		if r.Kind == '$' && !r.Null && r.Text == v.value(i) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.Kind == '-':
			return fmt.Errorf("%s: %w", v.key(i), r.Err())
		case r.Null:
			a.lost++
		default:
			a.wrong++
		}
		a.example = fmt.Sprintf("%s holds %.40q", v.key(i), r.Text)
		return nil
	})
	return a, err
}

// each sends a request for every key and takes the replies, over several
// connections at once. It ends with the first error of each connection.
func (v values) each(ctx context.Context, addresses []string, send func(*nodes.Conn, int), take func(int, nodes.Reply) error) error {
	var group sync.WaitGroup
	errs := make([]error, valuesClients)
	for id := range valuesClients {
		group.Go(func() { errs[id] = v.share(ctx, addresses[id%len(addresses)], id, send, take) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// share is one connection's part of each.
func (v values) share(ctx context.Context, address string, id int, send func(*nodes.Conn, int), take func(int, nodes.Reply) error) error {
	c, err := nodes.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close()
	first, end := v.count*id/valuesClients, v.count*(id+1)/valuesClients
	for ; first < end && ctx.Err() == nil; first += valuesPipeline {
		last := min(first+valuesPipeline, end)
		for i := first; i < last; i++ {
			send(c, i)
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for i := first; i < last; i++ {
			r, err := c.Receive()
			if err == nil {
				err = take(i, r)
			}
			if err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
