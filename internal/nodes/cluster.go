package nodes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/ports"
)

// Options say what nodes are made of.
type Options struct {
	// Binary is the path of larder. See [Build].
	Binary string
	// Parent is the directory that the temporary directory is made in. Default:
	// the system's.
	Parent string
	// Replicas is how many copies of each partition the cluster keeps. Settings are
	// the lines of YAML behind that in the configuration which it is formed with,
	// still in the section cluster. Neither counts for a first node with a --config.
	Replicas int
	Settings []string
	// Args are flags of larder serve for every node, behind those of this package.
	Args []string
	// Env are variables for every node, beside those of this process.
	Env []string
	// Zones are where the nodes stand, in turn. Empty: none has a zone.
	Zones []string
	// Network gives each node a namespace of its own, and the ports that larder has
	// by default. It must be closed after the cluster. Nil: loopback.
	Network *Network
	// DiskBytes is the size of a disk for each node's data directory; 0: it is in
	// the temporary directory. A coordinator needs 256 MB. See [NewDisk].
	DiskBytes int64
	// Clocks gives each node a wall clock of its own, on Linux with amd64: see
	// [Node.SetClock].
	Clocks bool
}

// Cluster is a cluster of nodes, or of some that stand alone. Safe for concurrent use.
type Cluster struct {
	o   Options
	dir string

	mu    sync.Mutex
	nodes []*Node // GUARDED_BY(mu): in the order in which they were added
}

// Begin makes a cluster without nodes. Its Close must be called.
func Begin(o Options) (*Cluster, error) {
	if o.Binary == "" {
		return nil, errors.New("nodes: Options without Binary")
	}
	dir, err := os.MkdirTemp(o.Parent, "larder-nodes-")
	if err != nil {
		return nil, err
	}
	return &Cluster{o: o, dir: dir}, nil
}

// Close kills all nodes, waits for their end and removes what they left on disk.
// It may be called twice.
func (c *Cluster) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, n := range c.nodes {
		n.Kill()
		if n.ports != nil {
			n.ports.Release()
		}
		if n.Disk != nil {
			errs = append(errs, n.Disk.Close())
		}
	}
	c.nodes = nil
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}

// Nodes returns all nodes, in the order in which they were added. The list is
// the caller's.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.nodes)
}

// Serving returns the nodes that serve.
func (c *Cluster) Serving() []*Node {
	return slices.DeleteFunc(c.Nodes(), func(n *Node) bool { return !n.Serving() })
}

// Addresses returns where the serving nodes do so with RESP.
func (c *Cluster) Addresses() (list []string) {
	for _, n := range c.Serving() {
		list = append(list, n.RESP)
	}
	return list
}

