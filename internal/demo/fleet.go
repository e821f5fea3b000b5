package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/ports"
)

// Fleet is a cluster of nodes, each a process of its own on this machine. Its
// methods are safe for concurrent use.
type Fleet struct {
	binary string
	dir    string

	mu    sync.Mutex // guards what follows
	nodes []*Member
}

// Member is a node of a [Fleet]. What is exported does not change.
type Member struct {
	Name       string
	RESP, HTTP string // addresses

	peer, log string
	args      []string
	ports     *ports.Block
	process   *process // guarded by Fleet.mu, as the next
	counts    Counts   // of the process, as they were last
	past      Counts   // of the processes before
}

// NewFleet returns a fleet without nodes. Each will run the binary given; the
// first begins the cluster with settings, a file. Close it.
func NewFleet(binary string, settings []byte) (*Fleet, error) {
	dir, err := os.MkdirTemp("", "larder-demo-nodes-")
	if err != nil {
		return nil, explain(err, os.TempDir())
	}
	f := &Fleet{binary: binary, dir: dir}
	if err := os.WriteFile(f.settings(), settings, 0o600); err != nil {
		return nil, errors.Join(explain(err, dir), f.Close())
	}
	return f, nil
}

func (f *Fleet) settings() string { return filepath.Join(f.dir, "cluster.yaml") }

// Close kills all nodes, waits for their end and removes their files. It may be
// called twice.
func (f *Fleet) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.nodes {
		if n.process != nil {
			n.process.kill()
		}
		n.ports.Release()
	}
	f.nodes = nil
	return os.RemoveAll(f.dir)
}

// Add starts one more node and returns when it answers: the first forms the
// cluster, every other one joins it.
func (f *Fleet) Add(ctx context.Context) (*Member, error) {
	n, err := f.prepare()
	if err != nil {
		return nil, err
	}
	return n, f.Start(ctx, n)
}

// prepare finds a place for a node.
func (f *Fleet) prepare() (*Member, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := claimPorts(len(f.nodes))
	if err != nil {
		return nil, err
	}
	n := &Member{
		Name: fmt.Sprintf("n%d", len(f.nodes)+1), ports: b,
		RESP: b.Address(placeRESP), HTTP: b.Address(placeHTTP), peer: b.Address(placePeer),
	}
	n.log = filepath.Join(f.dir, n.Name+".log")
	n.args = []string{
		"serve", "--name", n.Name, "--data-dir", filepath.Join(f.dir, n.Name), "--peer-addr", n.peer,
		"--resp-addr", n.RESP, "--resp-cluster-addr", b.Address(placeCluster), "--http-addr", n.HTTP,
	}
	if len(f.nodes) == 0 {
		n.args = append(n.args, "--cluster", "--config", f.settings())
	}
	for _, other := range f.nodes {
		n.args = append(n.args, "--join", other.peer)
	}
	f.nodes = append(f.nodes, n)
	return n, nil
}

// Start runs a node that does not run, and returns when it answers. One that ran
// before goes on with what it has on disk.
func (f *Fleet) Start(ctx context.Context, n *Member) error {
	p, err := f.launch(n)
	if err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if answersPing(ctx, n.RESP) {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("node %s has ended:\n%s", n.Name, tail(n.log, 12))
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (f *Fleet) launch(n *Member) (*process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := startProcess(f.binary, n.log, n.args)
	if err != nil {
		return nil, explain(err, f.dir)
	}
	n.process = p
	n.past, n.counts = n.past.plus(n.counts.gone()), Counts{}
	return p, nil
}

// answersPing reports whether a node serves.
func answersPing(ctx context.Context, addr string) bool {
	c, err := Dial(ctx, addr, 512)
	if err != nil {
		return false
	}
	defer c.Close()
	if c.Expire(time.Now().Add(time.Second)) != nil {
		return false
	}
	r, err := c.Do("PING")
	return err == nil && r.Err == ""
}

// Kill ends a node's process at once, as kill -9 does.
func (f *Fleet) Kill(n *Member) {
	f.mu.Lock()
	p := n.process
	f.mu.Unlock()
	p.kill()
}

// leaveWithin is how long a node may take to end in good order.
const leaveWithin = 5 * time.Second

// Stop ends a node's process in good order.
func (f *Fleet) Stop(ctx context.Context, n *Member) error {
	f.mu.Lock()
	p := n.process
	f.mu.Unlock()
	if err := p.ask(); err != nil {
		return err
	}
	timer := time.NewTimer(leaveWithin)
	defer timer.Stop()
	select {
	case <-p.exited:
		return nil
	case <-timer.C:
		p.kill()
		return fmt.Errorf("node %s did not end within %v", n.Name, leaveWithin)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Running returns the nodes that run.
func (f *Fleet) Running() (list []*Member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.nodes {
		if n.process != nil && n.process.running() {
			list = append(list, n)
		}
	}
	return list
}

// Addresses returns where the nodes that run serve clients.
func (f *Fleet) Addresses() (list []string) {
	for _, n := range f.Running() {
		list = append(list, n.RESP)
	}
	return list
}

// Counts returns what all nodes together have counted, those that have ended
// included. Of a node that does not answer it is what it said last.
func (f *Fleet) Counts(ctx context.Context) Counts {
	var asked sync.WaitGroup
	for _, n := range f.Running() {
		asked.Go(func() {
			c, err := scrape(ctx, n.HTTP)
			if err != nil {
				return
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			n.counts = c
		})
	}
	asked.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	var sum Counts
	for _, n := range f.nodes {
		c := n.counts
		if n.process == nil || !n.process.running() {
			c = c.gone()
		}
		sum = sum.plus(n.past).plus(c)
	}
	return sum
}
