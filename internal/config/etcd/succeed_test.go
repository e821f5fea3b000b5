package etcd

import (
	"context"
	"testing"
)

// TestSucceed has two members elect a leader in place of a dead one that they would
// wait longer for than the test does.
func TestSucceed(t *testing.T) {
	t.Parallel()
	m, cfg := trio(t, func(c *MemberConfig) { c.Election = 3 * patience })
	put(t, m[0].Store(""), "a", "1")
	follows := func(at *Member) string {
		for _, c := range cfg {
			if at.Follows(c.Name) {
				return c.Name
			}
		}
		return ""
	}
	eventually(t, "all follow n0", func() bool { return follows(m[1]) == "n0" && follows(m[2]) == "n0" })
	term := m[1].server.Server.Term()
	for range 3 {
		if err := m[1].Succeed(within(t), "n2"); err != nil {
			t.Fatalf("succeed one that does not lead: %v", err)
		}
	}

	kill(m[0])
	eventually(t, "another leader", func() bool {
		for _, left := range m[1:] {
			if err := left.Succeed(within(t), "n0"); err != nil {
				t.Fatalf("succeed: %v", err)
			}
		}
		leader := follows(m[1])
		return leader != "" && leader != "n0" && leader == follows(m[2])
	})
	eventually(t, "a write", func() bool {
		_, err := m[1].Store("").Put(context.Background(), "a", []byte("2"))
		return err == nil
	})
	if now := m[1].server.Server.Term(); now != term+1 {
		t.Errorf("it took %d elections", now-term)
	}
	if !has(m[2].Store(""), "a", "2") {
		t.Error("the write is not there")
	}
}
