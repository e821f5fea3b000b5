package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is where the numbers come from; without it they mean nothing.
type machine struct {
	CPU         string `json:"cpu"`
	Cores       int    `json:"cores"`
	Kernel      string `json:"kernel"`
	MemoryBytes int64  `json:"memory_bytes"`
	Go          string `json:"go"`
	Commit      string `json:"commit"`
	Dirty       bool   `json:"uncommitted_changes"`
	LoadBefore  string `json:"load_average_before"`
	LoadAfter   string `json:"load_average_after"`
}

func thisMachine(ctx context.Context) machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), LoadBefore: loadAverage()}
	for _, line := range strings.Split(readText("/proc/cpuinfo"), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	m.Kernel = strings.TrimSpace(readText("/proc/sys/kernel/osrelease"))
	m.MemoryBytes = kilobytes(readText("/proc/meminfo"), "MemTotal")
	m.Commit = output(ctx, "git", "rev-parse", "--short=12", "HEAD")
	m.Dirty = output(ctx, "git", "status", "--porcelain", "--untracked-files=no") != ""
	return m
}

// readText returns a file's contents, empty when it cannot be read: what is
// read so describes the machine and is not needed to measure it.
func readText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(b)
}

func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func loadAverage() string {
	f := strings.Fields(readText("/proc/loadavg"))
	if len(f) < 3 {
		return ""
	}
	return strings.Join(f[:3], " ")
}

// versionOf asks a binary for its version; the first line that has a digit.
func versionOf(ctx context.Context, p peer) string {
	flag := "--version"
	if ours(p.name) {
		flag = "version"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for _, line := range strings.Split(output(ctx, p.binary, flag), "\n") {
		if line = strings.TrimSpace(line); strings.ContainsAny(line, "0123456789") {
			return line[:min(len(line), 60)]
		}
	}
	return ""
}

// busyCores measures for a second how many cores others keep busy.
func busyCores(ctx context.Context) (float64, error) {
	used0, total0, err := cpuTimes()
	if err != nil {
		return 0, err
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(time.Second):
	}
	used1, total1, err := cpuTimes()
	if err != nil || total1 <= total0 {
		return 0, err
	}
	return float64(used1-used0) / float64(total1-total0) * float64(runtime.NumCPU()), nil
}

// cpuTimes returns the used and all time of all cores, in clock ticks.
func cpuTimes() (used, total int64, err error) {
	line, _, _ := strings.Cut(readText("/proc/stat"), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0, 0, errors.New("/proc/stat does not tell how busy the machine is; this comparison needs Linux")
	}
	for i, f := range fields[1:9] {
		n, _ := strconv.ParseInt(f, 10, 64) // the kernel writes numbers
		total += n
		if i != 3 && i != 4 { // idle, iowait
			used += n
		}
	}
	return used, total, nil
}
