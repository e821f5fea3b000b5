package simulate

import (
	"container/heap"
	"time"
)

// clock is virtual time and what is to happen in it.
type clock struct {
	now    time.Duration
	queue  queue
	number uint64
}

type event struct {
	at     time.Duration
	number uint64 // breaks ties in the order of making
	do     func()
}

// after lets do happen later.
func (c *clock) after(d time.Duration, do func()) {
	c.number++
	heap.Push(&c.queue, event{c.now + d, c.number, do})
}

// step lets the next thing happen, if that is not after until.
func (c *clock) step(until time.Duration) bool {
	if len(c.queue) == 0 || c.queue[0].at > until {
		c.now = max(c.now, until)
		return false
	}
	e := heap.Pop(&c.queue).(event)
	c.now = e.at
	e.do()
	return true
}

// queue is a heap of events: heap.Interface.
type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].number < q[j].number
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return x
}
