package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/eviction"
)

// changed is a configuration in which everything is set that the names say.
func changed() (Config, []string) {
	c := Default()
	c.Memory.MaxBytes = 512 << 20
	c.Memory.Policy = eviction.AllKeysLFU
	c.Command.Password = `it's "secret": #1`
	c.Command.IdleTimeout = 90 * time.Second
	c.Command.LatencyPercentiles = []float64{50, 99.99}
	c.Command.Output[command.ClassPubSub] = command.OutputLimit{Hard: 16 << 20, Soft: 1 << 20, SoftFor: time.Minute}
	c.Command.SlowLogSlower = -1
	return c, []string{"maxmemory", "maxmemory-policy", "requirepass", "timeout", "hz",
		"latency-tracking-info-percentiles", "client-output-buffer-limit", "slowlog-log-slower-than"}
}

func TestAmend(t *testing.T) {
	tests := []struct{ name, before, after string }{
		{"empty file", "", `memory:
  policy: allkeys-lfu
  maxmemory: 512mb

auth:
  password: "it's \"secret\": #1"

limits:
  output:
    pubsub:
      soft: 1mb
      hard: 16mb
  idle_timeout: 1m30s

monitoring:
  latency_percentiles: [50, 99.99]

slowlog:
  slower_than: off
`},
		{"comments and order stay", `# mine
slowlog:
  length: 7   # seven

  # how slow
  slower_than: 5ms  # milliseconds
memory:
    # as much as there is
    maxmemory: 1gb # for now
    policy:  "lru"
limits:
  output:
    normal: {hard: 0, soft: 0}
    pubsub: {hard: 8mb, soft: "4mb", soft_for: 1m} # tuned
  idle_timeout: '10s'
auth: # who
  password: old
monitoring:
  latency_percentiles:
    - 50
    - 99
  latency_sample: 0.5
`, `# mine
slowlog:
  length: 7   # seven

  # how slow
  slower_than: off  # milliseconds
memory:
    # as much as there is
    maxmemory: 512mb # for now
    policy: allkeys-lfu
limits:
  output:
    normal: {hard: 0, soft: 0}
    pubsub: {hard: 16mb, soft: 1mb, soft_for: 1m} # tuned
  idle_timeout: 1m30s
auth: # who
  password: "it's \"secret\": #1"
monitoring:
  latency_percentiles: [50, 99.99]
  latency_sample: 0.5
`},
		{"empty and flow sections, no newline at the end", `memory:
limits: {clients: 5}
slowlog: {}
auth: {password: "a"}`, `memory:
  policy: allkeys-lfu
  maxmemory: 512mb
limits: {output: {pubsub: {soft: 1mb, hard: 16mb}}, idle_timeout: 1m30s, clients: 5}
slowlog: {slower_than: off}
auth: {password: "it's \"secret\": #1"}

monitoring:
  latency_percentiles: [50, 99.99]
`},
		{"one document in braces", `{memory: {maxmemory: 1gb, policy: lru}, auth: {password: x}, monitoring: {latency_percentiles: [1, 2]}}`,
			`{slowlog: {slower_than: off}, limits: {output: {pubsub: {soft: 1mb, hard: 16mb}}, idle_timeout: 1m30s}, memory: {maxmemory: 512mb, policy: allkeys-lfu}, auth: {password: "it's \"secret\": #1"}, monitoring: {latency_percentiles: [50, 99.99]}}`},
		{"windows", "memory:\r\n  maxmemory: 1gb\r\n  policy: lfu\r\nauth:\r\n  password: x\r\nlimits:\r\n  idle_timeout: 1s\r\n  output: {pubsub: {hard: 16mb, soft: 1mb}}\r\nmonitoring: {latency_percentiles: [50,99.99]}\r\nslowlog: {slower_than: off}\r\n",
			"memory:\r\n  maxmemory: 512mb\r\n  policy: lfu\r\nauth:\r\n  password: \"it's \\\"secret\\\": #1\"\r\nlimits:\r\n  idle_timeout: 1m30s\r\n  output: {pubsub: {hard: 16mb, soft: 1mb}}\r\nmonitoring: {latency_percentiles: [50,99.99]}\r\nslowlog: {slower_than: off}\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			now, names := changed()
			got, err := amend([]byte(test.before), now, names)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.after {
				t.Errorf("got\n%s\nwant\n%s", got, test.after)
			}
		})
	}
}

func TestAmendGivesUp(t *testing.T) {
	now, names := changed()
	if _, err := amend([]byte("memory: {maxmemory:\n  1gb}\n"), now, names); !errors.Is(err, ErrNotRewritten) {
		t.Errorf("a value on another line gave %v", err)
	}
	now.Command.Password = "\xff"
	if _, err := amend(nil, now, names); err == nil || !strings.Contains(err.Error(), "auth.password") {
		t.Errorf("a password that is not UTF-8 gave %v", err)
	}
	if _, err := amend([]byte("memry:\n"), now, names); err == nil || !strings.Contains(err.Error(), "has become invalid") {
		t.Errorf("an invalid file gave %v", err)
	}
}

func TestRewriteReplacesTheFile(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "larder.yaml")
	if err := os.WriteFile(file, []byte("memory:\n  maxmemory: 1gb\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	now, err := Load(link)
	if err != nil {
		t.Fatal(err)
	}
	now.Memory.MaxBytes = 2 << 30
	if err := Rewrite(now, []string{"maxmemory"}); err != nil {
		t.Fatal(err)
	}
	again, err := Load(link)
	if err != nil || again.Memory.MaxBytes != 2<<30 {
		t.Errorf("read back %d, %v", again.Memory.MaxBytes, err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is a %v, %v", info.Mode(), err)
	}
	if info, err = os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	now.File = filepath.Join(dir, "gone.yaml")
	if err := Rewrite(now, []string{"maxmemory"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that has gone gave %v", err)
	}
}
