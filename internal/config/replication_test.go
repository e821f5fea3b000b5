package config

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/larder-cache/larder/internal/source"
)

// A key belongs to the namespace with the longest prefix, and to no other.
func TestUnheld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		acks := rapid.SampledFrom([]Ack{AckReplicas, AckNone, ""})
		c := Default()
		c.Replication.Ack = rapid.SampledFrom([]Ack{AckReplicas, AckNone}).Draw(t, "otherwise")
		byPrefix := rapid.MapOfN(rapid.StringMatching("[ab]{0,3}"), acks, 0, 6).Draw(t, "namespaces")
		c.Namespaces = map[string]Namespace{}
		for prefix, ack := range byPrefix {
			c.Namespaces["n"+prefix] = Namespace{NamespaceConfig: source.NamespaceConfig{Prefix: prefix}, Ack: ack}
		}
		unheld := c.Unheld()
		for _, key := range rapid.SliceOf(rapid.StringMatching("[abc]{0,5}")).Draw(t, "keys") {
			want := c.Replication.Ack
			for n := len(key); n >= 0; n-- {
				if ack, ok := byPrefix[key[:n]]; ok {
					if ack != "" {
						want = ack
					}
					break
				}
			}
			if got := unheld != nil && unheld([]byte(key)); got != (want == AckNone) {
				t.Fatalf("%q: unheld is %v, its ack %q", key, got, want)
			}
		}
	})
}
