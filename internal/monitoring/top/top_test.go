package top

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"github.com/larder-cache/larder/internal/monitoring/status"
)

var update = flag.Bool("update", false, "write the files in testdata")

func sample() *status.Status {
	s := &status.Status{
		Node:    status.Node{Addresses: []string{"127.0.0.1:6379"}, UptimeSeconds: 7384},
		Health:  status.Health{State: status.OK},
		Traffic: status.Traffic{RequestsPerSecond: 20113.4, HitsTotal: 900, MissesTotal: 100, ReadsPerSecond: 100, HitRatio: 0.9837, BytesInPerSecond: 812345, BytesOutPerSecond: 12345678, EvictedPerSecond: 3.2, ExpiredPerSecond: 120},
		Latency: status.Latency{P50Seconds: 9.7e-7, P90Seconds: 1.4e-6, P99Seconds: 7.2e-5, P999Seconds: 1.3e-3},
		Load:    status.Load{Sourced: true, QueriesTotal: 10366, QueriesPerSecond: 320, SavedTotal: 1845220, SavedPerSecond: 19800, SavedRatio: 0.984},
		Clients: status.Clients{Connected: 65, Blocked: 2, Max: 10000},
		Memory:  status.Memory{UsedBytes: 48 << 20, MaxBytes: 64 << 20, PeakBytes: 50 << 20, Entries: 123456},
		Namespaces: []status.Namespace{
			{Name: "default", ReadsPerSecond: 12, HitRatio: 1, HitsTotal: 50},
			{Name: "characters", Sourced: true, ReadsPerSecond: 19899, HitRatio: 0.9837, HitsTotal: 7000, LoadsPerSecond: 320, LoadP99Seconds: 0.025, CollapsedTotal: 1003, StaleTotal: 42, NegativeTotal: 17},
			{Name: "scripts", Sourced: true, HitsTotal: 5, MissesTotal: 5, HitRatioTotal: 0.5, FailedTotal: 1000, LoadP99Seconds: 0.5},
		},
		Commands: []status.Command{
			{Name: "get", CallsPerSecond: 19911, CallsTotal: 1855000, P50Seconds: 9.7e-7, P99Seconds: 7.2e-5},
			{Name: "config|get", CallsPerSecond: 0.2, CallsTotal: 12, P50Seconds: 1.2e-4, P99Seconds: 1.2e-4, FailedTotal: 1},
		},
		HotKeys: []status.HotKey{{Key: "char:U+1F600", RequestsPerSecond: 812, Share: 0.041}, {DB: 3, Key: strings.Repeat("long:", 20), RequestsPerSecond: 91.4, Share: 0.0046}},
		BigKeys: []status.BigKey{{Key: "report:2026-11", Bytes: 2 << 20}, {Key: "page:/", Bytes: 70_000}},
	}
	for i := range 120 {
		s.History.RequestsPerSecond = append(s.History.RequestsPerSecond, float64(15000+i*7919%9000))
		s.History.HitRatio = append(s.History.HitRatio, float64(i-5)/120)
	}
	return s
}

