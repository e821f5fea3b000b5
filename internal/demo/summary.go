package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/storage/memory"
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

	Memory   memory.Stats
	MaxBytes uint64
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
	line("memory", "%s entries in %d MiB (limit for the process: %d MiB); %s evicted, %s expired",
		Grouped(s.Memory.Entries), (s.Memory.Blocks+s.Memory.Index)/mib, s.MaxBytes/mib, Grouped(s.Memory.Evicted), Grouped(s.Memory.Expired))
	return b.String()
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
