package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/ports"
)

// The scripts in testdata/cluster run clusters of real processes. Beside
// testscript's own commands they have
//
//	start NAME FLAGS...   starts a node, with ports and a data directory that stay
//	                      its own, and waits until it serves; the first one forms
//	                      a cluster without copies, others join it. [!] expects that it does not
//	                      start; its log is in the file NAME.log then. Its address
//	                      is NAME_ADDR, its peer address NAME_PEER. @FILE stands
//	                      for what is in a file
//	crash NAME            ends it at once
//	stop NAME             ends it with SIGTERM
//	await NAME WANT...    waits until its status is so: nodes=3 moving=0 service=ok
//	                      settings=1, or of a node: n2.partitions=0 n2.state=down
//
// LARDER_ADDR is the first node, HOST where nodes listen, OTHER_HOST another
// address of this machine, if it has one.
func TestClusterScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/cluster",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			nodes := &scriptCluster{nodes: map[string]*memberNode{}}
			env.Values[clusterKey{}] = nodes
			env.Defer(nodes.end)
			env.Setenv("HOST", "127.0.0.1")
			env.Setenv("OTHER_HOST", otherHost())
			env.Setenv("NO_COLOR", "1")
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "network" {
				return otherHost() != "", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": cmdStartMember, "crash": cmdCrashMember, "stop": cmdStopMember, "await": cmdAwaitStatus,
		},
	})
}

// otherHost returns an address of this machine that is not its loopback.
func otherHost() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

type clusterKey struct{}

// scriptCluster is the cluster of one script. It belongs to the script's
// goroutine.
type scriptCluster struct {
	nodes map[string]*memberNode
	first string // peer address of the node that has formed the cluster
}

// memberNode is a node of a cluster, which may be running.
type memberNode struct {
	name, host string
	ports      *ports.Block
	form       bool
	cmd        *exec.Cmd
	done       chan struct{} // closed when the process has ended

	mu  sync.Mutex
	log bytes.Buffer // GUARDED_BY(mu)
}

// Write implements [io.Writer].
func (n *memberNode) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.Write(p)
}

func (n *memberNode) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.String()
}

func (n *memberNode) at(place int) string {
	return net.JoinHostPort(n.host, strconv.Itoa(n.ports.Port(place)))
}

// Places of a node's listeners in its block of ports. A coordinator takes the two
// behind the one for other nodes.
const (
	placeRESP = iota
	placeRedirects
	placeHTTP
	placePeer
)

func (c *scriptCluster) end() {
	for _, n := range c.nodes {
		n.ports.Release()
		if n.cmd != nil {
			_ = n.cmd.Process.Kill() // it may have ended
			<-n.done
		}
	}
}

func cmdStartMember(ts *testscript.TestScript, neg bool, args []string) {
	c := ts.Value(clusterKey{}).(*scriptCluster)
	if len(args) == 0 {
		ts.Fatalf("usage: [!] start NAME FLAGS...")
	}
	n := c.nodes[args[0]]
	if n == nil {
		b, err := ports.Claim()
		ts.Check(err)
		n = &memberNode{name: args[0], host: ts.Getenv("HOST"), ports: b, form: c.first == ""}
		c.nodes[n.name] = n
		if n.form {
			c.first = n.at(placePeer)
			ts.Setenv("LARDER_ADDR", n.at(placeRESP))
		}
		ts.Setenv(n.name+"_ADDR", n.at(placeRESP))
		ts.Setenv(n.name+"_PEER", n.at(placePeer))
	}
	if n.cmd != nil {
		ts.Fatalf("node %s runs already", n.name)
	}
	how := []string{"--join", c.first}
	if n.form {
		settings := filepath.Join(ts.MkAbs("."), "settings.yaml")
		ts.Check(os.WriteFile(settings, []byte("cluster:\n  replicas: 0\n"), 0o600))
		how = []string{"--cluster", "--config", settings}
	}
	flags := args[1:]
	for i, flag := range flags {
		if file, ok := strings.CutPrefix(flag, "@"); ok {
			flags[i] = strings.TrimSpace(ts.ReadFile(file))
		}
	}
	program, err := exec.LookPath("larder")
	ts.Check(err)
	n.cmd = exec.Command(program, append(append([]string{"serve", "--name", n.name, "--data-dir", ts.MkAbs(n.name), "--maxmemory", "64mb",
		"--resp-addr", n.at(placeRESP), "--resp-cluster-addr", n.at(placeRedirects), "--http-addr", n.at(placeHTTP), "--peer-addr", n.at(placePeer)},
		how...), flags...)...)
	n.cmd.Dir, n.cmd.Stderr = ts.MkAbs("."), n
	n.cmd.Env = append(os.Environ(), "LARDER_CONFIG=", "GORACE="+ts.Getenv("GORACE"), "GOMAXPROCS=1")
	ts.Check(n.cmd.Start())
	n.done = make(chan struct{})
	go func() { // ends with the process
		_ = n.cmd.Wait() // the log says more
		close(n.done)
	}()
	serves := n.serves()
	if !serves {
		n.cmd = nil
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs("."), n.name+".log"), []byte(n.text()), 0o600))
	}
	if serves == neg {
		ts.Fatalf("node %s: serves %v\n%s", n.name, serves, n.text())
	}
}

