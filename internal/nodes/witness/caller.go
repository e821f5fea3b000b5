package witness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larder-cache/larder/internal/nodes"
)

// Caller sends batches for one client. It is used by one goroutine.
type Caller interface {
	// Call sends the requests in order and calls each with the reply to every one
	// of them, in order: the text or number, empty for none, or the error.
	// It returns where it sent them.
	Call(batch []Request, each func(i int, text string, err error)) (where string)
	Close() error
}

// Direct calls any node, another one at random for each batch, over connections
// that retry nothing. Addresses is asked before each batch, so that nodes may
// come and go; what it returns is not changed. Timeout bounds a batch.
type Direct struct {
	Addresses func() []string
	Timeout   time.Duration
	Random    *rand.Rand

	open map[string]*nodes.Conn
}

// errNobody is that there is no node to ask.
var errNobody = errors.New("no node is given")

// Call implements [Caller]. Without an answer a connection is closed, and all
// requests that wait on it have failed.
func (d *Direct) Call(batch []Request, each func(int, string, error)) (where string) {
	list := d.Addresses()
	if len(list) == 0 {
		failAll(batch, 0, errNobody, each)
		return ""
	}
	where = list[d.Random.IntN(len(list))]
	done, err := d.exchange(where, batch, each)
	if err != nil {
		if c := d.open[where]; c != nil {
			_ = c.Close() // broken
			delete(d.open, where)
		}
		failAll(batch, done, err, each)
	}
	return where
}

func failAll(batch []Request, from int, err error, each func(int, string, error)) {
	for i := from; i < len(batch); i++ {
		each(i, "", err)
	}
}

// exchange returns how many requests have got a reply.
func (d *Direct) exchange(where string, batch []Request, each func(int, string, error)) (done int, err error) {
	c := d.open[where]
	deadline := time.Now().Add(d.Timeout)
	if c == nil {
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		defer cancel()
		if c, err = nodes.Dial(ctx, where); err != nil {
			return 0, fmt.Errorf("connect: %w", err)
		}
		if d.open == nil {
			d.open = map[string]*nodes.Conn{}
		}
		d.open[where] = c
	}
	if err := c.Expire(deadline); err != nil {
		return 0, err
	}
	for i := range batch {
		c.Send(batch[i].Args...)
	}
	if err := c.Flush(); err != nil {
		return 0, fmt.Errorf("connection broke: %w", err)
	}
	for i := range batch {
		r, err := c.Receive()
		if err != nil {
			return i, fmt.Errorf("connection broke: %w", err)
		}
		text := r.Text
		if r.Kind == ':' {
			text = strconv.FormatInt(r.Int, 10)
		}
		each(i, text, r.Err())
	}
	return len(batch), nil
}

// Close closes all connections.
func (d *Direct) Close() error {
	var errs []error
	for _, c := range d.open {
		errs = append(errs, c.Close())
	}
	d.open = nil
	return errors.Join(errs...)
}

// Redirected calls through a client of the Redis Cluster protocol, which follows
// redirections by itself. Clients may share it.
type Redirected struct{ Client *redis.ClusterClient }

// Call implements [Caller]. The replies are told when all are there.
func (r Redirected) Call(batch []Request, each func(int, string, error)) (where string) {
	ctx := context.Background()
	pipe := r.Client.Pipeline()
	commands := make([]*redis.Cmd, len(batch))
	for i := range batch {
		args := make([]any, len(batch[i].Args))
		for j, a := range batch[i].Args {
			args[j] = a
		}
		commands[i] = pipe.Do(ctx, args...)
	}
	_, _ = pipe.Exec(ctx) // every command has its own error
	for i, c := range commands {
		value, err := c.Result()
		switch {
		case errors.Is(err, redis.Nil):
			each(i, "", nil)
		case err != nil:
			each(i, "", err)
		default:
			each(i, fmt.Sprint(value), nil)
		}
	}
	return "cluster client"
}

// Close does nothing: the client is its owner's.
func (r Redirected) Close() error { return nil }
