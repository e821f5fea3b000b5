package hashing

import (
	"bytes"
	"fmt"
	"testing"
)

// slowChecksum is CRC16-XMODEM bit by bit.
func slowChecksum(b []byte) uint16 {
	sum := uint16(0)
	for _, c := range b {
		sum ^= uint16(c) << 8
		for range 8 {
			if sum&0x8000 != 0 {
				sum = sum<<1 ^ 0x1021
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

// slowSlot is the rule of the Redis Cluster specification, letter by letter.
func slowSlot(key []byte) uint16 {
	for s := range key {
		if key[s] != '{' {
			continue
		}
		for e := s + 1; e < len(key); e++ {
			if key[e] == '}' {
				if e == s+1 {
					return slowChecksum(key) & 16383
				}
				return slowChecksum(key[s+1:e]) & 16383
			}
		}
		break
	}
	return slowChecksum(key) & 16383
}

// TestKnownSlots has values of the specification and of a Redis server.
func TestKnownSlots(t *testing.T) {
	for _, c := range []struct {
		key  string
		slot uint16
	}{
		{"", 0},
		{"123456789", 0x31C3},
		{"foo", 12182},
		{"bar", 5061},
		{"hello", 866},
		{"somekey", 11058},
		{"foo{hash_tag}", 2515},
		{"bar{hash_tag}", 2515},
		{"hash_tag", 2515},
	} {
		if got := Slot([]byte(c.key)); got != c.slot {
			t.Errorf("slot of %q is %d, want %d", c.key, got, c.slot)
		}
	}
}

func TestTag(t *testing.T) {
	for _, c := range []struct{ key, tag string }{
		{"plain", "plain"},
		{"{user1000}.following", "user1000"},
		{"foo{}{bar}", "foo{}{bar}"},
		{"foo{{bar}}zap", "{bar"},
		{"foo{bar}{zap}", "bar"},
		{"foo{bar", "foo{bar"},
		{"}foo{bar}", "bar"},
		{"{}", "{}"},
		{"{", "{"},
	} {
		if got := Tag([]byte(c.key)); string(got) != c.tag {
			t.Errorf("tag of %q is %q, want %q", c.key, got, c.tag)
		}
		if Slot([]byte(c.key)) != slowSlot([]byte(c.key)) {
			t.Errorf("%q has another slot than the bitwise reference says", c.key)
		}
	}
}

// TestAllLengths compares with the reference at every length and alignment.
func TestAllLengths(t *testing.T) {
	text := []byte("some {bytes} \x00\xff with a brace { in many a place }{}{{x}} and more of them ...")
	for from := range text {
		for to := from; to <= len(text); to++ {
			if got, want := Slot(text[from:to]), slowSlot(text[from:to]); got != want {
				t.Fatalf("slot of %q is %d, want %d", text[from:to], got, want)
			}
		}
	}
}

func TestPartition(t *testing.T) {
	counts := make([]int, Partitions)
	for slot := range Slots {
		counts[Partition(uint16(slot))]++
	}
	for p, n := range counts {
		if n != SlotsPerPartition {
			t.Errorf("partition %d has %d slots", p, n)
		}
	}
	if got := PartitionOf([]byte("foo")); got != 12182/16 {
		t.Errorf("foo is in partition %d", got)
	}
}

func TestSlotDoesNotAllocate(t *testing.T) {
	key := []byte("user:{1000}:name")
	if n := testing.AllocsPerRun(100, func() { Slot(key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzSlot(f *testing.F) {
	f.Add([]byte("foo{bar}baz"))
	f.Add(bytes.Repeat([]byte("{"), 40))
	f.Fuzz(func(t *testing.T, key []byte) {
		if got, want := Slot(key), slowSlot(key); got != want {
			t.Errorf("slot of %q is %d, want %d", key, got, want)
		}
	})
}

var sink uint16

func BenchmarkSlot(b *testing.B) {
	for _, n := range []int{5, 8, 12, 16, 23, 32, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			key := bytes.Repeat([]byte("k"), n)
			for b.Loop() {
				sink += Slot(key)
			}
		})
	}
	b.Run("tagged", func(b *testing.B) {
		key := []byte("user:{10000}:cart")
		for b.Loop() {
			sink += Slot(key)
		}
	})
}
