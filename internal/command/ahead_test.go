package command

import "testing"

// TestPlaceIsOfOneRequest: connections read into the same memory again and again,
// so that another key stands where one was looked up before.
func TestPlaceIsOfOneRequest(t *testing.T) {
	for _, member := range []bool{false, true} {
		r := newTester(t)
		if member {
			r.x.Reroute(routesTo(all))
		}
		r.do("MSET", "{k}:1", "one", "{k}:2", "two")
		key, get := []byte("{k}:1"), []byte("GET")
		r.x.Begin(r.s)
		r.x.Next(r.s, r.x.Soon(r.s, key))
		r.x.Execute(r.s, [][]byte{get, key})
		copy(key, "other")
		r.x.Execute(r.s, [][]byte{[]byte("SET"), key, []byte("three")})
		copy(key, "{k}:2")
		r.x.Execute(r.s, [][]byte{get, key})
		r.x.End(r.s)
		if got := string(r.s.Out.Buf); got != "$3\r\none\r\n+OK\r\n$3\r\ntwo\r\n" {
			t.Errorf("member %t: %q", member, got)
		}
		r.s.Out.Reset()
		if got := r.do("GET", "other"); got != "$5\r\nthree\r\n" {
			t.Errorf("member %t: other: %q", member, got)
		}
		if err := r.x.store.Check(); err != nil {
			t.Errorf("member %t: %v", member, err)
		}
	}
}
