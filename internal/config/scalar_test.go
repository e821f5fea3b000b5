package config

import (
	"math"
	"testing"
	"time"
)

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "17": 17, "1k": 1000, "1kb": 1024, "1KiB": 1024, "3m": 3e6, "3MB": 3 << 20, "2g": 2e9, "2gib": 2 << 30, "5b": 5,
		"9223372036854775807": math.MaxInt64,
	} {
		if got, ok := ParseBytes(text); !ok || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "kb", "1.5gb", "-1", "1 kb", "1tb", "1kkb", "9223372036854775808", "99999999999gb", "1bk", "0x10"} {
		if got, ok := ParseBytes(text); ok {
			t.Errorf("ParseBytes(%q) = %d", text, got)
		}
	}
	for _, n := range []uint64{0, 1, 1000, 1024, 1 << 20, 3 << 20, 1 << 30, 1<<30 + 1024, math.MaxInt64} {
		if got, ok := ParseBytes(FormatBytes(n)); !ok || got != n {
			t.Errorf("%d is written %s and read %d", n, FormatBytes(n), got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "30s": 30 * time.Second, "1m30s": 90 * time.Second, "7d": 7 * day, "1d12h": 36 * time.Hour, "500ms": time.Second / 2,
		"-5s": -5 * time.Second,
	} {
		if got, ok := ParseDuration(text); !ok || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "30", "d", "1.5d", "-1d", "1d-1h", "1d25h", "99999d", "1h1d", "never"} {
		if got, ok := ParseDuration(text); ok {
			t.Errorf("ParseDuration(%q) = %v", text, got)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0", time.Millisecond: "1ms", 5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Minute: "1h30m",
		7 * day: "7d", 36 * time.Hour: "1d12h", time.Hour + time.Second: "1h0m1s", 10 * time.Minute: "10m", 20 * time.Hour: "20h",
		-time.Second: "-1s",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%d) = %s, want %s", d, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"maxmemory", "policy", "databases", "idle_timeout"}
	for word, want := range map[string]string{
		"maxmemroy": "maxmemory", "Policy": "policy", "polcy": "policy", "idle-timeout": "idle_timeout",
		"x": "", "": "", "database": "databases", "maxclients": "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestRedactDSN(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://u:secret@host/db":                      "postgres://u:xxxxx@host/db",
		"postgres://u@host/db?password=secret&sslmode=off": "postgres://u@host/db?password=xxxxx&sslmode=off",
		"host=h password=secret user=u":                    "host=h password=xxxxx user=u",
		"host=h password = 'a \\' b' user=u":               "host=h password = xxxxx user=u",
		"postgres://u:se%zz@host/db":                       "postgres://xxxxx",
		"/var/lib/shop.db":                                 "/var/lib/shop.db",
		"file:/x?mode=ro":                                  "file:/x?mode=ro",
	} {
		if got := RedactDSN(dsn); got != want {
			t.Errorf("RedactDSN(%q) = %q, want %q", dsn, got, want)
		}
	}
}
