package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/config"
)

func TestLogLines(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name string
		log  func(*slog.Logger)
		want string
	}{
		{"plain", func(l *slog.Logger) { l.Info("stopped") }, "stopped"},
		{"levels", func(l *slog.Logger) { l.Warn("hot"); l.Error("hotter"); l.Debug("unseen") }, "warning: hot\nerror: hotter"},
		{"attributes", func(l *slog.Logger) { l.Info("m", "n", 5, "text", "a b", "empty", "", "list", []string{"x", "y"}) },
			`m  n=5 text="a b" empty="" list=x,y`},
		{"time and error", func(l *slog.Logger) { l.Info("m", "for", 3*time.Second, "reason", errors.New("no luck")) }, `m  for=3s reason="no luck"`},
		{"groups", func(l *slog.Logger) {
			l.With("a", 1).WithGroup("g").With("b", 2).Info("m", "c", 3, slog.Group("h", "d", 4), slog.Group("", "e", 5))
		}, "m  a=1 g.b=2 g.c=3 g.h.d=4 g.e=5"},
		{"no second line", func(l *slog.Logger) { l.Info("a\nb", "k", "c\nd") }, `"a\nb"  k="c\nd"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			test.log(newLogger(&b, config.Default().Log))
			var got []string
			for line := range strings.Lines(b.String()) {
				clock, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
				if _, err := time.Parse(milliseconds, clock); err != nil {
					t.Errorf("the line begins with %q: %v", clock, err)
				}
				got = append(got, rest)
			}
			if text := strings.Join(got, "\n"); text != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
		})
	}
	h := &lineHandler{w: new(bytes.Buffer), clock: time.TimeOnly, color: true}
	if got := h.paint(red, at.Format(h.clock)); got != "\x1b[31m03:04:05\x1b[0m" {
		t.Errorf("painted %q", got)
	}
}
