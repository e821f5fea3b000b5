package nodes

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc/PID/stat on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// CPU returns the processor time that the node's process has used since its
// start, all threads, user and system, in steps of 10 ms. Linux only.
func (n *Node) CPU() (time.Duration, error) {
	b, err := n.proc("stat")
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold blanks; fields count from behind it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("stat of node %s has %d fields", n.Name, len(fields))
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64) // the kernel writes numbers
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, nil
}

// Anonymous returns the node's resident anonymous memory in bytes: what is its
// own, without the pages of the binary. Linux only.
func (n *Node) Anonymous() (int64, error) {
	b, err := n.proc("status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("status of node %s has no RssAnon", n.Name)
}

// proc reads a file of the process.
func (n *Node) proc(name string) ([]byte, error) {
	pid := n.Pid()
	if pid == 0 {
		return nil, fmt.Errorf("node %s does not run", n.Name)
	}
	return os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), name))
}
