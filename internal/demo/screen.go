package demo

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Screen is where the demonstration is watched: a terminal, on which the live
// line is written over, or a file, in which each is a line of its own. Its
// methods are safe for concurrent use.
type Screen struct {
	out      io.Writer
	terminal *os.File // nil when out is none

	mu   sync.Mutex // guards what is written, and live
	live string
}

// NewScreen returns the screen for a writer.
func NewScreen(w io.Writer) *Screen {
	s := &Screen{out: w}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.terminal = f
	}
	return s
}

// IsTerminal tells whether the live line is written over.
func (s *Screen) IsTerminal() bool { return s.terminal != nil }

// clearLine goes to the beginning of the line and clears it.
const clearLine = "\r\x1b[K"

// Live shows the newest state.
func (s *Screen) Live(f Frame) {
	width := 1000
	if s.terminal != nil {
		width = 79
		if w, _, err := term.GetSize(int(s.terminal.Fd())); err == nil && w > 1 {
			width = w - 1
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = f.Line(width)
	if s.terminal != nil {
		fmt.Fprint(s.out, clearLine+s.live)
	} else {
		fmt.Fprintln(s.out, s.live)
	}
}

// Say prints lines that stay, above the live one. Long ones are broken.
func (s *Screen) Say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := wrap(fmt.Sprintf(format, args...), columns) + "\n"
	if s.terminal != nil && s.live != "" {
		text = clearLine + text + s.live
	}
	fmt.Fprint(s.out, text)
}

// columns is what a line that stays has at most, as far as its words allow.
const columns = 80

// wrap breaks the lines of a text between words. What follows of a line is
// indented as its beginning is, and below the text that a star introduces.
func wrap(text string, width int) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if strings.HasPrefix(line, "* ") {
			indent = 2
		}
		for len(line) > width {
			at := strings.LastIndexByte(line[:width+1], ' ')
			if at <= indent { // a word that is too long stays whole
				if at = strings.IndexByte(line[width:], ' '); at < 0 {
					break
				}
				at += width
			}
			b.WriteString(strings.TrimRight(line[:at], " ") + "\n")
			line = strings.Repeat(" ", indent) + line[at+1:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// EndLive leaves the live line as it is; what follows comes below.
func (s *Screen) EndLive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal != nil && s.live != "" {
		fmt.Fprintln(s.out)
	}
	s.live = ""
}

// Bar returns a progress for the rows of a database, and what takes it off the
// screen. Without a terminal nothing is shown.
func (s *Screen) Bar(what string, total int) (Progress, func()) {
	if s.terminal == nil {
		return func(int, int) {}, func() {}
	}
	bar := progressbar.NewOptions(total,
		progressbar.OptionSetWriter(s.out), progressbar.OptionSetWidth(30), progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionShowCount())
	// A terminal that refuses is no reason to stop.
	return func(done, _ int) { _ = bar.Set(done) }, func() { _ = bar.Finish() }
}

// Frame is the state that one live line shows.
type Frame struct {
	Elapsed time.Duration // since the beginning
	Span    time.Duration // that Tally and Reading are of
	Tally   *Tally
	Reading Reading // in Span
	Total   Reading // since the beginning
	// Moves are what happens to the partitions; nil: nothing that is shown. Then
	// Failed is since it began.
	Moves  *Moves
	Failed uint64
}

// Moves are partitions on their way.
type Moves struct {
	What      string // in a few words
	Done, All int
}

// barWidth is the width of a bar, in characters.
const barWidth = 14

// String draws the moves.
func (m *Moves) String() string {
	full := 0
	if m.All > 0 {
		full = min(barWidth, barWidth*m.Done/m.All)
	}
	return fmt.Sprintf("%s [%s%s] %d/%d", m.What, strings.Repeat("=", full), strings.Repeat("-", barWidth-full), m.Done, m.All)
}

// Line returns the frame in at most width columns; what does not fit is left
// out, the least important first.
func (f Frame) Line(width int) string {
	seconds := max(f.Span.Seconds(), 1e-3)
	rate := func(n uint64) string { return Grouped(uint64(float64(n)/seconds + 0.5)) }
	parts := []string{
		fmt.Sprintf("%3.0f s %7s req/s", f.Elapsed.Seconds(), rate(f.Tally.Requests)),
	}
	if f.Moves != nil {
		parts = append(parts, "failed "+Grouped(f.Failed), f.Moves.String())
	}
	parts = append(parts,
		fmt.Sprintf("hit %5.1f %%", 100*f.Reading.HitRatio()),
		fmt.Sprintf("p50 %s p99 %s ms", millis(f.Tally.Quantile(0.5)), millis(f.Tally.Quantile(0.99))),
	)
	if f.Tally.Errors > 0 && f.Moves == nil {
		parts = append(parts, fmt.Sprintf("errors %s/s", rate(f.Tally.Errors)))
	}
	parts = append(parts,
		"collapsed "+Grouped(f.Total.Collapsed),
		fmt.Sprintf("saved %s queries", Grouped(f.Total.Saved())),
		fmt.Sprintf("database %s/s", rate(f.Reading.Queries)),
	)
	if f.Reading.Stale > 0 {
		parts = append(parts, fmt.Sprintf("stale %s/s", rate(f.Reading.Stale)))
	}
	line := parts[0]
	for _, p := range parts[1:] {
		if len(line)+2+len(p) <= width {
			line += "  " + p
		}
	}
	return line[:min(len(line), width)]
}

// millis writes a latency in milliseconds with two or three digits.
func millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	digits := 2
	if ms >= 10 {
		digits = 0
	}
	return strconv.FormatFloat(ms, 'f', digits, 64)
}

// Grouped writes a number with commas between thousands.
func Grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, digit := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}
