package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/command"
)

func newClusterRestartCommand() *cobra.Command {
	f := &clientFlags{}
	r := &rolling{flags: f}
	dry := false
	c := &cobra.Command{
		Use:   "restart [NODE...]",
		Short: "Restart all nodes, or some, one after the other",
		Long: `Restart all nodes, or those named, one after the other, while the others serve:
coordinators behind the other nodes, the controller last. For each it waits until
all copies are in sync and the configuration service is well, hands over what the
node owns, restarts it, and waits until it is back.

A node restarts itself: its process ends in order and runs its binary again with
the same arguments, also when that file has been replaced by another release. A
command can do it instead; {name}, {host} and {id} in it stand for the node, and
it returns when the restart has begun.

It may be interrupted at any time. Started again with the nodes that are left,
which it names, it goes on.`,
		Example: `  larder cluster restart --dry-run
  larder cluster restart
  larder cluster restart n2 n3 --exec 'ssh {host} sudo systemctl restart larder'`,
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, args []string) error {
			ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
			defer cancel()
			r.o, r.out = o, c.ErrOrStderr()
			defer r.close()
			nodes, s, err := r.choose(ctx, args)
			if err != nil {
				return err
			}
			if dry {
				return r.tellOrder(ctx, c.OutOrStdout(), s, nodes)
			}
			begun := time.Now()
			if err := r.run(ctx, nodes); err != nil {
				return err
			}
			return f.tellChange(c, changed{[]string{}}, "restarted: %s, in %s", plural(len(nodes), "node"), time.Since(begun).Round(time.Second))
		}),
	}
	f.bindCluster(c)
	c.Flags().BoolVarP(&dry, "dry-run", "n", false, "only show the order, and what would be waited for")
	c.Flags().StringVar(&r.command, "exec", "", "`command` that restarts a node, for sh")
	c.Flags().DurationVar(&r.within, "within", 2*time.Minute, "how long a node may take to end and to be back")
	return c
}

// rolling is a rolling restart.
type rolling struct {
	flags   *clientFlags
	command string        // that restarts a node; empty: it restarts itself
	within  time.Duration // for a node to be back

	o     *operator // a connection, to a node that is not being restarted
	also  []*operator
	known []command.ClusterNode // of the last answer
	out   io.Writer
	said  string // that is waited for
}

// close closes what connect has opened.
func (r *rolling) close() {
	for _, o := range r.also {
		o.Close()
	}
}

// choose returns the nodes that are to be restarted, or why there can be none.
func (r *rolling) choose(ctx context.Context, names []string) (list []cluster.NodeID, s *command.ClusterStatus, err error) {
	s, err = r.status(ctx)
	switch {
	case err != nil:
		return nil, nil, err
	case s.Replicas == 0:
		return nil, nil, &fault{fmt.Errorf("cluster.replicas is 0: a node that restarts loses what it holds"),
			"larder cluster drain NODE --wait, restart it, larder cluster activate NODE", exitFailed}
	case len(s.Nodes) < 2:
		return nil, nil, &fault{fmt.Errorf("there is one node only: nobody serves while it restarts"), "", exitFailed}
	}
	for i := range s.Nodes {
		if n := &s.Nodes[i]; !n.Alive {
			return nil, nil, &fault{fmt.Errorf("%s is down", nameOf(n)), "start it first, or give it up: larder cluster remove --force " + nameOf(n), exitFailed}
		}
		if len(names) == 0 {
			list = append(list, s.Nodes[i].ID)
		}
	}
	for _, name := range names {
		n := nodeIn(s, name)
		if n == nil {
			return nil, nil, &fault{fmt.Errorf("there is no node %q", name), "see larder cluster status", exitFailed}
		}
		if !slices.Contains(list, n.ID) {
			list = append(list, n.ID)
		}
	}
	return list, s, nil
}

// run restarts nodes one after the other.
func (r *rolling) run(ctx context.Context, left []cluster.NodeID) error {
	all := len(left)
	for len(left) > 0 {
		s, err := r.status(ctx)
		if err == nil {
			inOrder(s, left)
			err = r.restart(ctx, left[0], fmt.Sprintf("%d of %d", all-len(left)+1, all))
		}
		if err != nil {
			return r.interrupted(err, left)
		}
		left = left[1:]
	}
	return r.await(ctx, "cluster", time.Time{}, r.whole(ctx, ""))
}

// inOrder puts a node first that has stepped aside already, then those that run no
// part of the configuration service, and last the controller, who would be followed
// by another one each time.
func inOrder(s *command.ClusterStatus, list []cluster.NodeID) {
	rank := func(id cluster.NodeID) (rank int, name string) {
		n := nodeIn(s, string(id))
		switch {
		case n == nil:
			return 0, ""
		case n.Aside:
			return -1, nameOf(n)
		case n.Controller:
			return 2, nameOf(n)
		case n.Coordinator:
			return 1, nameOf(n)
		}
		return 0, nameOf(n)
	}
	slices.SortFunc(list, func(a, b cluster.NodeID) int {
		x, nameX := rank(a)
		y, nameY := rank(b)
		return cmp.Or(x-y, strings.Compare(nameX, nameY))
	})
}

