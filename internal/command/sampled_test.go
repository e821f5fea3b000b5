package command

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSampledKeys(t *testing.T) {
	many := "MGET"
	for i := range 1000 {
		many += fmt.Sprint(" k", i)
	}
	for _, c := range []struct {
		name, request string
		want          []string // key, r or w
	}{
		{"a read", "GET a", []string{"a r"}},
		{"a write", "SET a 1", []string{"a w"}},
		{"several", "MSET a 1 b 2", []string{"a w", "b w"}},
		{"both", "COPY a b", []string{"a r", "b w"}},
		{"no key", "PING", nil},
		{"a channel", "PUBLISH a b", nil},
		{"too many", many, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTester(t)
			r.x.Change(func(o *Options) { o.LatencySample = 1 })
			for range 100 { // the sample begins within the first hundred
				r.do("PING")
			}
			var got []string
			total := 0.0
			r.x.hooks.Sampled = func(db int, key []byte, weight float64, write bool) {
				how := "r"
				if write {
					how = "w"
				}
				got = append(got, string(key)+" "+how)
				total += weight
			}
			r.do(strings.Fields(c.request)...)
			if c.name == "too many" {
				if len(got) > maxSampledKeys || total < 990 || total > 1010 {
					t.Errorf("told of %d keys that stand for %v of 1000", len(got), total)
				}
				return
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
