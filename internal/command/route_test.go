package command

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

// routesTo returns routes of the first of two nodes, which owns the partitions
// that own tells.
func routesTo(own func(partition int) bool) *cluster.Routes {
	first, second := cluster.NodeID(strings.Repeat("0", 40)), cluster.NodeID(strings.Repeat("1", 40))
	v := cluster.NewView([]cluster.Node{{ID: first, RESPCluster: "a:1"}, {ID: second, RESPCluster: "b:2"}})
	for p := range v.Rows {
		if !own(p) {
			v.Rows[p].Owner = 1
		} else {
			v.Rows[p].Owner = 0
		}
		v.Rows[p].Epoch = 1
	}
	v.Version = 1
	return cluster.NewRoutes(v, first, func(int) bool { return true })
}

func all(int) bool { return true }

// Where a command says that the keys of a request are is where they are used.
func TestSlotsOfRequests(t *testing.T) {
	x := newTester(t).x
	words := [][]byte{}
	for _, w := range strings.Fields("NAME {a}1 2 {a}3 {b}4 5 {c}6 7") {
		words = append(words, []byte(w))
	}
	for _, cmd := range x.table.All() {
		for n := 1; n <= len(words); n++ {
			args := words[:n]
			if !cmd.takes(n) {
				continue
			}
			want := noSlot
			for _, use := range cmd.keyUses(args) {
				want = joinSlots(want, int(hashing.Slot(args[use.At])))
			}
			if got := cmd.slotOf(args); got != want {
				t.Errorf("%s with %d words: slot %d, want %d", cmd.full, n, got, want)
			}
		}
	}
}

// A command that can be split has the form that way goes through.
func TestSplitCommands(t *testing.T) {
	x := newTester(t).x
	for name := range splitForms {
		if cmd := x.table.FindFull(name); cmd == nil || cmd.keys.form != keysAt {
			t.Errorf("%s can not be split", name)
		}
	}
}

func TestRedirectErrors(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	c.s.Redirects = true
	slot := hashing.Slot([]byte("a"))
	w.x.Reroute(routesTo(func(p int) bool { return p != hashing.Partition(slot) }))
	c.expect(
		step{"GET a", "-MOVED 15495 b:2"},
		step{"SET b 1", "+OK"},
		step{"MGET a b", "-" + errCrossSlot},
		step{"RENAME b c", "-" + errCrossSlot},
		step{"OBJECT ENCODING a", "-MOVED 15495 b:2"},
		step{"PING", "+PONG"},
		step{"SORT a BY nosort STORE b", "-" + errCrossSlot},
	)
	info := c.do("INFO everything")
	if got := field(info, "errorstat_MOVED"); got != "count=2" {
		t.Errorf("errorstat_MOVED:%s", got)
	}
	w.x.Reroute(nil)
	c.expect(step{"GET a", "$-1"}, step{"MGET a b", "*2 $-1 $1 1"})
}

// A node that is cut off says so at once, whatever it is asked; clients that know
// the other nodes are sent there.
func TestCutOff(t *testing.T) {
	w := newWorld(t)
	slot := hashing.Slot([]byte("a"))
	r := routesTo(func(p int) bool { return p != hashing.Partition(slot) })
	for p := range r.View.Rows {
		r.View.Rows[p].InSync = []int16{1 - r.View.Rows[p].Owner}
	}
	r.CutOff([]cluster.NodeID{r.Node(1).ID})
	w.x.Reroute(r)
	c, redirected := w.connect("2"), w.connect("2")
	redirected.s.Redirects = true
	no := "-" + errCutOff
	for _, request := range []string{"GET a", "SET a 1", "SET b 1", "MGET a b", "DEL a b", "OBJECT ENCODING b", "DBSIZE", "FLUSHALL"} {
		c.expect(step{request, no})
	}
	c.expect(step{"PING", "+PONG"}, step{"MULTI", "+OK"}, step{"SET b 1", "+QUEUED"}, step{"EXEC", no})
	redirected.expect(step{"GET a", "-MOVED 15495 b:2"}, step{"SET b 1", no})
	if info := redirected.do("CLUSTER INFO"); !strings.Contains(info, "cluster_state:fail") || !strings.Contains(info, "cluster_slots_ok:0") {
		t.Errorf("CLUSTER INFO:\n%s", info)
	}
}

