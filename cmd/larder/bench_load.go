package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/larder-cache/larder/internal/loadgen"
)

// benchBar shows how far a load has come, on a terminal and nowhere else.
type benchBar struct {
	out   io.Writer // nil when there is no terminal
	phase loadgen.Phase
	bar   *progressbar.ProgressBar
	last  uint64
	at    time.Duration
}

func newBenchBar(w io.Writer) *benchBar {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &benchBar{out: w}
	}
	return &benchBar{}
}

// show is called by the load generator, from one goroutine at a time.
func (b *benchBar) show(p loadgen.Progress) {
	if b.out == nil {
		return
	}
	total, done := int64(p.Requests), int64(p.Done)
	if p.Requests == 0 {
		total, done = p.Duration.Milliseconds(), p.Elapsed.Milliseconds()
	}
	if b.bar == nil || b.phase != p.Phase {
		b.clear()
		b.phase, b.last, b.at = p.Phase, 0, 0
		b.bar = progressbar.NewOptions64(max(total, 1),
			progressbar.OptionSetWriter(b.out), progressbar.OptionSetWidth(30),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false))
	}
	if gap := p.Elapsed - b.at; gap > 0 {
		b.bar.Describe(fmt.Sprintf("%-8s %10s/s", p.Phase, grouped(float64(p.Done-min(b.last, p.Done))/gap.Seconds(), 0)))
	}
	b.last, b.at = p.Done, p.Elapsed
	_ = b.bar.Set64(min(done, max(total, 1))) // a terminal that refuses is no reason to stop
}

// clear takes the bar off the screen.
func (b *benchBar) clear() {
	if b.bar != nil {
		_ = b.bar.Clear() // as above
		b.bar = nil
	}
}

// writeBenchTable prints a result for a person, at most 80 columns wide.
func writeBenchTable(w io.Writer, r *loadgen.Result) error {
	var b strings.Builder
	describeLoad(&b, &r.Config)
	if p := r.Preload; p != nil {
		line(&b, "preload", "%s keys in %s s, %s/s", grouped(float64(p.Requests), 0), seconds(p.Seconds), grouped(p.PerSec, 0))
	}
	line(&b, "requests", "%s in %s s", grouped(float64(r.Requests), 0), seconds(r.Seconds))
	line(&b, "throughput", "%s/s", grouped(r.PerSec, 0))
	line(&b, "network", "%s/s read, %s/s written", bytesText(r.ReadPerSec), bytesText(r.WritePerSec))
	if r.Hits+r.Misses > 0 {
		line(&b, "hits", "%.2f %% (%s hits, %s misses)", 100*r.HitRatio, grouped(float64(r.Hits), 0), grouped(float64(r.Misses), 0))
	}
	line(&b, "client", "%s us of processor time per request", trimmed(r.ClientCPUPerCall))
	describeTrouble(&b, r)
	if len(r.Commands) > 0 {
		latencyTable(&b, r)
	}
	if r.Interrupted {
		b.WriteString("\nEnded early; the numbers are of what had run.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func line(b *strings.Builder, name, format string, args ...any) {
	fmt.Fprintf(b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
}

// describeLoad repeats what was asked for.
func describeLoad(b *strings.Builder, s *loadgen.Summary) {
	line(b, "server", "%s, %s", s.Address, s.Protocol)
	loop := "closed loop"
	if s.Rate > 0 {
		loop = fmt.Sprintf("open loop, %s/s, %s", grouped(s.Rate, 0), s.Arrivals)
	}
	line(b, "load", "%d connections x %d in flight, %s", s.Connections, s.Pipeline, loop)
	mix := fmt.Sprintf("GET:SET %d:%d", s.Gets, s.Sets)
	if len(s.Commands) > 0 {
		mix = fmt.Sprintf("%d commands", len(s.Commands))
	}
	keys := string(s.Distribution)
	if s.Distribution == loadgen.Zipf {
		keys = fmt.Sprintf("zipf %g", s.Exponent)
	}
	line(b, "mix", "%s, %s keys of %d B, %s", mix, grouped(float64(s.Keys), 0), s.KeyLength, keys)
	ttl := ""
	if s.TTL != "" {
		ttl = ", ttl " + s.TTL
	}
	line(b, "values", "%s B%s", s.Values, ttl)
	b.WriteByte('\n')
}

// describeTrouble says what did not go well, and nothing when all did.
func describeTrouble(b *strings.Builder, r *loadgen.Result) {
	for _, t := range []struct {
		n    uint64
		text string
	}{
		{r.Failed, "requests were answered with an error"},
		{r.Unsent, "requests found no free connection before the end"},
		{r.Lost, "requests were never answered"},
		{r.Dropped, "connections broke"},
	} {
		if t.n > 0 {
			line(b, "trouble", "%s %s", grouped(float64(t.n), 0), t.text)
		}
	}
	texts := make([]string, 0, len(r.Errors))
	for text := range r.Errors {
		texts = append(texts, text)
	}
	sort.Slice(texts, func(i, j int) bool {
		a, z := r.Errors[texts[i]], r.Errors[texts[j]]
		return a > z || a == z && texts[i] < texts[j]
	})
	for _, text := range texts[:min(len(texts), 5)] {
		line(b, "  "+grouped(float64(r.Errors[text]), 0), "%.60s", strconv.Quote(text))
	}
}

func latencyTable(b *strings.Builder, r *loadgen.Result) {
	fmt.Fprintf(b, "\n%-12s %9s %9s %9s %9s %9s %9s\n", "latency us", "p50", "p90", "p99", "p99.9", "p99.99", "max")
	row := func(name string, l loadgen.Latency) {
		fmt.Fprintf(b, "%-12.12s %9s %9s %9s %9s %9s %9s\n", name,
			trimmed(l.P50), trimmed(l.P90), trimmed(l.P99), trimmed(l.P999), trimmed(l.P9999), trimmed(l.Max))
	}
	if len(r.Commands) > 1 {
		for _, c := range r.Commands {
			row(c.Name, c.Latency)
		}
	}
	row("all", r.Latency)
}

// trimmed writes a number with about three digits.
func trimmed(f float64) string {
	switch {
	case f < 10:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 100:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return grouped(f, 0)
}

func seconds(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

// grouped writes a number with commas between thousands.
func grouped(f float64, digits int) string {
	text := strconv.FormatFloat(f, 'f', digits, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole
}

// bytesText writes a number of bytes with a unit.
func bytesText(f float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if f < 1024 {
			return fmt.Sprintf("%.1f %s", f, unit)
		}
		f /= 1024
	}
	return fmt.Sprintf("%.2f GiB", f)
}
