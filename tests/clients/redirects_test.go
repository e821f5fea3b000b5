package clients

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// maxRedirects is how many of them every client library follows at least.
const maxRedirects = 3

// TestRedirects asks any node for any key while partitions move, and follows what
// it is told: it gets there in a few steps.
func TestRedirects(t *testing.T) {
	c := cluster(t)
	at := seeds(c)
	var most [4]int
	underMoves(t, c, func(ctx context.Context, worker, round int) error {
		steps, err := follow(ctx, at[rand.IntN(len(at))], fmt.Sprint("key", rand.IntN(5000)))
		most[worker] = max(most[worker], len(steps)-1)
		return err
	})
	t.Logf("at most %d redirects", max(most[0], most[1], most[2], most[3]))
}

// follow writes a key, beginning at a node, and returns the nodes that it asked.
func follow(ctx context.Context, address, key string) (steps []string, err error) {
	begin := time.Now()
	for {
		steps = append(steps, address)
		c, err := nodes.Dial(ctx, address)
		if err != nil {
			return steps, fmt.Errorf("%s: %w", steps, err)
		}
		_, err = c.Do("SET", key, "x")
		_ = c.Close() // everything was read
		if err == nil {
			if len(steps) > 1+maxRedirects {
				return steps, fmt.Errorf("%s: %d redirects in %v: %s", key, len(steps)-1, time.Since(begin), steps)
			}
			return steps, nil
		}
		_, moved, ok := strings.Cut(err.Error(), "MOVED ")
		fields := strings.Fields(moved)
		if !ok || len(fields) != 2 || len(steps) > 1000 {
			return steps, fmt.Errorf("%s: %w after %d steps", key, err, len(steps))
		}
		if _, _, err := net.SplitHostPort(fields[1]); err != nil {
			return steps, err
		}
		address = fields[1]
	}
}