// restart restarts one node, in the order that the command's help tells.
func (r *rolling) restart(ctx context.Context, id cluster.NodeID, which string) error {
	name := r.name(id)
	if err := r.await(ctx, name, time.Time{}, r.whole(ctx, id)); err != nil {
		return err
	}
	if err := r.leave(ctx, id); err != nil {
		return err
	}
	s, err := r.status(ctx)
	if err != nil {
		return err
	}
	n := nodeIn(s, string(id))
	if n == nil {
		return &fault{fmt.Errorf("node %s has left", name), "", exitFailed}
	}
	before := n.Incarnation
	r.say(name, "hands over "+plural(n.Partitions, "partition"))
	if _, err := r.o.change(ctx, "FAILOVER", string(id)); err != nil {
		return err
	}
	if err := r.await(ctx, name, time.Now().Add(r.within), ownsNothing(id)); err != nil {
		return err
	}
	r.say(name, "restarts ("+which+")")
	if err := r.end(ctx, n); err != nil {
		return err
	}
	begun := time.Now()
	err = r.await(ctx, name, begun.Add(r.within), func(s *command.ClusterStatus) string {
		switch n := nodeIn(s, string(id)); {
		case n == nil || !n.Alive:
			return "it is not back yet"
		case n.Incarnation == before:
			return "its process has not ended yet"
		case !n.Answers:
			return "it starts"
		}
		return ""
	})
	if err == nil {
		r.say(name, "is back after "+time.Since(begun).Round(100*time.Millisecond).String())
	}
	return err
}

func ownsNothing(id cluster.NodeID) func(*command.ClusterStatus) string {
	return func(s *command.ClusterStatus) string {
		n := nodeIn(s, string(id))
		switch {
		case n == nil || n.Partitions == 0:
			return ""
		case n.Replaceable == 0:
			return fmt.Sprintf("it owns %s that no other node has in sync", plural(n.Partitions, "partition"))
		}
		return fmt.Sprintf("it owns %s", plural(n.Partitions, "partition"))
	}
}

// whole returns what says why a node may not be restarted at this moment: every
// copy that is wanted has to be in sync, and every coordinator well.
func (r *rolling) whole(ctx context.Context, id cluster.NodeID) func(*command.ClusterStatus) string {
	return func(s *command.ClusterStatus) string {
		for i := range s.Nodes {
			switch n := &s.Nodes[i]; {
			case !n.Alive:
				return nameOf(n) + " is down"
			case !n.Answers:
				return nameOf(n) + " does not answer"
			case n.ViewInForce > s.View:
				return "the nodes learn of the latest view" // the rest is about an earlier one
			case n.Aside && n.ID != id:
				return fmt.Sprintf("%s has stepped aside; larder cluster activate %s", nameOf(n), nameOf(n))
			}
		}
		switch {
		case s.Unowned+s.Unserved > 0:
			return plural(s.Unowned+s.Unserved, "partition") + " without an owner that is up"
		case s.Undercopied > 0:
			return plural(s.Undercopied, "partition") + " with fewer copies in sync than are wanted"
		case s.Service != "ok":
			return "configuration service: " + s.Service
		}
		var list []command.Coordinator
		if err := r.o.document(ctx, &list, "COORDINATORS"); err != nil {
			return "the coordinators are not known: " + err.Error()
		}
		for _, m := range list {
			if !m.Healthy {
				return fmt.Sprintf("coordinator %s: %s", cmp.Or(m.Name, m.Address), cmp.Or(m.Problem, "not well"))
			}
		}
		return ""
	}
}

// tellOrder writes what a restart would do.
func (r *rolling) tellOrder(ctx context.Context, w io.Writer, s *command.ClusterStatus, list []cluster.NodeID) error {
	inOrder(s, list)
	missing := r.whole(ctx, list[0])(s)
	if r.flags.json {
		return writeJSON(w, struct {
			Order   []cluster.NodeID `json:"order"`
			Waiting string           `json:"waiting,omitempty"`
		}{list, missing})
	}
	cols := []column{{title: "NODE", limit: 24}, {title: "ID"}, {title: "ROLE"}, {title: "VERSION", limit: 24}, {title: "PART", right: true}}
	for _, id := range list {
		n := nodeIn(s, string(id))
		for i, cell := range []string{nameOf(n), n.ID.Short(), roleOf(n), cmp.Or(n.Version, "-"), fmt.Sprint(n.Partitions)} {
			cols[i].cells = append(cols[i].cells, cell)
		}
	}
	var b strings.Builder
	writeColumns(&b, cols, 80)
	b.WriteString("\n")
	say(&b, "", "Would be restarted in this order; the controller at that moment comes last.")
	if missing != "" {
		say(&b, "", "Nothing would begin yet: "+missing+".")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
