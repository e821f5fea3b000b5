package trace

import "sync/atomic"

// progress counts runs and reports them. It is safe for concurrent use.
type progress struct {
	report   func(done, total int)
	perTrace int
	total    int
	done     atomic.Int64
}

func newProgress(o Options, traces int) *progress {
	perTrace := len(o.Percents) * (len(o.Policies) + 2) // LRU and the optimum
	return &progress{report: o.Progress, perTrace: perTrace, total: perTrace * traces}
}

// step notes one run.
func (p *progress) step() { p.add(1) }

// skip notes all runs of a trace that is left out.
func (p *progress) skip() { p.add(p.perTrace) }

func (p *progress) add(n int) {
	done := p.done.Add(int64(n))
	if p.report != nil {
		p.report(int(done), p.total)
	}
}
