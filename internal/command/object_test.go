package command

import (
	"strings"
	"testing"
)

// Redis's own tests of idle time, and what is different for larder's policies.
func TestIdleTime(t *testing.T) {
	const payload = `"\x00\xc0\n\n\x00n\x9fWE\x0e\xaec\xbb"`
	for _, policy := range []string{"adaptive", "noeviction", "allkeys-lru", "volatile-lru", "allkeys-random", "volatile-ttl"} {
		t.Run(policy, func(t *testing.T) {
			w := newWorld(t)
			c := w.connect("2")
			pass := func(seconds int64) { w.now.Add(seconds * 1000) }
			between := func(low, high int, what string) {
				t.Helper()
				var got int
				reply := c.do("OBJECT IDLETIME a")
				for _, digit := range strings.TrimPrefix(reply, ":") {
					got = 10*got + int(digit-'0')
				}
				if got < low || got > high {
					t.Errorf("%s: idle for %s, want %d to %d", what, reply, low, high)
				}
			}
			c.expect(step{"CONFIG SET maxmemory-policy " + policy, "+OK"}, step{"SET a 1 EX 100000", "+OK"})
			between(0, 0, "new")
			pass(2)
			between(1, 2, "after two seconds")
			c.expect(step{"TYPE a", "+string"}, step{"EXISTS a", ":1"}, step{"OBJECT ENCODING a", "$3 int"})
			c.do("TTL a")
			c.do("MEMORY USAGE a")
			pass(8)
			between(9, 10, "looked at only")
			c.expect(step{"CLIENT NO-TOUCH ON", "+OK"}, step{"GET a", "$1 1"})
			between(9, 10, "read without touching")
			c.expect(step{"TOUCH a", ":1"})
			between(0, 0, "touched")
			pass(5)
			c.expect(step{"CLIENT NO-TOUCH OFF", "+OK"}, step{"GET a", "$1 1"})
			between(0, 0, "read")
			pass(5)
			c.expect(step{"SET a 2 EX 100000", "+OK"})
			between(0, 0, "overwritten")
			pass(5)
			c.expect(step{"INCR a", ":3"})
			between(0, 0, "counted up")
			pass(5)
			c.expect(step{"EXPIRE a 10000", ":1"})
			between(0, 0, "given an expiry")
			c.expect(step{"RESTORE a 0 " + payload + " REPLACE IDLETIME 1000 FREQ 5", "-ERR syntax error"})
			c.expect(step{"RESTORE a 100000 " + payload + " REPLACE IDLETIME 1000", "+OK"})
			between(1000, 1001, "restored")
			pass(10)
			between(1009, 1011, "later")
			c.expect(step{"CONFIG SET maxmemory-policy allkeys-lru", "+OK"})
			between(1009, 1011, "under another policy")
			c.expect(step{"RESTORE a 0 " + payload + " REPLACE IDLETIME 9223372036854775807", "+OK"})
			between(100_000_000, 1_000_000_000, "as long as can be")
			if got := c.do("DEBUG OBJECT a"); !strings.HasPrefix(got, "-") && strings.Contains(got, "lru_seconds_idle:0") {
				t.Errorf("DEBUG OBJECT: %s", got)
			}
		})
	}
}

// What a policy does not keep is an error, not a zero.
func TestIdleTimeUnknown(t *testing.T) {
	c := newWorld(t).connect("2")
	const lfu = "-ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
	c.expect(step{"SET a 1", "+OK"}, step{"SET timed 1 EX 100", "+OK"})
	for _, row := range []struct{ policy, want, timed string }{
		{"allkeys-lfu", lfu, lfu},
		{"volatile-lfu", ":0", lfu},
		{"s3-fifo", "-ERR The eviction policy s3-fifo does not keep when a key was used, idle time not tracked.", ""},
		{"sieve", "-ERR The eviction policy sieve does not keep when a key was used, idle time not tracked.", ""},
		{"w-tinylfu", "-ERR The eviction policy w-tinylfu does not keep when a key was used, idle time not tracked.", ""},
	} {
		c.expect(step{"CONFIG SET maxmemory-policy " + row.policy, "+OK"}, step{"OBJECT IDLETIME a", row.want})
		if row.timed != "" {
			c.expect(step{"OBJECT IDLETIME timed", row.timed})
		}
	}
}

func TestRestoreFrequency(t *testing.T) {
	c := newWorld(t).connect("2")
	const restore = `RESTORE a %t "\x00\xc0\n\n\x00n\x9fWE\x0e\xaec\xbb" REPLACE FREQ 100`
	c.expect(step{"CONFIG SET maxmemory-policy allkeys-lfu", "+OK"},
		step{strings.Replace(restore, "%t", "0", 1), "+OK"}, step{"OBJECT FREQ a", ":100"},
		step{"CONFIG SET maxmemory-policy volatile-lfu", "+OK"},
		step{"OBJECT FREQ a", "-ERR The eviction policy volatile-lfu counts the use of keys with an expiry only."},
		step{strings.Replace(restore, "%t", "1000000", 1), "+OK"}, step{"OBJECT FREQ a", ":100"},
		step{"CONFIG SET maxmemory-policy adaptive", "+OK"},
		step{strings.Replace(restore, "%t", "0", 1), "+OK"}, step{"OBJECT IDLETIME a", ":0"})
}
