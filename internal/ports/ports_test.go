package ports

import (
	"net"
	"testing"
)

func TestBlocksAreApart(t *testing.T) {
	seen := map[int]bool{}
	for range 20 {
		b, err := Claim()
		if err != nil {
			t.Fatal(err)
		}
		defer b.Release()
		if seen[b.Port(0)] {
			t.Fatalf("block %d was given twice", b.Port(0))
		}
		seen[b.Port(0)] = true
		for place := range Size {
			l, err := net.Listen("tcp", b.Address(place))
			if err != nil {
				t.Fatalf("a port of the block is taken: %v", err)
			}
			defer l.Close()
		}
	}
}

func TestATakenPort(t *testing.T) {
	b, err := Claim()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := At(b.Port(0)); err == nil {
		t.Error("a block is claimed twice")
	}
	b.Release()
	l, err := net.Listen("tcp", b.Address(Size-1))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := At(b.Port(0)); err == nil {
		t.Error("a block is claimed with a port that somebody listens on")
	}
}
