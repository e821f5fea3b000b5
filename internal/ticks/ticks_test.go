package ticks

import (
	"testing"
	"time"
)

func TestUntil(t *testing.T) {
	for _, row := range []struct{ past, interval, want time.Duration }{
		{0, 100, 100},
		{1, 100, 99},
		{99, 100, 1},
		{100, 100, 100},
		{1234, 50, 16},
		{-1, 100, 1},
		{-100, 100, 100},
	} {
		if got := Until(began.Add(row.past), row.interval); got != row.want {
			t.Errorf("%d after the begin the next multiple of %d is in %d, want %d", row.past, row.interval, got, row.want)
		}
	}
}

// TestTogether has two loops count the moments that both have come at.
func TestTogether(t *testing.T) {
	const interval = 20 * time.Millisecond
	stop := make(chan struct{})
	at := [2]chan int64{make(chan int64, 64), make(chan int64, 64)}
	ended := make(chan struct{})
	for i := range at {
		go func() {
			for now := range Every(stop, interval<<i) {
				at[i] <- int64(now.Sub(began) / interval)
			}
			ended <- struct{}{}
		}()
	}
	last := int64(0)
	for range 3 {
		slow := <-at[1]
		if slow <= last {
			t.Fatalf("moment %d came after %d", slow, last)
		}
		for last < slow {
			moment := <-at[0]
			if moment <= last {
				t.Fatalf("moment %d came after %d", moment, last)
			}
			last = moment
		}
	}
	close(stop)
	<-ended
	<-ended
}

func TestEveryEnds(t *testing.T) {
	stop := make(chan struct{})
	rounds := 0
	for range Every(stop, time.Millisecond) {
		if rounds++; rounds == 3 {
			break
		}
	}
	close(stop)
	for range Every(stop, time.Hour) {
		t.Fatal("a moment came after the end")
	}
}