// In a cluster the commands that make up most traffic allocate nothing either.
func TestHotCommandsDoNotAllocateInCluster(t *testing.T) {
	for _, request := range []string{
		"GET key:1", "SET key:1 value", "INCR key:2", "MGET key:1 key:2 key:3 nosuch", "MSET key:1 a key:2 1 key:3 c",
		"EXISTS key:1 key:2 nosuch", "DEL nosuch1 nosuch2", "EXPIRE key:3 100", "GETBIT key:1 5",
	} {
		r := newTester(t)
		r.x.Reroute(routesTo(all))
		r.fill(10)
		var args [][]byte
		for _, w := range words(t, request) {
			args = append(args, []byte(w))
		}
		r.x.Begin(r.s)
		if n := testing.AllocsPerRun(200, func() {
			r.x.Execute(r.s, args)
			r.s.Out.Buf = r.s.Out.Buf[:0]
		}); n > 0 {
			t.Errorf("%s: %v allocations", request, n)
		}
		r.x.End(r.s)
	}
}

// A table is in force for all of a batch, and comes soon although nobody rests.
func TestRerouteAmongBusyClients(t *testing.T) {
	w := newWorld(t)
	other := (hashing.PartitionOf([]byte("k")) + 1) % cluster.Partitions
	tables := []*cluster.Routes{routesTo(all), routesTo(func(p int) bool { return p != other })}
	w.x.Reroute(tables[0])
	var stop atomic.Bool
	var batches atomic.Int64
	var work sync.WaitGroup
	for range 4 {
		c := w.connect("2")
		args := [][]byte{[]byte("INCR"), []byte("k")}
		work.Go(func() {
			for !stop.Load() {
				w.x.Begin(c.s)
				first := w.x.Routes()
				for range 64 {
					w.x.Execute(c.s, args)
				}
				if w.x.Routes() != first || c.s.routes != first {
					t.Error("the table was replaced in the middle of a batch")
				}
				w.x.End(c.s)
				c.s.Out.Reset()
				batches.Add(1)
			}
		})
	}
	var took []time.Duration
	for i := range 200 {
		for seen := batches.Load(); batches.Load() < seen+2; {
			runtime.Gosched()
		}
		begun := time.Now()
		w.x.Reroute(tables[i%2])
		took = append(took, time.Since(begun))
	}
	stop.Store(true)
	work.Wait()
	slices.Sort(took)
	t.Logf("median %v, longest %v", took[len(took)/2], took[len(took)-1])
}

// A table with the same ways does not wait for the batches at work; one with others
// does. Who waits for another table than the one it has seen misses none.
func TestRerouteWithTheSameWays(t *testing.T) {
	w := newWorld(t)
	first, same := routesTo(all), routesTo(all)
	w.x.Reroute(first)
	c := w.connect("2")
	w.x.Begin(c.s)
	next := w.x.routes.after(first)
	w.x.Reroute(same) // returns, though a batch is inside
	if w.x.Routes() != same || c.s.routes != first {
		t.Error("the table is not replaced, or that of a batch is")
	}
	<-next
	<-w.x.routes.after(first)
	moved := make(chan struct{})
	go func() {
		w.x.Reroute(routesTo(func(p int) bool { return p != 0 }))
		close(moved)
	}()
	for !w.x.isolation.raised.Load() { // it is about to wait
		runtime.Gosched()
	}
	if w.x.Routes() != same {
		t.Error("a table with other ways came in the middle of a batch")
	}
	w.x.End(c.s)
	<-moved
}

func BenchmarkRoute(b *testing.B) {
	for _, bm := range []struct {
		name   string
		routes *cluster.Routes
	}{{"alone", nil}, {"cluster", routesTo(all)}} {
		for _, request := range []string{"GET key:1", "SET key:1 value", "MGET key:1 key:2 key:3"} {
			b.Run(bm.name+"/"+strings.Fields(request)[0], func(b *testing.B) {
				w := newWorld(b)
				w.x.Reroute(bm.routes)
				c := w.connect("2")
				c.do("MSET key:1 value key:2 value key:3 value")
				var args [][]byte
				for _, word := range strings.Fields(request) {
					args = append(args, []byte(word))
				}
				b.ReportAllocs()
				for i := 0; i < b.N; i += 64 {
					w.x.Begin(c.s)
					for range 64 {
						w.x.Execute(c.s, args)
					}
					w.x.End(c.s)
					c.s.Out.Buf = c.s.Out.Buf[:0]
				}
			})
		}
	}
}
