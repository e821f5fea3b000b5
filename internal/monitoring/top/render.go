package top

import (
	"cmp"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/larder-cache/larder/internal/monitoring/status"
)

// Order is what lists are sorted by.
type Order int

// The orders, each with the key s from the one before.
const (
	ByRate Order = iota
	ByLatency
	ByTotal
	ByName
	orders
)

func (o Order) String() string { return [...]string{"rate", "latency", "total", "name"}[o] }

// Frame is everything that decides what is on the screen.
type Frame struct {
	// Status is the last one; nil before the first.
	Status *status.Status
	// Address is how the node is called while Status is nil or it is away.
	Address string
	// Away says why the node did not answer last time; empty when it did.
	Away          string
	Width, Height int
	Sort          Order
	Paused, Help  bool
	// Color sets text with escape sequences; Keys shows the last line, which
	// tells the keys.
	Color  bool
	NoKeys bool
}

// The least that something sensible fits on.
const minWidth, minHeight = 60, 18

// Render returns the frame as lines without the last line feed: at most Height
// of at most Width columns.
func Render(f Frame) string {
	if f.Width < minWidth || f.Height < minHeight {
		return ansi.Truncate("larder top needs 60 columns and 18 lines", max(f.Width, 0), "")
	}
	r := renderer{Frame: f, pen: pen(f.Color), room: f.Height}
	if !f.NoKeys {
		r.room-- // for the keys
	}
	r.header()
	switch {
	case f.Help:
		r.help()
	case f.Status != nil:
		r.body(f.Status)
	}
	if !f.NoKeys {
		r.keys()
	}
	return strings.TrimRight(strings.Join(r.lines, "\n"), "\n")
}

type renderer struct {
	Frame
	pen   pen
	lines []string
	room  int // lines left above the keys
}

func (r *renderer) line(s string) {
	if r.room > 0 {
		r.lines = append(r.lines, ansi.Truncate(s, r.Width, "…"))
		r.room--
	}
}

// both sets one text to the left edge and one to the right.
func (r *renderer) both(l, rgt string) string {
	gap := r.Width - ansi.StringWidth(l) - ansi.StringWidth(rgt)
	if gap < 1 {
		return ansi.Truncate(l, max(0, r.Width-ansi.StringWidth(rgt)-1), "…") + " " + rgt
	}
	return l + strings.Repeat(" ", gap) + rgt
}

func (r *renderer) header() {
	s := r.Status
	about := r.Address
	if s != nil {
		about = clean(strings.Join(s.Node.Addresses, " ")) + "  up " + age(s.Node.UptimeSeconds)
	}
	state, look, more := r.state()
	if r.Paused {
		state = "paused · " + state
	}
	r.line(r.both(r.pen.set(bold, "larder")+"  "+r.pen.set(label, about), r.pen.set(look, "● "+state)))
	r.line(r.pen.set(look, ansi.Truncate(more, r.Width, "…")))
}

// state is the health in a word, its style, and the reason.
func (r *renderer) state() (word string, look style, more string) {
	switch {
	case r.Away != "":
		return "away", bad, "No answer from " + r.Address + ", trying again: " + clean(r.Away)
	case r.Status == nil:
		return "connecting", label, ""
	case r.Status.Health.State == status.OK:
		return "healthy", good, ""
	}
	look = warn
	if r.Status.Health.State == status.Stopping {
		look = bad
	}
	return clean(r.Status.Health.State), look, clean(strings.Join(r.Status.Health.Reasons, "; "))
}

const labelWidth = 12

// figure is a line with a label, a value and what is drawn behind it.
func (r *renderer) figure(name, value, rest string) {
	r.line(r.pen.set(label, left(name, labelWidth)) + r.pen.set(bold, right(value, 9)) + "  " + rest)
}

func (r *renderer) body(s *status.Status) {
	width := min(r.Width-labelWidth-11, len(s.History.RequestsPerSecond))
	r.figure("requests/s", number(s.Traffic.RequestsPerSecond), r.pen.set(accent, spark(s.History.RequestsPerSecond, width, 0)))
	r.figure("hit ratio", hitRatio(s), r.pen.set(accent, spark(s.History.HitRatio, width, 1)))
	l := s.Latency
	r.figure("latency p50", duration(l.P50Seconds), r.pairs("p90", duration(l.P90Seconds), "p99", duration(l.P99Seconds), "p99.9", duration(l.P999Seconds)))
	r.memory(&s.Memory)
	t := &s.Traffic
	r.figure("clients", count(uint64(max(0, s.Clients.Connected))), r.pairs("waiting", number(float64(s.Clients.Blocked)),
		"in", size(t.BytesInPerSecond)+"/s", "out", size(t.BytesOutPerSecond)+"/s"))
	r.figure("evicted/s", number(t.EvictedPerSecond), r.pairs("expired/s", number(t.ExpiredPerSecond), "errors/s", number(t.ErrorsPerSecond)))
	if s.Load.Sourced {
		r.figure("queries/s", number(s.Load.QueriesPerSecond),
			r.pairs("made", count(s.Load.QueriesTotal), "saved", count(s.Load.SavedTotal), "saved now", percent(s.Load.SavedRatio)))
	}
	r.line("")
	r.tables(s)
}

