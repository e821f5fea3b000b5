package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// client has one operation under way.
type client struct {
	all    *Clients
	id     int
	stays  bool
	random *rand.Rand
	sets   int64
	left   string       // the address that it has left after a failure
	seen   map[int]seen // by place

	mu   sync.Mutex
	conn *nodes.Conn // GUARDED_BY(mu), as the next: whoever cuts may be another goroutine
	at   string
}

// seen is the value that a client has read last of a key.
type seen struct {
	key   string
	value int64
}

// attempt is what a client is about to do. When it fails the client does the same
// again, so that it is seen when the key is served again.
type attempt struct {
	place int
	read  bool
}

// moveEvery is how many operations a client sends through one node, on average.
const moveEvery = 50

// run works until the clients are stopped.
func (cl *client) run() {
	cs := cl.all
	var failed *attempt
	for {
		think := time.Duration(cl.random.Int64N(2*int64(cs.c.Think) + 1))
		select {
		case <-cs.stop:
			return
		case <-time.After(think):
		}
		if cl.random.IntN(moveEvery) == 0 {
			cl.cut("")
		}
		a := attempt{cl.random.IntN(cs.c.Keys), cl.random.IntN(10) < cs.c.Reads}
		if failed != nil {
			a, failed = *failed, nil
		}
		o := cl.next(a)
		cl.do(&o)
		if o.Outcome == OK && o.Kind == Get {
			cl.seen[a.place] = seen{o.Key, o.Found}
		}
		if o.Outcome != OK {
			failed = &a
			if !cl.stays {
				cl.left = o.Node // another one may know better
				cl.cut("")
			}
		}
		if o.write() && o.Outcome == Unknown {
			cs.keys.doubt(a.place, o.Key)
		}
		cs.c.Recorder.add(o)
	}
}

// valuesPerClient keeps the values of clients apart.
const valuesPerClient = 1_000_000_000

// next makes an operation for the key of a place.
func (cl *client) next(a attempt) Op {
	key, form := cl.all.keys.take(a.place)
	o := Op{Client: cl.id, Kind: Get, Key: key}
	switch {
	case a.read:
		return o
	case form == counter:
		o.Kind = Incr
		return o
	case form == cell:
		o.Kind = cl.change(&o, a.place)
	default:
		o.Kind = Set
	}
	if o.Kind == Set || o.Kind == Cas {
		cl.sets++
		o.Written = int64(cl.id+1)*valuesPerClient + cl.sets
	}
	return o
}

// maxMillis bounds the times to live.
const maxMillis = 2000

// change chooses what is done to a cell.
func (cl *client) change(o *Op, place int) Kind {
	switch n := cl.random.IntN(10); {
	case n < 3:
		if last := cl.seen[place]; last.key == o.Key {
			o.Wanted = last.value // 0 is nobody's
		}
		return Cas
	case n < 4:
		return Del
	case n < 6 && !cl.all.c.Lasting:
		o.Millis = 1 + cl.random.Int64N(maxMillis)
		return Expire
	}
	return Set
}

// words are the request of an operation.
func (o *Op) words() []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	switch o.Kind {
	case Set:
		return []string{"SET", o.Key, number(o.Written)}
	case Cas:
		return []string{"SET", o.Key, number(o.Written), "IFEQ", number(o.Wanted)}
	case Expire:
		return []string{"PEXPIRE", o.Key, number(o.Millis)}
	}
	return []string{string(o.Kind), o.Key}
}

// do sends an operation, once, and notes what became of it.
func (cl *client) do(o *Op) {
	r := cl.all.c.Recorder
	o.Start = r.Now()
	found, err := cl.call(o)
	o.End = r.Now()
	o.Outcome = outcomeOf(err)
	if err != nil {
		o.Error = err.Error()
		return
	}
	o.Found = found
}

func (cl *client) call(o *Op) (found int64, err error) {
	conn, err := cl.connect(o)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errNotSent, err)
	}
	reply, err := conn.Do(o.words()...)
	if err != nil {
		if !errors.Is(err, nodes.ErrReply) {
			cl.cut("")
		}
		return 0, err
	}
	switch {
	case reply.Kind == ':':
		return reply.Int, nil
	case o.Kind == Set || reply.Null:
		return 0, nil
	case o.Kind == Cas:
		return 1, nil
	}
	if found, err = strconv.ParseInt(reply.Text, 10, 64); err != nil {
		return -1, nil // nobody has written it, and the judge sees it
	}
	return found, nil
}

// connect returns the connection that the client has, or makes one.
func (cl *client) connect(o *Op) (*nodes.Conn, error) {
	deadline := time.Now().Add(cl.all.c.Timeout)
	cl.mu.Lock()
	conn := cl.conn
	o.Node = cl.at
	cl.mu.Unlock()
	if conn == nil {
		o.Node = cl.all.choose(cl)
		if o.Node == "" {
			return nil, errors.New("no node is there")
		}
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		defer cancel()
		var err error
		if conn, err = nodes.Dial(ctx, o.Node); err != nil {
			return nil, err
		}
		cl.mu.Lock()
		cl.conn, cl.at = conn, o.Node
		cl.mu.Unlock()
		if cl.all.avoids(cl, o.Node) { // since it was chosen
			cl.cut(o.Node)
		}
	}
	return conn, conn.Expire(deadline)
}

// cut closes the client's connection if it is to address; empty means any.
func (cl *client) cut(address string) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.conn != nil && (address == "" || cl.at == address) {
		_ = cl.conn.Close() // what waits on it fails
		cl.conn = nil
	}
}
