package command

import "testing"

// A node that is alone has no copies: with min-replicas-to-write it takes no
// writes, as Redis, and says so; reads go on.
func TestLoneNodeWithMinReplicas(t *testing.T) {
	r := newTester(t)
	r.do("SET", "k", "v")
	r.do("CONFIG", "SET", "min-replicas-to-write", "1")
	for _, request := range [][]string{{"SET", "k", "w"}, {"DEL", "k"}, {"MSET", "a", "1", "k", "2"}, {"FLUSHALL"}, {"EXPIRE", "k", "1"}} {
		if got := flat(r.do(request...)); got != "-"+errNoReplicas {
			t.Errorf("%v: %s", request, got)
		}
	}
	if got := flat(r.do("MULTI")) + flat(r.do("INCR", "n")) + flat(r.do("EXEC")); got != "+OK+QUEUED-EXECABORT Transaction discarded because of: "+errNoReplicas {
		t.Error(got)
	}
	if got := flat(r.do("GET", "k")) + flat(r.do("CONFIG", "GET", "min-slaves-to-write")); got != "$1 v*2 $19 min-slaves-to-write $1 1" {
		t.Error(got)
	}
	if n := r.x.Snapshot().RefusedFew; n != 6 {
		t.Errorf("counted %d times", n)
	}
	r.do("CONFIG", "SET", "min-replicas-to-write", "0")
	if got := flat(r.do("SET", "k", "w")); got != "+OK" {
		t.Error(got)
	}
}
