package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/loadgen"
)

// peer is a server that takes part.
type peer struct {
	name     string
	binary   string
	version  string
	protocol loadgen.Protocol
	args     func(launch) []string
	metrics  bool // it answers /metrics on launch.httpPort
}

// launch is how one process of a peer is started.
type launch struct {
	port, httpPort int
	dir            string // its own, removed afterwards
	maxMemory      int64  // bytes; 0 is as much as the machine has
}

func (l launch) address() string { return "127.0.0.1:" + strconv.Itoa(l.port) }

// The command lines of all peers, in one place. Persistence is off; where a
// peer has a number of threads, it is the number of cores.

// larderWithLoops returns larder's command line with a number of event loops; 0
// leaves the number to larder.
func larderWithLoops(loops int) func(launch) []string {
	return func(l launch) []string {
		args := larderArgs(l)
		if loops > 0 {
			args = append(args, "--loops", strconv.Itoa(loops))
		}
		return args
	}
}

func larderArgs(l launch) []string {
	args := []string{"serve", "--resp-addr", l.address(), "--http-addr", "127.0.0.1:" + strconv.Itoa(l.httpPort)}
	if l.maxMemory > 0 {
		args = append(args, "--maxmemory", strconv.FormatInt(l.maxMemory, 10))
	}
	return args
}

func redisArgs(l launch) []string {
	args := []string{"--port", strconv.Itoa(l.port), "--bind", "127.0.0.1", "--dir", l.dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning"}
	if l.maxMemory > 0 {
		args = append(args, "--maxmemory", strconv.FormatInt(l.maxMemory, 10), "--maxmemory-policy", "allkeys-lru")
	}
	return args
}

func memcachedArgs(l launch) []string {
	megabytes := l.maxMemory >> 20
	if megabytes == 0 {
		megabytes = 64 << 10
	}
	return []string{"-l", "127.0.0.1", "-p", strconv.Itoa(l.port), "-U", "0", "-u", "root", "-c", "4096",
		"-t", strconv.Itoa(runtime.NumCPU()), "-m", strconv.FormatInt(megabytes, 10), "-I", "8m"}
}

func pogocacheArgs(l launch) []string {
	args := []string{"-h", "127.0.0.1", "-p", strconv.Itoa(l.port), "--threads", strconv.Itoa(runtime.NumCPU())}
	if l.maxMemory > 0 {
		args = append(args, "--maxmemory", strconv.FormatInt(l.maxMemory>>20, 10)+"mb")
	}
	return args
}

func dragonflyArgs(l launch) []string {
	args := []string{"--bind=127.0.0.1", "--port=" + strconv.Itoa(l.port), "--dir=" + l.dir, "--dbfilename=",
		"--proactor_threads=" + strconv.Itoa(runtime.NumCPU()), "--alsologtostderr=false"}
	if l.maxMemory > 0 {
		args = append(args, "--maxmemory="+strconv.FormatInt(l.maxMemory, 10), "--cache_mode=true")
	}
	return args
}

func garnetArgs(l launch) []string {
	args := []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(l.port)}
	if l.maxMemory > 0 {
		args = append(args, "--memory", strconv.FormatInt(l.maxMemory>>20, 10)+"m")
	}
	return args
}

// memcached is measured with its meta commands, of which it answers a pipeline
// in one piece; answers to its older text commands leave one by one, which
// costs it several times as much.

// candidates are the peers that are looked for: in the variable, then in PATH.
var candidates = []struct {
	peer
	variable string
	program  string // looked for in PATH; empty for those that must be named
}{
	{peer{name: "redis", args: redisArgs, protocol: loadgen.RESP2}, "REDIS", "redis-server"},
	{peer{name: "valkey", args: redisArgs, protocol: loadgen.RESP2}, "VALKEY", ""},
	{peer{name: "memcached", args: memcachedArgs, protocol: loadgen.MemcachedMeta}, "MEMCACHED", "memcached"},
	{peer{name: "pogocache", args: pogocacheArgs, protocol: loadgen.RESP2}, "POGOCACHE", ""},
	{peer{name: "dragonfly", args: dragonflyArgs, protocol: loadgen.RESP2}, "DRAGONFLY", ""},
	{peer{name: "garnet", args: garnetArgs, protocol: loadgen.RESP2}, "GARNET", ""},
}

// reference is the peer that ratios are given to.
const reference = "redis"

// larder is what is compared; oneLoop is the same with a single event loop,
// which takes part in the suite throughput only: it shows what more loops cost.
const (
	larder  = "larder"
	oneLoop = "larder-1-loop"
)

// ours reports whether a peer is larder in some form.
func ours(name string) bool { return name == larder || name == oneLoop }

// findPeers returns larder, built into dir from this tree unless LARDER names a
// binary, and the peers there are. only, when not empty, restricts the names.
func findPeers(ctx context.Context, dir string, only map[string]bool) ([]peer, error) {
	wanted := func(name string) bool { return len(only) == 0 || only[name] }
	var peers []peer
	if wanted(larder) {
		binary, err := larderBinary(ctx, dir)
		if err != nil {
			return nil, err
		}
		p := peer{name: larder, binary: binary, protocol: loadgen.RESP2, args: larderArgs, metrics: true}
		peers = append(peers, p)
		if runtime.NumCPU() > 1 {
			p.name, p.args = oneLoop, larderWithLoops(1)
			peers = append(peers, p)
		}
	}
	for _, c := range candidates {
		if !wanted(c.name) {
			continue
		}
		binary := os.Getenv(c.variable)
		if binary == "" && c.program != "" {
			binary, _ = exec.LookPath(c.program) // not installed: not compared
		}
		if binary == "" {
			continue
		}
		if _, err := os.Stat(binary); err != nil {
			return nil, fmt.Errorf("%s=%s: %w", c.variable, binary, err)
		}
		c.peer.binary = binary
		peers = append(peers, c.peer)
	}
	for i := range peers {
		peers[i].version = versionOf(ctx, peers[i])
	}
	return peers, nil
}

func larderBinary(ctx context.Context, dir string) (string, error) {
	if named := os.Getenv("LARDER"); named != "" {
		return named, nil
	}
	binary := filepath.Join(dir, "larder")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/larder")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build larder (run this from the root of the repository): %w\n%s", err, out)
	}
	return binary, nil
}

// versionOf asks a binary for its version; the first line that has a digit.
func versionOf(ctx context.Context, p peer) string {
	flag := "--version"
	if ours(p.name) {
		flag = "version"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, p.binary, flag).CombinedOutput()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); strings.ContainsAny(line, "0123456789") {
			return line[:min(len(line), 60)]
		}
	}
	return ""
}
