package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/larder-cache/larder/internal/config"
)

// milliseconds is RFC 3339: what follows the death of a node takes less than seconds.
const milliseconds = "2006-01-02T15:04:05.000Z07:00"

// newLogger returns the log of a node. Lines for people have the time of day at
// a terminal, the full time elsewhere.
func newLogger(w io.Writer, c config.Log) *slog.Logger {
	if c.Format == config.LogJSON {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: c.Level}))
	}
	h := &lineHandler{w: w, mu: new(sync.Mutex), level: c.Level, clock: milliseconds}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		h.clock = time.TimeOnly
		h.color = os.Getenv("NO_COLOR") == ""
	}
	return slog.New(h)
}

// lineHandler writes a line per record: time, level unless it is info, message,
// attributes. It is safe for concurrent use.
type lineHandler struct {
	w     io.Writer
	mu    *sync.Mutex // serializes writes of all handlers derived from one
	level slog.Level
	clock string // layout of the time
	color bool
	attrs string // those of WithAttrs, as they are written
	group string // of WithGroup, with a point at the end
}

// Enabled implements [slog.Handler].
func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

// Handle implements [slog.Handler].
func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(h.paint(faint, r.Time.Format(h.clock)) + "  ")
	switch {
	case r.Level >= slog.LevelError:
		b.WriteString(h.paint(red, "error:") + " ")
	case r.Level >= slog.LevelWarn:
		b.WriteString(h.paint(yellow, "warning:") + " ")
	case r.Level < slog.LevelInfo:
		b.WriteString(h.paint(faint, "debug:") + " ")
	}
	b.WriteString(oneLine(r.Message))
	attrs := h.attrs
	r.Attrs(func(a slog.Attr) bool {
		attrs += attribute(h.group, a)
		return true
	})
	if attrs != "" {
		b.WriteString(" " + h.paint(faint, attrs))
	}
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, b.String())
	return err
}

// WithAttrs implements [slog.Handler].
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	for _, a := range attrs {
		next.attrs += attribute(h.group, a)
	}
	return &next
}

// WithGroup implements [slog.Handler].
func (h *lineHandler) WithGroup(name string) slog.Handler {
	next := *h
	if name != "" {
		next.group += name + "."
	}
	return &next
}

// The colors of a terminal.
const (
	faint  = "\x1b[2m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	normal = "\x1b[0m"
)

func (h *lineHandler) paint(color, text string) string {
	if !h.color {
		return text
	}
	return color + text + normal
}

// attribute writes « name=value», quoted when the value has spaces or more in
// it that could be misread.
func attribute(group string, a slog.Attr) string {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		var all string
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			all += attribute(group, inner)
		}
		return all
	}
	if a.Key == "" {
		return ""
	}
	text := v.String()
	switch x := v.Any().(type) {
	case []string:
		text = strings.Join(x, ",")
	case fmt.Stringer:
		text = x.String()
	case error:
		text = x.Error()
	}
	if text == "" || slices.ContainsFunc([]rune(text), func(r rune) bool { return r <= ' ' || r == '"' || !strconv.IsPrint(r) }) {
		text = strconv.Quote(text)
	}
	return " " + group + a.Key + "=" + text
}

// oneLine keeps a message from looking like several.
func oneLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