// form writes the configuration that a cluster is formed with, and returns the flag
// for it.
func (c *Cluster) form() ([]string, error) {
	path := filepath.Join(c.dir, "larder.yaml")
	lines := append([]string{"cluster:", fmt.Sprint("  replicas: ", c.o.Replicas)}, c.o.Settings...)
	return []string{"--config", path}, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// Add starts one more node and returns when it answers clients: the first forms
// the cluster, every other one joins it through those that serve. args are more
// flags of larder serve.
func (c *Cluster) Add(ctx context.Context, args ...string) (*Node, error) {
	var role []string
	for _, n := range c.Serving() {
		if n.Member() {
			role = append(role, "--join", n.Peer)
		}
	}
	if role == nil {
		role = []string{"--cluster"}
		if !slices.Contains(append(args, c.o.Args...), "--config") {
			config, err := c.form()
			if err != nil {
				return nil, err
			}
			role = append(role, config...)
		}
	} else if c.o.Network != nil { // who is on loopback alone needs no token
		token, err := c.Operate(ctx, "TOKEN", "CREATE")
		if err != nil {
			return nil, err
		}
		if len(token.List) == 0 {
			return nil, errors.New("LARDER CLUSTER TOKEN CREATE has made no token")
		}
		role = append(role, "--token", token.List[0].Text)
	}
	n, err := c.make(role, args)
	if err != nil {
		return nil, err
	}
	return n, n.Start(ctx)
}

// Grow adds nodes until count have been added, one after the other.
func (c *Cluster) Grow(ctx context.Context, count int, args ...string) error {
	for len(c.Nodes()) < count {
		if _, err := c.Add(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// GrowAtOnce is Grow with all nodes behind the first starting at the same time.
func (c *Cluster) GrowAtOnce(ctx context.Context, count int, args ...string) error {
	if err := c.Grow(ctx, 1, args...); err != nil {
		return err
	}
	missing := count - len(c.Nodes())
	errs := make([]error, max(missing, 0))
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { _, errs[i] = c.Add(ctx, args...) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// AddAlone starts a node that is in no cluster.
func (c *Cluster) AddAlone(ctx context.Context, args ...string) (*Node, error) {
	n, err := c.make(nil, args)
	if err != nil {
		return nil, err
	}
	return n, n.Start(ctx)
}

// make prepares a node. Without a role it stands alone.
func (c *Cluster) make(role, args []string) (*Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := fmt.Sprintf("n%d", len(c.nodes)+1)
	n := &Node{Name: name, Dir: filepath.Join(c.dir, name), Log: filepath.Join(c.dir, name+".log"), binary: c.o.Binary, env: c.o.Env, clocks: c.o.Clocks}
	if err := c.place(n, role != nil); err != nil {
		return nil, err
	}
	n.args = append([]string{"serve", "--resp-addr", n.RESP, "--http-addr", n.HTTP}, role...)
	if n.Space != nil {
		n.args = append(n.args, "--insecure")
	}
	if role != nil {
		n.args = append(n.args, "--name", n.Name, "--data-dir", n.Dir, "--peer-addr", n.Peer, "--resp-cluster-addr", n.RESPCluster)
		if zones := c.o.Zones; len(zones) > 0 {
			n.Zone = zones[len(c.nodes)%len(zones)]
			n.args = append(n.args, "--zone", n.Zone)
		}
	}
	n.args = slices.Concat(n.args, c.o.Args, args)
	c.nodes = append(c.nodes, n)
	return n, nil
}

// Places of a node's listeners in its block of ports. A coordinator takes the two
// behind the one for other nodes.
const (
	placeRESP = iota
	placeRESPCluster
	placeHTTP
	placePeer
)

// place gives a node its addresses and its disk.
func (c *Cluster) place(n *Node, member bool) (err error) {
	var at func(place, port int) string
	if c.o.Network == nil {
		if n.ports, err = ports.Claim(); err != nil {
			return err
		}
		at = func(place, _ int) string { return n.ports.Address(place) }
	} else {
		if n.Space, err = c.o.Network.Add(); err != nil {
			return err
		}
		at = func(_, port int) string { return net.JoinHostPort(n.Space.Address, strconv.Itoa(port)) }
	}
	n.RESP, n.HTTP = at(placeRESP, 6379), at(placeHTTP, 8080)
	if member {
		n.Peer, n.RESPCluster = at(placePeer, 7380), at(placeRESPCluster, 7379)
	}
	if c.o.DiskBytes > 0 {
		n.Disk, err = NewDisk(n.Dir, c.o.DiskBytes)
		n.Dir = filepath.Join(n.Dir, "data")
	}
	return err
}

// Condition is something to wait for. It returns nil when a status fulfils it,
// else what is missing.
type Condition func(*Status) error

// Await waits until all conditions hold on every serving member of the cluster
// at the same look, and all of them have the same view. The error says
// what was missing at the end.
func (c *Cluster) Await(ctx context.Context, conditions ...Condition) error {
	var missing error
	for {
		err := c.Look(ctx, conditions...)
		if err == nil {
			return nil
		}
		if missing == nil || ctx.Err() == nil { // else the end of ctx is why this look failed
			missing = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), missing)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Look is one look of [Cluster.Await]: what is missing, nil for nothing. Each costs
// every node a list of all partitions.
func (c *Cluster) Look(ctx context.Context, conditions ...Condition) error {
	var first *Status
	for _, n := range c.Serving() {
		if !n.Member() {
			continue
		}
		s, err := n.Status(ctx)
		if err != nil {
			return err
		}
		if first == nil {
			first = s
		}
		if s.View != first.View {
			return fmt.Errorf("node %s has view %d, another one %d", n.Name, s.View, first.View)
		}
		for _, holds := range conditions {
			if err := holds(s); err != nil {
				return fmt.Errorf("node %s: %w", n.Name, err)
			}
		}
	}
	if first == nil {
		return errNoMember
	}
	return nil
}
