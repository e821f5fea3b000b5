// Package machine tells where measurements come from, and whether other work
// disturbs them. What it reads is Linux's; elsewhere most of it stays empty.
package machine

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

// Machine is where numbers come from; without it they mean nothing.
type Machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	Commit     string `json:"commit"`
	Dirty      bool   `json:"uncommitted_changes"`
	LoadBefore string `json:"load_average_before"`
	LoadAfter  string `json:"load_average_after"`
}

// QuietCores is how many cores others may keep busy while results are evidence.
const QuietCores = 0.15

// This describes the machine this runs on and the commit of the directory it
// runs in. LoadAfter is left for the end.
func This(ctx context.Context) Machine {
	m := Machine{
		Cores: runtime.NumCPU(), Go: runtime.Version(), LoadBefore: LoadAverage(),
		Kernel: strings.TrimSpace(readText("/proc/sys/kernel/osrelease")),
		Commit: output(ctx, "git", "rev-parse", "--short=12", "HEAD"),
		Dirty:  output(ctx, "git", "status", "--porcelain", "--untracked-files=no") != "",
	}
	for line := range strings.Lines(readText("/proc/cpuinfo")) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
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
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// LoadAverage returns the three figures of /proc/loadavg, empty without it.
func LoadAverage() string {
	f := strings.Fields(readText("/proc/loadavg"))
	return strings.Join(f[:min(3, len(f))], " ")
}

// BusyCores measures for a second how many cores others keep busy.
func BusyCores(ctx context.Context) (float64, error) {
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
		return 0, 0, errors.New("/proc/stat does not tell how busy the machine is; these measurements need Linux")
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
