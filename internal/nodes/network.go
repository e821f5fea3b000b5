package nodes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Network is a bridge on this machine whose nodes are network namespaces, each
// with one address: to each other they are machines of their own, and this process
// reaches all of them. Linux, as root, with iproute2 and nftables. Its methods may
// be called by one goroutine.
type Network struct {
	name   string
	base   string // of all addresses, with the last dot
	spaces []*Space
}

// Space is one namespace of a network. Its packets can be dropped, not refused:
// nobody is told.
type Space struct {
	Address string // of all that listens in it
	name    string
	outside string // the bridge's end of its only line
}

// NewNetwork makes a network without namespaces. An error is most often that this
// process may not. Its Close must be called.
func NewNetwork() (*Network, error) {
	for _, tool := range []string{"ip", "tc", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w; scripts/install-test-deps.sh network installs it", err)
		}
	}
	id := os.Getpid()
	w := &Network{name: fmt.Sprintf("ld%x", id&0xffffff), base: fmt.Sprintf("10.%d.%d.", 128+id>>8&0x7f, id&0xff)}
	if err := ip("link", "add", w.name, "type", "bridge"); err != nil {
		return nil, fmt.Errorf("network namespaces are not permitted here: %w", err)
	}
	err := errors.Join(ip("addr", "add", w.base+"254/24", "dev", w.name), ip("link", "set", w.name, "up"))
	if err == nil {
		_, err = w.Add() // whether namespaces and filters can be made
	}
	if err == nil {
		err = w.spaces[0].Drop(Filter{To: []string{w.base + "253"}, Percent: 30})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("network namespaces are not permitted here: %w", err), w.Close())
	}
	return w, w.remove()
}

// Add adds a namespace.
func (w *Network) Add() (*Space, error) {
	i := len(w.spaces) + 1
	s := &Space{Address: w.base + fmt.Sprint(i), name: fmt.Sprint(w.name, "n", i), outside: fmt.Sprint(w.name, "v", i)}
	if err := ip("netns", "add", s.name); err != nil {
		return nil, err
	}
	w.spaces = append(w.spaces, s)
	return s, errors.Join(
		ip("link", "add", s.outside, "type", "veth", "peer", "name", "eth0", "netns", s.name),
		ip("link", "set", s.outside, "master", w.name, "up"),
		ip("-n", s.name, "addr", "add", s.Address+"/24", "dev", "eth0"),
		ip("-n", s.name, "link", "set", "eth0", "up"),
		ip("-n", s.name, "link", "set", "lo", "up"),
	)
}

// Close removes the network. What runs in it goes on without one.
func (w *Network) Close() error { return errors.Join(w.remove(), ip("link", "del", w.name)) }

// remove removes all namespaces, and their lines with them.
func (w *Network) remove() error {
	var errs []error
	for _, s := range w.spaces {
		errs = append(errs, ip("netns", "del", s.name))
		_ = ip("link", "del", s.outside) // the kernel may have been faster
	}
	w.spaces = nil
	return errors.Join(errs...)
}

// command makes a command run in the namespace.
func (s *Space) command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", s.name, name}, args...)...)
}

// Filter says which packets of a namespace are dropped.
type Filter struct {
	To, From []string // the addresses at the other end
	Percent  int      // how many of them; 0: all
}

// Drop drops packets from now on, beside those that are dropped already.
func (s *Space) Drop(f Filter) error {
	chance := ""
	if f.Percent > 0 {
		chance = fmt.Sprintf("numgen random mod 100 < %d ", f.Percent)
	}
	var rules strings.Builder
	rules.WriteString("add table ip larder\n" +
		"add chain ip larder out { type filter hook output priority 0; }\n" +
		"add chain ip larder in { type filter hook input priority 0; }\n")
	for _, to := range f.To {
		fmt.Fprintf(&rules, "add rule ip larder out ip daddr %s %sdrop\n", to, chance)
	}
	for _, from := range f.From {
		fmt.Fprintf(&rules, "add rule ip larder in ip saddr %s %sdrop\n", from, chance)
	}
	cmd := s.command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules.String())
	return run(cmd)
}

// Throttle lets so many kilobits a second leave the namespace, to whomever. What
// is more waits for up to 200 ms, and is dropped then.
func (s *Space) Throttle(kilobits int) error {
	return run(s.command("tc", "qdisc", "replace", "dev", "eth0", "root", "tbf",
		"rate", fmt.Sprint(kilobits, "kbit"), "burst", "16kb", "latency", "200ms"))
}

// Heal drops and delays nothing any more.
func (s *Space) Heal() error {
	_ = run(s.command("tc", "qdisc", "del", "dev", "eth0", "root")) // fails when there is none
	return run(s.command("nft", "flush", "ruleset"))
}

func ip(args ...string) error { return run(exec.Command("ip", args...)) }

// run runs a command whose output is of interest only when it fails.
func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
