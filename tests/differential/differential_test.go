// Package differential runs the same random requests against larder and a real
// redis-server and expects the same bytes back, in both versions of RESP.
package differential

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var (
	seed  = flag.Uint64("seed", 0, "seed of the random requests; 0: a fixed set of seeds")
	steps = flag.Int("steps", 4000, "requests per seed")
)

func TestSameReplies(t *testing.T) {
	larder, redis := startLarder(t), startRedis(t)
	seeds := []uint64{1, 2, 3, 4, 5, 6, 7, 8}
	if *seed != 0 {
		seeds = []uint64{*seed}
	}
	for _, version := range []string{"2", "3"} {
		for _, seed := range seeds {
			t.Run(fmt.Sprintf("RESP%s/seed=%d", version, seed), func(t *testing.T) {
				compare(t, dial(t, larder), dial(t, redis), version, seed)
			})
		}
	}
}

// compare runs one sequence of requests and stops at the first difference.
func compare(t *testing.T, larder, redis *conn, version string, seed uint64) {
	both := func(args ...string) (ours, theirs []byte) {
		ours, err := larder.do(args...)
		if err != nil {
			t.Fatalf("larder: %q: %v", args, err)
		}
		if theirs, err = redis.do(args...); err != nil {
			t.Fatalf("redis: %q: %v", args, err)
		}
		return ours, theirs
	}
	both("HELLO", version)
	both("FLUSHALL")
	s := source{rand.New(rand.NewPCG(seed, seed))}
	for step := range *steps {
		args := s.request()
		if args[0] == "CLIENT" && args[1] == "REPLY" {
			continue
		}
		ours, theirs := both(args...)
		if !same(args, ours, theirs) {
			t.Fatalf("step %d: %.300q\nlarder: %.600q\nredis:  %.600q", step, args, ours, theirs)
		}
	}
}

// same reports whether two replies mean the same: the same bytes, but for what
// is in no order, names the server, or depends on what only one of them has.
func same(args []string, ours, theirs []byte) bool {
	if bytes.Equal(ours, theirs) {
		return true
	}
	switch strings.ToUpper(args[0]) {
	case "KEYS", "SCAN":
		return slices.Equal(sorted(ours), sorted(theirs))
	case "COMMAND", "OBJECT", "CLIENT":
		// Help texts and lists of all commands are our own.
		return len(ours) > 200 && len(theirs) > 200
	}
	return false
}

func sorted(reply []byte) []string {
	lines := strings.Split(string(reply), "\r\n")
	slices.Sort(lines)
	return lines
}
