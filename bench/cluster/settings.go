package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// A setting of the whole cluster that changes nothing here: what is slower than
// this many microseconds is logged.
const (
	parameter = "slowlog-log-slower-than"
	path      = "slowlog.slower_than"
)

// settings changes a setting on one node after the other, and measures until
// every node says that it is in force.
func (b *bench) settings(ctx context.Context) (err error) {
	c, end, err := b.begin(ctx, b.nodes, nodes.Options{})
	if err != nil {
		return err
	}
	defer end(&err)
	ways := []struct {
		name   string
		change func(value int) []string
	}{
		{"CONFIG SET", func(v int) []string { return []string{"CONFIG", "SET", parameter, strconv.Itoa(v)} }},
		{"LARDER CONFIG SET", func(v int) []string {
			return []string{"LARDER", "CONFIG", "SET", path, strconv.Itoa(v) + "us"}
		}},
	}
	var conns []*nodes.Conn
	for _, n := range c.Nodes() {
		conn, err := nodes.Dial(ctx, n.RESP)
		if err != nil {
			return err
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	value := 20_000
	for range b.rounds {
		for _, w := range ways {
			for at, n := range c.Nodes() {
				value++
				replied, everywhere, err := change(ctx, conns, at, value, w.change(value))
				if err != nil {
					return fmt.Errorf("%s on %s: %w", w.name, n.Name, err)
				}
				b.rep.add("settings", w.name, metric{"until its reply", "ms"}, milliseconds(replied))
				b.rep.add("settings", w.name, metric{"in force on all nodes", "ms"}, milliseconds(everywhere))
				b.say("%s on %s: reply after %.1f ms, on all nodes after %.1f ms", w.name, n.Name, milliseconds(replied), milliseconds(everywhere))
			}
		}
	}
	return nil
}

// settleWithin is how long a change may take at most.
const settleWithin = 10 * time.Second

// change changes the setting through one connection and asks all until each has
// the new value.
func change(ctx context.Context, conns []*nodes.Conn, at, value int, request []string) (replied, everywhere time.Duration, err error) {
	begun := time.Now()
	if _, err := conns[at].Do(request...); err != nil {
		return 0, 0, err
	}
	replied = time.Since(begun)
	want := strconv.Itoa(value)
	for _, conn := range conns {
		for {
			r, err := conn.Do("CONFIG", "GET", parameter)
			if err != nil {
				return 0, 0, err
			}
			if len(r.List) == 2 && r.List[1].Text == want {
				break
			}
			if err := ctx.Err(); err != nil {
				return 0, 0, err
			}
			if time.Since(begun) > settleWithin {
				return 0, 0, fmt.Errorf("not in force after %v: %v", settleWithin, r.List)
			}
		}
	}
	return replied, time.Since(begun), nil
}
