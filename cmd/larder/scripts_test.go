package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"larder": func() { os.Exit(run()) }})
}

// The scripts in testdata run the program from outside. Beside testscript's own
// commands they have
//
//	serve FLAGS...  starts a node on free ports and waits until it serves; then
//	                LARDER_ADDR and HTTP_ADDR are where it does
//	stop            ends it with SIGTERM and waits; [!] expects a failure
//	await           waits for it to end by itself
//	call WORDS...   sends one Redis command to LARDER_ADDR and prints the reply
//
// The log of the node is the file log after stop and await.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[nodeKey{}] = &scriptNode{}
			env.Setenv("NO_COLOR", "1")
			// Under the race detector every exit would wait a second for reports.
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": cmdServe,
			"stop":  func(ts *testscript.TestScript, neg bool, args []string) { cmdEnd(ts, neg, args, true) },
			"await": func(ts *testscript.TestScript, neg bool, args []string) { cmdEnd(ts, neg, args, false) },
			"call":  cmdCall,
		},
	})
}

type nodeKey struct{}

// scriptNode is the node of one script.
type scriptNode struct {
	cmd  *exec.Cmd
	done chan error // gets what Wait returned

	mu  sync.Mutex
	log bytes.Buffer // GUARDED_BY(mu)
}

// patience is longer than anything a script waits for takes.
const patience = 30 * time.Second

func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	n := ts.Value(nodeKey{}).(*scriptNode)
	if neg || n.cmd != nil {
		ts.Fatalf("usage: serve FLAGS..., with no node running")
	}
	has := func(flag string) bool {
		for _, a := range args {
			if a == flag || strings.HasPrefix(a, flag+"=") {
				return true
			}
		}
		return false
	}
	for _, flag := range []string{"--resp-addr", "--http-addr"} {
		if !has(flag) && !has("--config") {
			args = append(args, flag+"=127.0.0.1:0")
		}
	}
	program, err := exec.LookPath("larder")
	ts.Check(err)
	n.cmd = exec.Command(program, append([]string{"serve"}, args...)...)
	n.cmd.Dir = ts.MkAbs(".")
	n.cmd.Env = append(os.Environ(), "LARDER_CONFIG="+ts.Getenv("LARDER_CONFIG"), "LARDER_PASSWORD="+ts.Getenv("NODE_PASSWORD"),
		"GORACE="+ts.Getenv("GORACE"))
	stderr, err := n.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(n.cmd.Start())
	serving := make(chan [2]string, 1)
	n.done = make(chan error, 1)
	go func() { // ends with the process
		n.follow(stderr, serving)
		n.done <- n.cmd.Wait()
	}()
	ts.Defer(func() {
		if n.cmd != nil {
			_ = n.cmd.Process.Kill()
			<-n.done
			n.cmd = nil
		}
	})
	select {
	case at := <-serving:
		ts.Setenv("LARDER_ADDR", at[0])
		ts.Setenv("HTTP_ADDR", at[1])
	case err := <-n.done:
		n.cmd = nil
		ts.Fatalf("the node ended instead of serving: %v\n%s", err, n.text())
	case <-time.After(patience):
		ts.Fatalf("the node does not serve:\n%s", n.text())
	}
}

var servingLine = regexp.MustCompile(`  serving  resp=([^ ,]+)\S*(?: http=http://(\S+))?`)

// follow copies the log and tells the addresses when the line with them comes.
func (n *scriptNode) follow(r io.Reader, serving chan<- [2]string) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		n.mu.Lock()
		n.log.WriteString(lines.Text() + "\n")
		n.mu.Unlock()
		var record struct {
			Msg  string
			Resp []string
			HTTP string
		}
		if m := servingLine.FindStringSubmatch(lines.Text()); m != nil {
			serving <- [2]string{m[1], m[2]}
		} else if json.Unmarshal(lines.Bytes(), &record) == nil && record.Msg == "serving" {
			serving <- [2]string{record.Resp[0], strings.TrimPrefix(record.HTTP, "http://")}
		}
	}
}

func (n *scriptNode) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.String()
}

func cmdEnd(ts *testscript.TestScript, neg bool, args []string, signal bool) {
	n := ts.Value(nodeKey{}).(*scriptNode)
	if len(args) > 0 || n.cmd == nil {
		ts.Fatalf("usage: [!] stop or await, with a node running")
	}
	if signal {
		ts.Check(n.cmd.Process.Signal(syscall.SIGTERM))
	}
	select {
	case err := <-n.done:
		n.cmd = nil
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs("."), "log"), []byte(n.text()), 0o600))
		if (err != nil) != neg {
			ts.Fatalf("the node ended with: %v\n%s", err, n.text())
		}
	case <-time.After(patience):
		ts.Fatalf("the node does not end:\n%s", n.text())
	}
}

func cmdCall(ts *testscript.TestScript, neg bool, args []string) {
	f := clientFlags{addr: ts.Getenv("LARDER_ADDR"), password: ts.Getenv("LARDER_PASSWORD"), timeout: patience}
	c, err := f.open(context.Background())
	ts.Check(err)
	defer c.Close()
	reply, err := c.do(context.Background(), args...)
	if (err != nil) != neg {
		ts.Fatalf("%v: %v", args, err)
	}
	if err != nil {
		_, _ = ts.Stdout().Write([]byte(err.Error() + "\n"))
		return
	}
	text := reply.String()
	if list, err := reply.AsStrSlice(); err == nil {
		text = strings.Join(list, "\n")
	} else if pairs, err := reply.AsStrMap(); err == nil {
		text = ""
		for name, value := range pairs {
			text += name + " " + value + "\n"
		}
	} else if one, err := reply.ToString(); err == nil {
		text = one
	}
	_, _ = ts.Stdout().Write([]byte(text + "\n"))
}
