package nodes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/larder-cache/larder/internal/ports"
)

// Node is one larder, with a place of its own on disk and on the network. Its
// fields do not change. Safe for concurrent use.
type Node struct {
	Name string
	Dir  string // the data directory of a member; stays until the cluster is closed
	Log  string // path of the file with its output, of all its processes
	Zone string // where it stands; empty: it has none, as those that are in no cluster

	// Addresses, host:port. RESPCluster and Peer are a member's only.
	RESP, RESPCluster, HTTP, Peer string

	Space *Space // where it runs; nil: where this process does
	Disk  *Disk  // that its data directory is on; nil: none of its own

	binary string
	args   []string
	env    []string
	ports  *ports.Block // nil in a space
	clocks bool         // each process has one of its own

	mu      sync.Mutex
	process *process // GUARDED_BY(mu), as the next: the last one, nil before the first
	id      string
	removed bool // from the cluster, or about to be
}

// process is one run of a node.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error       // of Wait; read after exited
	serves atomic.Bool // it has answered a client
	clock  *clock      // its own; nil: that of the machine
}

// ErrEnded is that a node's process has ended when it should not have.
var ErrEnded = errors.New("the process has ended")

// pollEvery is the pause between two looks at something that is waited for.
const pollEvery = 2 * time.Millisecond

// Start runs the node, which must not be running, and returns when it answers
// clients. A node that ran before goes on with its data directory.
func (n *Node) Start(ctx context.Context) error {
	if err := n.launch(); err != nil {
		return err
	}
	for {
		if answered(ctx, n.RESP) {
			if err := n.learnID(ctx); err != nil {
				return err
			}
			n.current().serves.Store(true)
			return nil
		}
		select {
		case <-n.exited():
			return fmt.Errorf("node %s: %w: %s", n.Name, ErrEnded, n.Tail(12))
		case <-ctx.Done():
			return fmt.Errorf("node %s does not answer: %w: %s", n.Name, ctx.Err(), n.Tail(12))
		case <-time.After(pollEvery):
		}
	}
}

// launch starts the process.
func (n *Node) launch() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil && n.process.running() {
		return fmt.Errorf("node %s runs already", n.Name)
	}
	log, err := os.OpenFile(n.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	p := &process{cmd: exec.Command(n.binary, n.args...), exited: make(chan struct{})}
	if n.Space != nil {
		p.cmd = n.Space.command(n.binary, n.args...) // ip becomes the node
	}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), n.env...)
	if n.clocks {
		p.clock, err = startWithClock(p.cmd, n.binary)
	} else {
		err = p.cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start node %s: %w", n.Name, err)
	}
	go func() { // ends when the process does, which Close sees to
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	n.process = p
	return nil
}

// answered reports whether a server at address answers PING.
func answered(ctx context.Context, address string) bool {
	c, err := Dial(ctx, address)
	if err != nil {
		return false
	}
	defer c.Close()
	if err := c.Expire(time.Now().Add(time.Second)); err != nil {
		return false
	}
	r, err := c.Do("PING")
	return err == nil && r.Text == "PONG"
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// current returns the last process, nil when there was none.
func (n *Node) current() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

// exited returns what is closed when the node's process has ended.
func (n *Node) exited() <-chan struct{} {
	if p := n.current(); p != nil {
		return p.exited
	}
	none := make(chan struct{})
	close(none)
	return none
}

// Running reports whether the node has a process; a paused one is running too.
func (n *Node) Running() bool {
	p := n.current()
	return p != nil && p.running()
}

// Serving reports whether the node's process has answered a client since its
// start, and has not ended.
func (n *Node) Serving() bool {
	p := n.current()
	return p != nil && p.serves.Load() && p.running()
}

// Member reports whether the node is one of the cluster: it was started as one
// and nobody has removed it.
func (n *Node) Member() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.Peer != "" && !n.removed
}

// Pid returns the id of the node's process, 0 when it does not run.
func (n *Node) Pid() int {
	if p := n.current(); p != nil && p.running() {
		return p.cmd.Process.Pid
	}
	return 0
}

// Signal sends the node's process a signal.
func (n *Node) Signal(s os.Signal) error {
	p := n.current()
	if p == nil || !p.running() {
		return fmt.Errorf("node %s: %w", n.Name, ErrEnded)
	}
	return p.cmd.Process.Signal(s)
}

// Kill ends the process at once, as a crash would, and waits for its end. A node
// that does not run stays so.
func (n *Node) Kill() {
	if p := n.current(); p != nil {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.exited
	}
}

// Pause stops the process from running, as a machine that hangs would: its
// connections stay, nothing answers.
func (n *Node) Pause() error { return n.Signal(syscall.SIGSTOP) }

// SetClock has the wall clock of the process be ahead of the machine's by so many
// seconds, or behind it; fractions are cut off. With [Options.Clocks] only. A process
// that is started anew has the machine's.
func (n *Node) SetClock(ahead time.Duration) error {
	p := n.current()
	if p == nil || !p.running() {
		return fmt.Errorf("node %s: %w", n.Name, ErrEnded)
	}
	if p.clock == nil {
		return fmt.Errorf("node %s has no clock of its own", n.Name)
	}
	return p.clock.set(ahead)
}

// Resume lets a paused process run on.
func (n *Node) Resume() error { return n.Signal(syscall.SIGCONT) }

// Stop asks the process to end, and waits until it has. The error is the
// process's own when it ends with another status than 0.
func (n *Node) Stop(ctx context.Context) error {
	if err := n.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	p := n.current()
	select {
	case <-p.exited:
		if p.err != nil {
			return fmt.Errorf("node %s: %w: %s", n.Name, p.err, n.Tail(12))
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("node %s does not end: %w: %s", n.Name, ctx.Err(), n.Tail(12))
	}
}

// Tail returns the last lines of the node's output.
func (n *Node) Tail(lines int) string {
	b, err := os.ReadFile(n.Log)
	if err != nil {
		return err.Error()
	}
	all := slices.Collect(strings.Lines(string(b)))
	return strings.Join(all[max(0, len(all)-lines):], "")
}

// Do sends one request over a connection of its own.
func (n *Node) Do(ctx context.Context, args ...string) (Reply, error) {
	c, err := Dial(ctx, n.RESP)
	if err != nil {
		return Reply{}, fmt.Errorf("node %s: %w", n.Name, err)
	}
	defer c.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(patience)
	}
	if err := c.Expire(deadline); err != nil {
		return Reply{}, err
	}
	r, err := c.Do(args...)
	if err != nil {
		return r, fmt.Errorf("node %s: %s: %w", n.Name, args[0], err)
	}
	return r, nil
}

// patience bounds a request when the caller's context does not.
const patience = 30 * time.Second