// serves waits until the node does, or has ended.
func (n *memberNode) serves() bool {
	for {
		conn, err := net.DialTimeout("tcp", n.at(placeRESP), time.Second)
		if err == nil {
			conn.Close()
			return true
		}
		select {
		case <-n.done:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// running returns the node that a script names.
func running(ts *testscript.TestScript, neg bool, args []string) *memberNode {
	c := ts.Value(clusterKey{}).(*scriptCluster)
	if neg || len(args) != 1 || c.nodes[args[0]] == nil || c.nodes[args[0]].cmd == nil {
		ts.Fatalf("usage: crash or stop NAME, of a node that runs")
	}
	return c.nodes[args[0]]
}

func cmdCrashMember(ts *testscript.TestScript, neg bool, args []string) {
	n := running(ts, neg, args)
	ts.Check(n.cmd.Process.Kill())
	<-n.done
	n.cmd = nil
}

func cmdStopMember(ts *testscript.TestScript, neg bool, args []string) {
	n := running(ts, neg, args)
	ts.Check(n.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-n.done:
	case <-time.After(patience):
		ts.Fatalf("node %s does not end:\n%s", n.name, n.text())
	}
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs("."), n.name+".log"), []byte(n.text()), 0o600))
	if code := n.cmd.ProcessState.ExitCode(); code != exitDone {
		ts.Fatalf("node %s ended with %d:\n%s", n.name, code, n.text())
	}
	n.cmd = nil
}

func cmdAwaitStatus(ts *testscript.TestScript, neg bool, args []string) {
	c := ts.Value(clusterKey{}).(*scriptCluster)
	if neg || len(args) < 2 || c.nodes[args[0]] == nil {
		ts.Fatalf("usage: await NAME WANT...")
	}
	n := c.nodes[args[0]]
	f := clientFlags{addr: n.at(placeRESP), password: ts.Getenv("LARDER_PASSWORD"), timeout: patience}
	deadline := time.Now().Add(patience)
	for {
		var s command.ClusterStatus
		o, err := f.operate(context.Background())
		if err == nil {
			s, err = o.status(context.Background())
			o.Close()
		}
		for _, want := range args[1:] {
			if err == nil {
				err = isSo(&s, want)
			}
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("in vain: %v\n%s\n%s", err, statusText(&s, time.Now()), n.text())
		}
		select {
		case <-n.done:
			ts.Fatalf("node %s has ended:\n%s", n.name, n.text())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// isSo compares a part of a status, «nodes=3», with what it is to be.
func isSo(s *command.ClusterStatus, text string) error {
	what, want, _ := strings.Cut(text, "=")
	name, field, ofNode := strings.Cut(what, ".")
	var got string
	if ofNode {
		n := nodeIn(s, name)
		if n == nil {
			return fmt.Errorf("there is no node %s", name)
		}
		got = map[string]string{
			"partitions": strconv.Itoa(n.Partitions), "state": stateOf(n), "role": roleOf(n), "settings": revisionOf(n),
		}[field]
	} else {
		got = map[string]string{
			"nodes": strconv.Itoa(len(s.Nodes)), "moving": strconv.Itoa(len(s.Moves) + max(0, s.All-s.Done)), "service": s.Service,
			"unserved": strconv.Itoa(s.Unserved + s.Unowned), "pinned": strconv.Itoa(s.Pinned), "away": strconv.FormatBool(s.Away),
			"settings": strconv.FormatInt(s.Settings, 10), "paused": strconv.FormatBool(s.Paused),
		}[what]
	}
	if got != want {
		return fmt.Errorf("%s is %q, not %q", what, got, want)
	}
	return nil
}

func TestStatusFits(t *testing.T) {
	var s command.ClusterStatus
	for i := range 3 {
		n := command.ClusterNode{Alive: true, Controller: i == 0, Partitions: 341, Leaving: 16, Coming: 16, Answers: true,
			MemoryUsed: 999 << 30, MemoryMax: 1000 << 30, Settings: 12345, Since: time.Now().Add(-1000 * time.Hour)}
		n.ID, n.Name, n.Zone, n.Weight, n.Coordinator = "0123456789abcdef", strings.Repeat("node", 8), strings.Repeat("zone", 5), 12345, true
		n.State = "draining"
		s.Nodes = append(s.Nodes, n)
	}
	for p := range 40 {
		s.Moves = append(s.Moves, command.ClusterMove{Partition: p, From: s.Nodes[0].ID, To: s.Nodes[1].ID, Bytes: 1 << 39, Total: 1 << 40})
	}
	s.All, s.Done, s.Paused, s.PausedBy, s.Service, s.Unserved, s.Pinned = 1024, 512, true, "somebody@10.11.12.13", "no quorum", 341, 7
	for line := range strings.Lines(statusText(&s, time.Now())) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	if err := errors.Join(isSo(&s, "nodes=3"), isSo(&s, "paused=true")); err != nil {
		t.Error(err)
	}
}
