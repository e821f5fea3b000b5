package demo

import (
	"fmt"
	"strings"
	"time"
)

// Summary is what a show has shown.
type Summary struct {
	Elapsed time.Duration
	Tally   *Tally
	Reading Reading

	Stampedes    int
	Crowd        int // clients of all stampedes
	CrowdErrors  int
	CrowdQueries uint64

	Outages    int
	OutageTime time.Duration
	Outage     Reading // during outages

	Held     Held
	MaxBytes uint64 // of each node

	// What follows is of several nodes.
	Nodes  int // at the end
	Moved  int // partitions, whenever it was
	Deaths Deaths
	Ledger Result
}

// String tells it to a person, in lines of about 80 columns.
func (s *Summary) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	r, t := s.Reading, s.Tally
	fmt.Fprintf(&b, "What was shown, in %.0f s:\n", s.Elapsed.Seconds())
	line("requests", "%s, %s per second, p50 %s ms, p99 %s ms, %s", Grouped(t.Requests),
		Grouped(uint64(float64(t.Requests)/max(s.Elapsed.Seconds(), 1e-3))),
		millis(t.Quantile(0.5)), millis(t.Quantile(0.99)), count(t.Errors, "error", "errors"))
	if s.Nodes > 1 {
		s.failures(line)
	}
	if t.LastErr != "" {
		text, _, _ := strings.Cut(t.LastErr, " (") // without the advice
		line("", "the last error: %s", text)
	}
	line("hits", "%.1f %%; %s of them remembered absences, %s stale", 100*r.HitRatio(), Grouped(r.Negative), Grouped(r.Stale))
	if r.Reads > 0 {
		line("database", "%s queries instead of %s: %.1f %% saved", Grouped(r.Queries), Grouped(r.Reads),
			100*float64(r.Saved())/float64(r.Reads))
		line("", "without larder %s of query time, at %s ms each; with it %s",
			seconds(time.Duration(r.Reads)*r.MeanQuery()), millis(r.MeanQuery()), seconds(r.QueryTime))
	}
	if s.Stampedes > 0 {
		line("stampede", "%s clients missed one key at once: %s", Grouped(uint64(s.Crowd/s.Stampedes)),
			count(s.CrowdQueries, "query", "queries")+inTimes(s.Stampedes))
	}
	if s.Outages > 0 {
		answered := s.Outage.Reads - min(s.Outage.Failed, s.Outage.Reads)
		line("outage", "database hung %s: %.1f %% of %s reads answered all the same",
			seconds(s.OutageTime), 100*float64(answered)/float64(max(s.Outage.Reads, 1)), Grouped(s.Outage.Reads))
	}
	const mib = 1 << 20
	limit := fmt.Sprintf("limit for the process %d MiB", s.MaxBytes/mib)
	if s.Nodes > 1 {
		limit = fmt.Sprintf("%d nodes of %d MiB", s.Nodes, s.MaxBytes/mib)
		s.together(line)
	}
	line("memory", "%s entries, %d MiB (%s); %s evicted, %s expired",
		Grouped(s.Held.Entries), s.Held.Bytes/mib, limit, Grouped(s.Held.Evicted), Grouped(s.Held.Expired))
	return b.String()
}

// failures tells which requests failed when.
func (s *Summary) failures(line func(name, format string, args ...any)) {
	t := s.Tally
	failed := func(p Phase) string { return Grouped(t.Of(p).Failed) }
	longest := func(p Phase) string { return millis(t.Of(p).Longest) }
	line("failed", "%s while partitions moved, %s while a node was dead, %s otherwise", failed(Moving), failed(Dead),
		Grouped(t.Of(Calm).Failed+t.Of(Hung).Failed))
	line("no answer", "from the database: %s while it hung, %s otherwise", Grouped(t.Of(Hung).Unloaded),
		Grouped(t.Of(Calm).Unloaded+t.Of(Moving).Unloaded+t.Of(Dead).Unloaded))
	line("longest", "%s ms while partitions moved, %s ms while a node was dead,", longest(Moving), longest(Dead))
	line("", "%s ms while the database hung, %s ms otherwise", longest(Hung), longest(Calm))
}

// together tells what several nodes have done together.
func (s *Summary) together(line func(name, format string, args ...any)) {
	line("moved", "%s partitions of %d under load", Grouped(uint64(s.Moved)), partitions)
	if s.Deaths.Count > 0 {
		line("kill -9", "requests for its partitions failed for %s", seconds(s.Deaths.Refused))
	}
	line("writes", "%s acknowledged; lost %s by kill -9 (copies: %d), %s otherwise", Grouped(s.Ledger.Acknowledged),
		Grouped(s.Deaths.Lost), s.Deaths.Copies, Grouped(s.Ledger.Lost-min(s.Deaths.Lost, s.Ledger.Lost)))
	if s.Ledger.Lost > 0 && s.Held.Evicted > 0 {
		line("", "what was evicted since the memory was full is among the lost")
	}
}

func inTimes(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" in %d times", n)
}

func seconds(d time.Duration) string {
	if s := d.Seconds(); s < 100 {
		return fmt.Sprintf("%.1f s", s)
	}
	return fmt.Sprintf("%s s", Grouped(uint64(d.Seconds())))
}
