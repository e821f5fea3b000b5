package resp

import (
	"bytes"
	"testing"
)

// FuzzGlance: what Glance says of a request is what Next finds.
func FuzzGlance(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"))
	f.Add([]byte("*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$2\r\nab\r\n"))
	f.Add([]byte("*2\r\n$3\r\nGET\r\n$10\r\nk\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, n := Glance(data)
		args, used, err := NewParser(Limits{}).Next(data)
		if n == 0 || err != nil || len(args) == 0 {
			return
		}
		if n != used {
			t.Fatalf("Glance: %d bytes, Next: %d", n, used)
		}
		if len(args) > 1 && !bytes.Equal(key, args[1]) {
			t.Fatalf("Glance: key %q, Next: %q", key, args[1])
		}
	})
}
