package server_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

// Every node answers for every key, in the order of the requests.
func TestAnyNodeAnyKey(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		for i := range 60 {
			key := fmt.Sprint("key:", i)
			in, out := c.list[i%3].any.dial(), c.list[(i+1)%3].any.dial()
			in.send(request("SET", key, fmt.Sprint(i)), request("INCR", key), request("APPEND", key, "x"))
			in.expect(fmt.Sprintf("+OK\r\n:%d\r\n:%d\r\n", i+1, len(fmt.Sprint(i+1))+1))
			out.send(request("GET", key), request("INCR", key), request("DEL", key), request("GET", key))
			out.expect(bulk(fmt.Sprint(i+1, "x")) + "-ERR value is not an integer or out of range\r\n:1\r\n$-1\r\n")
		}
	})
}

// A client that speaks the protocol of Redis Cluster is told where to go.
func TestRedirects(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		tag := "{" + c.keyOf(c.list[0], "t") + "}"
		key := tag + "k"
		slot := hashing.Slot([]byte(key))
		moved := fmt.Sprintf("-MOVED %d %s\r\n", slot, c.list[0].own.Addrs()[0])
		const cross = "-CROSSSLOT Keys in request don't hash to the same slot\r\n"
		owner, other, any := c.list[0].own.dial(), c.list[1].own.dial(), c.list[1].any.dial()
		owner.send(request("SET", key, "1"), request("MGET", key, tag+"x"), request("MGET", key, "b"), request("DEL", "x", "y"))
		owner.expect("+OK\r\n*2\r\n" + bulk("1") + "$-1\r\n" + cross + cross)
		other.send(request("GET", key), request("MSET", key, "1", tag+"x", "2"), request("PING"), request("MULTI"), request("GET", key), request("EXEC"))
		other.expect(moved + moved + "+PONG\r\n+OK\r\n" + moved + "-EXECABORT Transaction discarded because of previous errors.\r\n")
		any.send(request("GET", key), request("COPY", key, "b"), request("BITOP", "NOT", "b", key), request("RENAME", key, tag+"r"),
			request("GET", tag+"r"), request("MULTI"), request("SET", "x", "1"), request("SET", "y", "1"), request("EXEC"), request("SWAPDB", "0", "1"))
		any.expect(bulk("1") + cross + cross + "+OK\r\n" + bulk("1") + "+OK\r\n+QUEUED\r\n" + cross +
			"-EXECABORT Transaction discarded because of previous errors.\r\n-ERR SWAPDB is not allowed in cluster mode\r\n")
		// In the last step of a move the former owner sends nobody away.
		c.change(func(v *cluster.View) {
			r := &v.Rows[hashing.Partition(slot)]
			r.Target = r.Owner
		})
		for _, d := range c.list {
			d.reroute(nil)
		}
		other.send(request("GET", tag+"r"), request("MULTI"), request("GET", tag+"r"), request("EXEC"))
		other.expect(bulk("1") + "+OK\r\n+QUEUED\r\n*1\r\n" + bulk("1"))
		c.change(func(v *cluster.View) { v.Rows[hashing.Partition(slot)].Owner = cluster.NoNode })
		for _, d := range c.list {
			d.reroute(nil)
		}
		for _, cl := range []*client{owner, any} {
			cl.send(request("GET", key))
			cl.expect("-CLUSTERDOWN Hash slot not served\r\n")
		}
	})
}

// What a client finds is the same whether its keys are on one node or on several:
// random pipelines, answered by a node that is alone and by a cluster, in which
// partitions move meanwhile.
func TestSameAsAlone(t *testing.T) {
	for _, mode := range modes() {
		for _, moving := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, moving %v", mode, moving), func(t *testing.T) {
				c, alone := newNodes(t, mode, 3), newNodes(t, mode, 1)
				alone.list[0].x.Reroute(nil)
				var keys []string
				for client := range 4 {
					keys = append(keys, keysOf(client)...)
				}
				stop := make(chan struct{})
				var mover sync.WaitGroup
				if moving {
					mover.Go(func() { moveAround(c, keys, stop) })
				}
				var clients sync.WaitGroup
				for n := range 4 {
					clients.Go(func() { compare(t, c, alone.list[0], n) })
				}
				clients.Wait()
				close(stop)
				mover.Wait()
			})
		}
	}
}

// keysOf returns the keys that one client of the test uses: some have a common
// tag.
func keysOf(client int) (keys []string) {
	for i := range 12 {
		keys = append(keys, fmt.Sprintf("c%d:%d", client, i), fmt.Sprintf("{c%d}:%d", client, i))
	}
	return keys
}

// moveAround moves partitions until it is stopped.
func moveAround(c *nodes, keys []string, stop chan struct{}) {
	r := rand.New(rand.NewPCG(1, 2))
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Millisecond): // no faster than clients notice
		}
		var partitions []int
		for range 1 + r.IntN(5) {
			partitions = append(partitions, hashing.PartitionOf([]byte(keys[r.IntN(len(keys))])))
		}
		c.move(partitions, int16(r.IntN(len(c.list))), keys)
	}
}

