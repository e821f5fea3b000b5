package config

import (
	"os"
	"path"
	"strconv"
	"strings"
)

// MachineMemory returns the bytes of memory this process may use: the
// machine's, or the limit of its control group (a container's) when that is
// lower. Zero: the system does not tell.
func MachineMemory() uint64 {
	total := physicalMemory()
	if limit := groupLimit("/"); limit != 0 && (total == 0 || limit < total) {
		return limit
	}
	return total
}

// groupLimit returns the lowest memory limit of the process's control group and
// the groups around it, of version 2 or 1; zero for none. root is the file
// system, "/" but in tests.
func groupLimit(root string) uint64 {
	list, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0
	}
	var lowest uint64
	for line := range strings.Lines(string(list)) {
		// hierarchy:controllers:path, with an empty second field in version 2.
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.max"
		if fields[1] != "" {
			if !strings.Contains(","+fields[1]+",", ",memory,") {
				continue
			}
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		// A container sees its own group as the root of the mount, while the path
		// may be the one outside: a directory that is not there is passed over.
		for dir := path.Join("/", fields[2]); ; dir = path.Dir(dir) {
			if limit := readLimit(path.Join(root, mount, dir, file)); limit != 0 && (lowest == 0 || limit < lowest) {
				lowest = limit
			}
			if dir == "/" {
				break
			}
		}
	}
	return lowest
}

// noGroupLimit is from where on a limit of version 1 means that there is none:
// the kernel writes the largest multiple of a page.
const noGroupLimit = 1 << 62

func readLimit(name string) uint64 {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= noGroupLimit { // "max" in version 2
		return 0
	}
	return n
}
