package demo

import (
	"testing"
	"time"
)

func TestCounterKnowsPhasesAndCauses(t *testing.T) {
	c := NewCounter()
	begin := time.Now()
	c.count(false, begin, true, "")
	c.Enter(Hung)
	c.count(false, begin, false, ofDatabase+"characters: no answer")
	c.Enter(Dead)
	c.count(false, begin, false, "CLUSTERDOWN")
	c.count(true, begin, false, "connection: reset")
	c.count(true, begin, false, "")
	if step := c.Step(); step.Requests != 3 || step.Failed != 2 || step.Last.Before(begin) {
		t.Errorf("since the kill: %+v", step)
	}
	got := c.Take()
	sum := NewTally()
	sum.Add(got)
	if sum.Requests != 5 || sum.Errors != 3 || sum.Absent != 1 {
		t.Errorf("all together: %+v", sum)
	}
	hung, dead := sum.Of(Hung), sum.Of(Dead)
	if hung.Unloaded != 1 || hung.Failed != 0 || dead.Failed != 2 || dead.Unloaded != 0 || sum.Writes[Dead].Requests != 2 {
		t.Errorf("hung %+v, dead %+v", hung, dead)
	}
	if again := c.Take(); again.Requests != 0 {
		t.Errorf("taken twice: %+v", again)
	}
}