// compare sends the same random pipelines to both and compares the replies.
func compare(t *testing.T, c *nodes, alone *node, n int) {
	r := rand.New(rand.NewPCG(uint64(n), 3))
	script := &randomScript{r: r, keys: keysOf(n), tag: fmt.Sprintf("{c%d}", n)}
	a, b := c.list[n%3].any.dial(), alone.any.dial()
	if n%2 == 1 {
		for _, cl := range []*client{a, b} {
			cl.send(request("HELLO", "3"))
			cl.reply()
		}
	}
	for range 60 {
		var pipeline []string
		for range 1 + r.IntN(40) {
			pipeline = append(pipeline, script.next()...)
		}
		all := ""
		for _, words := range pipeline {
			all += words
		}
		for _, cl := range []*client{a, b} {
			cl.SetDeadline(time.Now().Add(patience)) // of each round: a busy machine takes long for all
			cl.send(all)
		}
		for i := range pipeline {
			if got, want := a.reply(), b.reply(); got != want {
				t.Errorf("client %d, request %d of %q:\n got %q\nwant %q", n, i, pipeline, got, want)
				return
			}
		}
	}
}

// randomScript makes requests.
type randomScript struct {
	r    *rand.Rand
	keys []string
	tag  string
}

func (s *randomScript) key() string { return s.keys[s.r.IntN(len(s.keys))] }

// tagged returns a key of the common slot.
func (s *randomScript) tagged() string { return fmt.Sprint(s.tag, ":", s.r.IntN(12)) }

func (s *randomScript) several(words ...string) string {
	for range 1 + s.r.IntN(5) {
		words = append(words, s.key())
	}
	return request(words...)
}

func (s *randomScript) next() []string {
	value := fmt.Sprint(s.r.IntN(1000))
	switch s.r.IntN(20) {
	case 0, 1, 2:
		return []string{request("GET", s.key())}
	case 3, 4:
		return []string{request("SET", s.key(), value)}
	case 5, 6:
		return []string{request("INCR", s.key())}
	case 7:
		return []string{request("APPEND", s.key(), "1")}
	case 8, 9:
		return []string{s.several("MGET")}
	case 10:
		words := []string{"MSET"}
		for range 1 + s.r.IntN(4) {
			words = append(words, s.key(), value)
		}
		return []string{request(words...)}
	case 11:
		return []string{s.several([]string{"DEL", "UNLINK"}[s.r.IntN(2)])}
	case 12:
		return []string{s.several([]string{"EXISTS", "TOUCH"}[s.r.IntN(2)])}
	case 13:
		return []string{request("PING", value), request("ECHO", value)}
	case 14:
		return []string{request("SELECT", fmt.Sprint(s.r.IntN(2)))}
	case 15:
		return []string{request("SET", s.key(), strings.Repeat(value, s.r.IntN(30_000)))}
	case 16:
		return []string{request("MSET", s.key()), request("NOSUCH", s.key()), request("GET")}
	case 17:
		return []string{request("MULTI"), request("SET", s.tagged(), value), request("INCR", s.tagged()), request("GET", s.tagged()), request("EXEC")}
	case 18:
		return []string{request("MULTI"), request("SELECT", "1"), request("GET", s.tagged()), request("EXEC"), request("GET", s.key())}
	}
	return []string{request("RENAME", s.tagged(), s.tagged()), request("COPY", s.tagged(), s.tagged(), "REPLACE")}
}

// Counters lose no increment and count none twice while their partitions go from
// node to node, whichever node they are raised through.
func TestMovingCounters(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		const clients, rounds, depth = 12, 60, 16
		var keys []string
		for i := range 8 {
			keys = append(keys, fmt.Sprint("counter:", i))
		}
		stop := make(chan struct{})
		var mover, work sync.WaitGroup
		mover.Go(func() { moveAround(c, keys, stop) })
		for n := range clients {
			cl := c.list[n%len(c.list)].any.dial()
			work.Go(func() {
				last := map[string]int{}
				for i := range rounds {
					all := ""
					for j := range depth {
						all += request("INCR", keys[(i+j)%len(keys)])
					}
					cl.SetDeadline(time.Now().Add(patience))
					cl.send(all)
					for j := range depth {
						key := keys[(i+j)%len(keys)]
						reply := cl.reply()
						v, err := strconv.Atoi(strings.Trim(reply, ":\r\n"))
						if err != nil || v <= last[key] {
							t.Errorf("client %d: %q after %d", n, reply, last[key])
							return
						}
						last[key] = v
					}
				}
			})
		}
		work.Wait()
		close(stop)
		mover.Wait()
		total := 0
		cl := c.list[0].any.dial()
		for _, key := range keys {
			cl.send(request("GET", key))
			head := cl.reply()
			v, _ := strconv.Atoi(strings.Split(head, "\r\n")[1])
			total += v
		}
		if total != clients*rounds*depth {
			t.Errorf("counted %d, want %d", total, clients*rounds*depth)
		}
	})
}
