package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Crowd is what came of a [Stampede].
type Crowd struct {
	Clients int
	Errors  int
	Slowest time.Duration
}

// Stampede connects clients, to each of the addresses as many, lets all of them ask for key at the same moment,
// waits for the answers, and disconnects them. When there are not enough
// descriptors for all, it takes as many as it could connect.
func Stampede(ctx context.Context, addrs []string, key string, clients int) (Crowd, error) {
	var crowd []*Client
	defer func() {
		for _, c := range crowd {
			c.Close()
		}
	}()
	for i := range clients {
		c, err := Dial(ctx, addrs[i%len(addrs)], 512)
		if err != nil {
			if len(crowd) < 2 {
				return Crowd{}, fmt.Errorf("gather a crowd: %w", err)
			}
			break
		}
		crowd = append(crowd, c)
	}
	// All are served before the start, so that connecting is not measured.
	for _, c := range crowd {
		if _, err := c.Do("PING"); err != nil {
			return Crowd{}, fmt.Errorf("gather a crowd: %w", err)
		}
	}
	return release(ctx, crowd, key)
}

// release lets the crowd ask together.
func release(ctx context.Context, crowd []*Client, key string) (Crowd, error) {
	gate := make(chan struct{})
	var group sync.WaitGroup
	took := make([]time.Duration, len(crowd))
	failed := make([]error, len(crowd))
	var begin time.Time
	for i, c := range crowd {
		group.Go(func() {
			<-gate
			r, err := c.Get(key)
			took[i] = time.Since(begin)
			if err == nil && r.Err != "" {
				err = errors.New(r.Err)
			}
			failed[i] = err
		})
	}
	// The end of ctx closes the connections, which ends the waiting.
	cut := context.AfterFunc(ctx, func() {
		for _, c := range crowd {
			c.Close()
		}
	})
	defer cut()
	begin = time.Now()
	close(gate)
	group.Wait()
	result := Crowd{Clients: len(crowd)}
	for i := range crowd {
		result.Slowest = max(result.Slowest, took[i])
		if failed[i] != nil {
			result.Errors++
		}
	}
	return result, context.Cause(ctx)
}
