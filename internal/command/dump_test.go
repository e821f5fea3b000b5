package command

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// dumpSamples are values of all encodings.
func dumpSamples() [][]byte {
	random := make([]byte, 70000)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(source.Uint32())
	}
	samples := [][]byte{
		nil, []byte("0"), []byte("-1"), []byte("127"), []byte("128"), []byte("-129"), []byte("32768"),
		[]byte("2147483647"), []byte("-2147483648"), []byte("2147483648"), []byte("00"), []byte("-0"),
		[]byte("hello"), random[:63], random[:64], random[:16383], random[:16384], random,
		bytes.Repeat([]byte("a"), 20), bytes.Repeat([]byte("a"), 21), bytes.Repeat([]byte("ab"), 500),
		bytes.Repeat([]byte("x"), 100000), []byte(strings.Repeat("the quick brown fox ", 7)),
	}
	for n := 21; n < 60; n++ { // the ends of matches
		samples = append(samples, bytes.Repeat([]byte("abc"), 20)[:n])
	}
	for range 200 {
		b := make([]byte, source.IntN(300))
		for i := range b {
			b[i] = byte('a' + source.IntN(1+source.IntN(4)))
		}
		samples = append(samples, b)
	}
	return samples
}

func TestRDBChecksum(t *testing.T) {
	if got := rdbChecksum([]byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Errorf("checksum %x", got)
	}
}

func TestDumpRoundTrip(t *testing.T) {
	for _, v := range dumpSamples() {
		got, refusal := parseDump(appendDump(nil, v), 1<<20)
		if refusal != "" || !bytes.Equal(got, v) {
			t.Errorf("%d bytes %.20q come back as %d bytes %.20q, %s", len(v), v, len(got), got, refusal)
		}
	}
}

func TestDumpRefusals(t *testing.T) {
	sign := func(version uint16, body ...byte) []byte {
		b := binary.LittleEndian.AppendUint16(body, version)
		return binary.LittleEndian.AppendUint64(b, rdbChecksum(b))
	}
	tests := []struct {
		name    string
		payload []byte
		want    string
	}{
		{"empty", nil, errDumpSum},
		{"no body", sign(10), errDumpFormat},
		{"newer version", sign(13, 0, 1, 'a'), errDumpSum},
		{"version of Redis 8", sign(12, 0, 1, 'a'), ""},
		{"version of Valkey 9", sign(80, 0, 1, 'a'), ""},
		{"list", sign(10, 18, 1, 'a'), errDumpType},
		{"no type", sign(10, 99, 1, 'a'), errDumpFormat},
		{"short", sign(10, 0, 2, 'a'), errDumpFormat},
		{"rest", sign(10, 0, 1, 'a', 'b'), ""},
		{"beyond the limit", sign(10, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20), errDumpFormat},
		{"length of 64 bits", sign(10, 0, 0x81, 0xff, 0, 0, 0, 0, 0, 0, 0), errDumpFormat},
		{"unknown length", sign(10, 0, 0x82, 0), errDumpFormat},
		{"unknown encoding", sign(10, 0, 0xc4, 0), errDumpFormat},
		{"short number", sign(10, 0, 0xc2, 0), errDumpFormat},
		{"compressed to the end", sign(10, 0, 0xc3, 2, 1, 0, 'a'), ""},
		{"compressed, too short", sign(10, 0, 0xc3, 2, 2, 0, 'a'), errDumpFormat},
		{"compressed, looks before the beginning", sign(10, 0, 0xc3, 2, 3, 0x20, 0), errDumpFormat},
		{"compressed, claims much", sign(10, 0, 0xc3, 2, 0x80, 0x10, 0, 0, 0, 0, 'a'), errDumpFormat},
	}
	for _, tt := range tests {
		if _, got := parseDump(tt.payload, 16); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What one server dumps the other restores, and the payloads are the same.
func TestDumpOfRedis(t *testing.T) {
	p := startPeer(t)
	for _, v := range dumpSamples() {
		p.do("SET", "a", string(v))
		theirs := bulk(t, p.do("DUMP", "a"))
		got, refusal := parseDump([]byte(theirs), 1<<20)
		if refusal != "" || !bytes.Equal(got, v) {
			t.Errorf("redis's %.20q (%d) comes as %.20q, %s", v, len(v), got, refusal)
		}
		ours := appendDump(nil, v)
		if reply := p.do("RESTORE", "b", "0", string(ours), "REPLACE"); reply != "+OK\r\n" {
			t.Errorf("redis does not restore %.20q (%d): %s", v, len(v), reply)
			continue
		}
		if back := bulk(t, p.do("GET", "b")); back != string(v) {
			t.Errorf("redis restores %.20q as %.20q", v, back)
		}
		if string(ours) != theirs {
			t.Errorf("payloads of %.20q (%d) differ:\n ours %.60q\n redis %.60q", v, len(v), ours, theirs)
		}
	}
}

// bulk returns the text of a bulk reply.
func bulk(t testing.TB, raw string) string {
	t.Helper()
	head, rest, _ := strings.Cut(raw, "\r\n")
	n, err := strconv.Atoi(strings.TrimPrefix(head, "$"))
	if err != nil || n != len(rest)-2 {
		t.Fatalf("no bulk reply: %.40q", raw)
	}
	return rest[:n]
}

func FuzzParseDump(f *testing.F) {
	for _, v := range dumpSamples()[:30] {
		f.Add(appendDump(nil, v))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		parseDump(payload, 1<<20)
		// The checksum keeps mutations out, so they are also tried behind it.
		if len(payload) > rdbFooter {
			body := binary.LittleEndian.AppendUint16(payload[:len(payload)-rdbFooter:len(payload)-rdbFooter], rdbVersion)
			body = binary.LittleEndian.AppendUint64(body, rdbChecksum(body))
			if value, refusal := parseDump(body, 1<<20); refusal == "" && len(value) > 1<<20 {
				t.Fatal("a value beyond the limit")
			}
		}
		if value, refusal := parseDump(appendDump(nil, payload), 1<<30); refusal != "" || !bytes.Equal(value, payload) {
			t.Fatalf("%q does not come back: %q, %s", payload, value, refusal)
		}
	})
}