func hitRatio(s *status.Status) string {
	switch t := &s.Traffic; {
	case t.HitsTotal+t.MissesTotal == 0:
		return "–"
	case t.ReadsPerSecond == 0:
		return percent(t.HitRatioTotal)
	default:
		return percent(t.HitRatio)
	}
}

func (r *renderer) memory(m *status.Memory) {
	entries := r.pairs("entries", count(m.Entries))
	if m.MaxBytes == 0 {
		r.figure("memory", size(m.UsedBytes), r.pairs("peak", size(m.PeakBytes))+"  "+entries)
		return
	}
	share := float64(m.UsedBytes) / float64(m.MaxBytes)
	full, rest := bar(share, min(max(r.Width-60, 10), 40))
	r.figure("memory", size(m.UsedBytes), r.pen.set(accent, full)+r.pen.set(label, rest)+"  "+
		r.pen.set(label, "of ")+size(m.MaxBytes)+"  "+entries)
}

// pairs sets labels and values alternately.
func (r *renderer) pairs(texts ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(texts); i += 2 {
		if i > 0 {
			b.WriteString("  ")
		}
		b.WriteString(r.pen.set(label, texts[i]) + " " + texts[i+1])
	}
	return b.String()
}

// tables divides what is left of the screen: namespaces above, keys side by
// side, commands below.
func (r *renderer) tables(s *status.Status) {
	namespaces, commands := sorted(s.Namespaces, r.Sort, namespaceOrder), sorted(s.Commands, r.Sort, commandOrder)
	const besides = 5 // three headings, two blank lines
	rows := divide(r.room-besides, len(namespaces), max(len(s.HotKeys), len(s.BigKeys), 1), max(len(commands), 1))
	r.table(namespaceTable(namespaces[:rows[0]]), r.Width)
	r.line("")
	half := (r.Width - 3) / 2
	hot, big := hotTable(s.HotKeys[:min(rows[1], len(s.HotKeys))]), bigTable(s.BigKeys[:min(rows[1], len(s.BigKeys))])
	for i := range rows[1] + 1 {
		r.line(hot.line(r.pen, i-1, half) + "   " + big.line(r.pen, i-1, r.Width-3-half))
	}
	r.line("")
	r.table(commandTable(commands[:min(rows[2], len(commands))]), r.Width)
}

// divide gives each list of a length a number of rows, evenly until it is
// satisfied; together at most room.
func divide(room int, wants ...int) []int {
	rows := make([]int, len(wants))
	for given := true; given; {
		given = false
		for i, want := range wants {
			if room > 0 && rows[i] < want {
				rows[i]++
				room--
				given = true
			}
		}
	}
	return rows
}

// sorted returns a sorted copy.
func sorted[T any](list []T, o Order, order func(a, b *T, o Order) int) []T {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b T) int { return order(&a, &b, o) })
	return list
}

func namespaceOrder(a, b *status.Namespace, o Order) int {
	byName := cmp.Compare(a.Name, b.Name)
	switch o {
	case ByLatency:
		return cmp.Or(cmp.Compare(b.LoadP99Seconds, a.LoadP99Seconds), byName)
	case ByTotal:
		return cmp.Or(cmp.Compare(b.HitsTotal+b.MissesTotal, a.HitsTotal+a.MissesTotal), byName)
	case ByName:
		return byName
	}
	return cmp.Or(cmp.Compare(b.ReadsPerSecond, a.ReadsPerSecond), byName)
}

func commandOrder(a, b *status.Command, o Order) int {
	byName := cmp.Compare(a.Name, b.Name)
	switch o {
	case ByLatency:
		return cmp.Or(cmp.Compare(b.P99Seconds, a.P99Seconds), byName)
	case ByTotal:
		return cmp.Or(cmp.Compare(b.CallsTotal, a.CallsTotal), byName)
	case ByName:
		return byName
	}
	return cmp.Or(cmp.Compare(b.CallsPerSecond, a.CallsPerSecond), byName)
}

func (r *renderer) keys() {
	for r.room > 0 {
		r.line("")
	}
	r.room = 1
	pause := "pause"
	if r.Paused {
		pause = "go on"
	}
	key := func(k, does string) string { return r.pen.set(invert, " "+k+" ") + " " + does + "   " }
	r.line(key("q", "quit") + key("p", pause) + key("s", "sort: "+r.Sort.String()) + key("?", "help"))
}

func (r *renderer) help() {
	for _, s := range []string{
		"Rates and percentiles are of the last five seconds; the columns behind",
		"requests/s and hit ratio are one second each.",
		"",
		"latency     time within the node; waiting for a source is LOAD p99",
		"queries     loads from sources; saved are reads that needed none",
		"collapsed   reads that shared a load already running",
		"absent      hits of a remembered «no such row»",
		"stale       values served past their time to live",
		"hot keys    from a sample of the requests of the last minute",
		"big keys    found by a walk through the memory that never ends",
		"",
		"p pauses the display; the node goes on.  s sorts namespaces and",
		"commands by rate, latency, total or name.  ? closes this page.",
	} {
		r.line(ansi.Truncate(s, r.Width, "…"))
	}
}
