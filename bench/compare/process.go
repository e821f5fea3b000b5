package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/loadgen"
)

// process is a running peer.
type process struct {
	peer
	launch
	cmd     *exec.Cmd
	log     bytes.Buffer // its output, read only after it has ended
	exited  chan struct{}
	ready   time.Duration // from exec to the first answer
	baseRSS int64         // right after the start
}

// startTimeout is how long a peer may take to answer.
const startTimeout = 15 * time.Second

// start runs p on free ports in a directory of its own, below dir, and returns
// when it has answered. maxMemory 0 is unlimited.
func start(ctx context.Context, p peer, dir string, maxMemory int64) (*process, error) {
	own, err := os.MkdirTemp(dir, p.name+"-")
	if err != nil {
		return nil, err
	}
	s := &process{peer: p, launch: launch{dir: own, maxMemory: maxMemory}, exited: make(chan struct{})}
	if s.port, err = freePort(); err == nil {
		s.httpPort, err = freePort()
	}
	if err != nil {
		return nil, err
	}
	s.cmd = exec.CommandContext(ctx, p.binary, p.args(s.launch)...)
	s.cmd.Dir = own
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() {
		_ = s.cmd.Wait() // killed by stop, as a rule
		close(s.exited)
	}()
	if err := s.awaitAnswer(begin); err != nil {
		s.stop()
		return nil, fmt.Errorf("%s does not start: %w\n%s", p.name, err, s.log.String())
	}
	s.baseRSS = s.memory("VmRSS")
	return s, nil
}

// awaitAnswer asks every 200 us until the server answers.
func (s *process) awaitAnswer(begin time.Time) error {
	question, answer := "PING\r\n", "+PONG"
	if s.speaksMemcached() {
		question, answer = "version\r\n", "VERSION"
	}
	for {
		reply, err := s.ask(question)
		if err == nil && strings.HasPrefix(reply, answer) {
			s.ready = time.Since(begin)
			return nil
		}
		select {
		case <-s.exited:
			return errors.New("it has ended")
		case <-time.After(200 * time.Microsecond):
		}
		if time.Since(begin) > startTimeout {
			return fmt.Errorf("no %s within %v: %q, %w", answer, startTimeout, reply, err)
		}
	}
}

// ask sends a line and returns what arrives first.
func (s *process) ask(question string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.address(), time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, question); err != nil {
		return "", err
	}
	buf := make([]byte, 16<<10)
	n, err := conn.Read(buf)
	return string(buf[:n]), err
}

// stop kills the server, waits for its end and removes its directory.
func (s *process) stop() {
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.exited
	_ = os.RemoveAll(s.dir) // below a directory that is removed at the end
}

// speaksMemcached reports whether the server is asked in memcached's words.
func (s *process) speaksMemcached() bool {
	return s.protocol == loadgen.Memcached || s.protocol == loadgen.MemcachedMeta
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// clockTick is the unit of times in /proc/PID/stat on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// cpu returns the processor time the server has used, all threads, user and system.
func (s *process) cpu() time.Duration {
	b, err := os.ReadFile(s.proc("stat"))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold blanks; fields count from behind it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64) // the kernel writes numbers
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick
}

// memory returns a figure of /proc/PID/status, such as VmRSS or RssAnon, in bytes.
func (s *process) memory(name string) int64 {
	b, err := os.ReadFile(s.proc("status"))
	if err != nil {
		return 0
	}
	return kilobytes(string(b), name)
}

// peakMemory returns the highest resident memory since resetPeak.
func (s *process) peakMemory() int64 { return s.memory("VmHWM") }

func (s *process) resetPeak() error {
	return os.WriteFile(s.proc("clear_refs"), []byte("5"), 0)
}

func (s *process) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), name)
}

// kilobytes finds "name:   123 kB" in text and returns bytes, 0 without it.
func kilobytes(text, name string) int64 {
	for _, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

// keys returns the number of keys the server says it has, -1 when it does not say.
func (s *process) keys() int64 {
	if s.speaksMemcached() {
		reply, err := s.ask("stats\r\n")
		if err != nil {
			return -1
		}
		return afterWord(reply, "STAT curr_items ")
	}
	reply, err := s.ask("DBSIZE\r\n")
	if err != nil {
		return -1
	}
	return afterWord(reply, ":")
}

// usedMemory returns used_memory of INFO, -1 when the server has none.
func (s *process) usedMemory() int64 {
	if s.speaksMemcached() {
		reply, err := s.ask("stats\r\n")
		if err != nil {
			return -1
		}
		return afterWord(reply, "STAT bytes ")
	}
	reply, err := s.ask("INFO memory\r\n")
	if err != nil {
		return -1
	}
	return afterWord(reply, "used_memory:")
}

// afterWord returns the number that follows word in text, -1 without it.
func afterWord(text, word string) int64 {
	_, rest, ok := strings.Cut(text, word)
	if !ok {
		return -1
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.ParseInt(rest[:end], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// longestGC returns the longest pause of the server's garbage collector as its
// /metrics tells, and whether it tells.
func (s *process) longestGC(ctx context.Context) (time.Duration, bool) {
	if !s.metrics {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", s.httpPort), nil)
	if err != nil {
		return 0, false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, false
	}
	_, rest, ok := strings.Cut(string(body), `go_gc_duration_seconds{quantile="1"} `)
	if !ok {
		return 0, false
	}
	value, _, _ := strings.Cut(rest, "\n")
	seconds, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return time.Duration(seconds * float64(time.Second)), err == nil
}