func TestRenderGolden(t *testing.T) {
	degraded := sample()
	degraded.Health = status.Health{State: status.Degraded, Reasons: []string{"source characters is failing: its circuit breaker is open"}}
	empty := &status.Status{Node: status.Node{Addresses: []string{"127.0.0.1:6379"}}, Health: status.Health{State: status.OK}}
	for name, f := range map[string]Frame{
		"80x24":      {Status: sample(), Width: 80, Height: 24},
		"120x40":     {Status: sample(), Width: 120, Height: 40},
		"60x18":      {Status: sample(), Width: 60, Height: 18},
		"once":       {Status: sample(), Width: 80, Height: 24, NoKeys: true},
		"by-name":    {Status: sample(), Width: 80, Height: 24, Sort: ByName, Paused: true},
		"degraded":   {Status: degraded, Width: 80, Height: 24},
		"away":       {Status: sample(), Width: 80, Height: 24, Address: "127.0.0.1:8080", Away: "connect: connection refused"},
		"empty":      {Status: empty, Width: 80, Height: 24},
		"connecting": {Width: 80, Height: 24, Address: "127.0.0.1:8080"},
		"help":       {Status: sample(), Width: 80, Height: 24, Help: true},
	} {
		t.Run(name, func(t *testing.T) {
			got := trimmed(Render(f))
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// trimmed cuts what nobody sees.
func trimmed(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

// TestRenderFits looks for a size, a state and names that make a frame larger
// than the screen.
func TestRenderFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sample()
		for range rapid.IntRange(0, 30).Draw(t, "namespaces") {
			s.Namespaces = append(s.Namespaces, status.Namespace{Name: rapid.String().Draw(t, "name"), ReadsPerSecond: 1e12, CollapsedTotal: 1 << 63})
			s.Commands = append(s.Commands, status.Command{Name: "x", CallsPerSecond: 1e15})
		}
		s.HotKeys = append(s.HotKeys, status.HotKey{Key: rapid.String().Draw(t, "key"), RequestsPerSecond: 1e300})
		s.Node.Addresses = append(s.Node.Addresses, rapid.String().Draw(t, "address"))
		f := Frame{
			Status: s, Width: rapid.IntRange(0, 200).Draw(t, "width"), Height: rapid.IntRange(0, 80).Draw(t, "height"),
			Away: rapid.String().Draw(t, "away"), Color: rapid.Bool().Draw(t, "color"), NoKeys: rapid.Bool().Draw(t, "once"),
		}
		lines := strings.Split(Render(f), "\n")
		if len(lines) > max(f.Height, 1) {
			t.Fatalf("%d lines on a screen of %d", len(lines), f.Height)
		}
		for _, line := range lines {
			if w := ansi.StringWidth(line); w > f.Width {
				t.Fatalf("a line of %d columns on a screen of %d: %q", w, f.Width, line)
			}
		}
	})
}

func TestModel(t *testing.T) {
	answer, fail := *sample(), error(nil)
	var m tea.Model = New("127.0.0.1:8080", func(context.Context) (status.Status, error) { return answer, fail })
	step := func(msg tea.Msg) tea.Cmd {
		var cmd tea.Cmd
		m, cmd = m.Update(msg)
		return cmd
	}
	shown := func() string { return ansi.Strip(m.View().Content) }
	key := func(r rune) tea.Cmd { return step(tea.KeyPressMsg{Code: r, Text: string(r)}) }

	step(tea.WindowSizeMsg{Width: 100, Height: 30})
	ask := m.Init()
	step(ask())
	if !strings.Contains(shown(), "20,113") || !m.View().AltScreen {
		t.Fatalf("after the first status:\n%s", shown())
	}
	fail = errors.New("refused")
	step(ask())
	if !strings.Contains(shown(), "trying again: refused") || !strings.Contains(shown(), "20,113") {
		t.Errorf("a node that is away:\n%s", shown())
	}
	fail = nil
	step(step(tick{})())
	if strings.Contains(shown(), "trying again") {
		t.Errorf("a node that has come back:\n%s", shown())
	}
	key('p')
	answer.Traffic.RequestsPerSecond = 5
	step(ask())
	if !strings.Contains(shown(), "paused") || !strings.Contains(shown(), "20,113") {
		t.Errorf("paused:\n%s", shown())
	}
	key('p')
	key('s')
	if !strings.Contains(shown(), "sort: latency") {
		t.Errorf("sorted:\n%s", shown())
	}
	key('?')
	if !strings.Contains(shown(), "Rates and percentiles") {
		t.Errorf("help:\n%s", shown())
	}
	if key('q') == nil {
		t.Error("q does not quit")
	}
}

func TestDivide(t *testing.T) {
	for _, c := range []struct {
		room  int
		wants []int
		want  []int
	}{
		{8, []int{3, 20, 2}, []int{3, 3, 2}},
		{8, []int{1, 20, 20}, []int{1, 4, 3}},
		{100, []int{3, 4, 5}, []int{3, 4, 5}},
		{0, []int{3, 4}, []int{0, 0}},
		{-2, []int{1}, []int{0}},
	} {
		if got := divide(c.room, c.wants...); !slices.Equal(got, c.want) {
			t.Errorf("%d rows for %v: got %v, want %v", c.room, c.wants, got, c.want)
		}
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{number(0), "0"}, {number(0.04), "0"}, {number(0.5), "0.5"}, {number(9.96), "10"}, {number(12345.6), "12,346"}, {number(1234567), "1.23 M"},
		{percent(0.9994), "99.9 %"}, {percent(0.9996), "100 %"},
		{size(1023), "1.0 KiB"}, {size(512), "512 B"}, {size(uint64(3) << 30), "3.0 GiB"},
		{duration(0), "–"}, {duration(9.7e-7), "1.0 µs"}, {duration(0.0123), "12 ms"}, {duration(2), "2.0 s"},
		{age(59), "59 s"}, {age(3600), "1 h 0 min"}, {age(90000), "1 d 1 h"},
		{spark([]float64{-1, 0, 5, 10}, 5, 0), "  ▁▅█"}, {spark([]float64{1, 2, 3}, 2, 3), "▆█"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
