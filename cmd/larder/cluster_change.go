package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/command"
)

// operating returns a RunE that talks to a node.
func (f *clientFlags) operating(run func(context.Context, *cobra.Command, *operator, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		ctx := orBackground(c.Context())
		o, err := f.operate(ctx)
		if err != nil {
			return err
		}
		defer o.Close()
		return run(ctx, c, o, args)
	}
}

// nodeIn finds a node in a status as the server does, nil when it is not there.
func nodeIn(s *command.ClusterStatus, text string) *command.ClusterNode {
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if n.Name == text || string(n.ID) == text || n.Peer == text || n.RESP == text || n.RESPCluster == text ||
			len(text) >= 4 && strings.HasPrefix(string(n.ID), text) {
			return n
		}
	}
	return nil
}

// idOf returns the id of the node that a person means.
func (o *operator) idOf(ctx context.Context, text string) (cluster.NodeID, error) {
	s, err := o.status(ctx)
	if err != nil {
		return "", err
	}
	if n := nodeIn(&s, text); n != nil {
		return n.ID, nil
	}
	return "", &fault{fmt.Errorf("there is no node %q", text), "see larder cluster status", exitFailed}
}

func newClusterDrainCommand() *cobra.Command {
	f := &clientFlags{}
	wait := false
	c := &cobra.Command{
		Use:   "drain NODE",
		Short: "Move what a node holds to the others; it stays a member",
		Long: `Move what a node holds to the others, while all is served. It stays a member,
answers clients, and gets nothing new until larder cluster activate.`,
		Example: "  larder cluster drain n3 --wait",
		Args:    arguments("NODE"),
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, args []string) error {
			done, err := o.change(ctx, "DRAIN", args[0])
			if err != nil {
				return err
			}
			if !wait {
				return f.tellChange(c, done, "node %s is being drained; larder cluster status --watch shows how far it is", args[0])
			}
			if err := o.waitFor(ctx, c.ErrOrStderr(), "draining "+args[0], emptied(args[0])); err != nil {
				return err
			}
			return f.tellChange(c, done, "node %s holds nothing any more", args[0])
		}),
		ValidArgsFunction: f.completeNodes,
	}
	f.bindCluster(c)
	c.Flags().BoolVar(&wait, "wait", false, "return when the node is empty")
	return c
}

// emptied waits until a node holds nothing.
func emptied(node string) func(*command.ClusterStatus) (int, bool, error) {
	return func(s *command.ClusterStatus) (int, bool, error) {
		n := nodeIn(s, node)
		switch {
		case n == nil:
			return 0, true, nil
		case n.State == cluster.Active:
			return 0, false, &fault{fmt.Errorf("node %s is active again: somebody has taken the draining back", node), "", exitFailed}
		case !n.Alive && n.Partitions > 0:
			return 0, false, &fault{fmt.Errorf("node %s is down, with %s", node, plural(n.Partitions, "partition")), "start it again, or give it up: larder cluster remove --force " + node, exitFailed}
		}
		return n.Partitions, n.Partitions == 0 && n.Coming == 0, nil
	}
}

func newClusterActivateCommand() *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{
		Use:   "activate NODE",
		Short: "Let a node own partitions again that was drained, or has stepped aside",
		Args:  arguments("NODE"),
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, args []string) error {
			done, err := o.change(ctx, "ACTIVATE", args[0])
			if err != nil {
				return err
			}
			return f.tellChange(c, done, "node %s is active", args[0])
		}),
		ValidArgsFunction: f.completeNodes,
	}
	f.bindCluster(c)
	return c
}

func newClusterRemoveCommand() *cobra.Command {
	f := &clientFlags{}
	force, nowait := false, false
	c := &cobra.Command{
		Use:   "remove NODE",
		Short: "Drain a node and let it go for good",
		Long: `Drain a node, wait until it is empty, and let it go for good; then its process can
be stopped. If it is a coordinator, another node takes that part first. To have it
back, start it with an empty data directory.

A node that is down cannot be drained: --force gives it up, with what only it
held.`,
		Example: `  larder cluster remove n3
  larder cluster remove n3 --force`,
		Args: arguments("NODE"),
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, args []string) error {
			id, err := o.idOf(ctx, args[0])
			if err != nil {
				return err
			}
			done, err := o.change(ctx, forced(force, "REMOVE", string(id))...)
			if err != nil {
				return err
			}
			if nowait {
				return f.tellChange(c, done, "node %s leaves when it is empty; larder cluster status --watch shows how far it is", args[0])
			}
			if err := o.waitFor(ctx, c.ErrOrStderr(), "draining "+args[0], hasLeft(id, args[0])); err != nil {
				return err
			}
			return f.tellChange(c, done, "node %s has left; its process can be stopped", args[0])
		}),
		ValidArgsFunction: f.completeNodes,
	}
	f.bindCluster(c)
	c.Flags().BoolVar(&force, "force", false, "give a node up that is down")
	c.Flags().BoolVar(&nowait, "no-wait", false, "return when it is asked for")
	return c
}

// hasLeft waits until a node is no part of the cluster any more.
func hasLeft(id cluster.NodeID, name string) func(*command.ClusterStatus) (int, bool, error) {
	return func(s *command.ClusterStatus) (int, bool, error) {
		n := nodeIn(s, string(id))
		switch {
		case n == nil:
			return 0, true, nil
		case n.State == cluster.Active:
			return 0, false, &fault{fmt.Errorf("node %s is active again: somebody has taken the removal back", name), "", exitFailed}
		case !n.Alive && n.State == cluster.Draining:
			return 0, false, &fault{fmt.Errorf("node %s has died while it was drained", name), "start it again, or give it up: larder cluster remove --force " + name, exitFailed}
		}
		return n.Partitions, false, nil
	}
}

func newClusterPauseCommand() *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{
		Use:   "pause",
		Short: "Stop moving partitions for the sake of balance",
		Long: `Stop moving partitions for the sake of balance. They leave draining nodes, and
follow dead ones, nevertheless.`,
		Args: arguments(),
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, _ []string) error {
			done, err := o.change(ctx, "PAUSE")
			if err != nil {
				return err
			}
			return f.tellChange(c, done, "rebalancing is paused")
		}),
	}
	f.bindCluster(c)
	return c
}

func newClusterResumeCommand() *cobra.Command {
	f := &clientFlags{}
	force := false
	c := &cobra.Command{
		Use:   "resume",
		Short: "Move partitions for the sake of balance again",
		Args:  arguments(),
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, _ []string) error {
			done, err := o.change(ctx, forced(force, "RESUME")...)
			if err != nil {
				return err
			}
			return f.tellChange(c, done, "rebalancing goes on")
		}),
	}
	f.bindCluster(c)
	c.Flags().BoolVar(&force, "force", false, "also when somebody else has paused it")
	return c
}

func newClusterMoveCommand() *cobra.Command {
	f := &clientFlags{}
	force := false
	c := &cobra.Command{
		Use:   "move NODE PARTITION...",
		Short: "Send partitions to a node, where they stay",
		Long: `Send partitions to a node, where they stay whatever balance says, as long as the
node is up and active; larder cluster release gives them back. Partitions are
numbers from 0 to 1023, or ranges of them.`,
		Example: "  larder cluster move n2 17 40-47",
		Args:    arguments("NODE", "PARTITION..."),
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, args []string) error {
			done, err := o.change(ctx, forced(force, append([]string{"MOVE"}, args...)...)...)
			if err != nil {
				return err
			}
			return f.tellChange(c, done, "sent to %s: %s", args[0], strings.Join(args[1:], " "))
		}),
		ValidArgsFunction: f.completeNodes,
	}
	f.bindCluster(c)
	c.Flags().BoolVar(&force, "force", false, "also those that somebody else has sent elsewhere")
	return c
}

func newClusterReleaseCommand() *cobra.Command {
	f := &clientFlags{}
	force, all := false, false
	c := &cobra.Command{
		Use:   "release PARTITION... | --all",
		Short: "Let partitions that were moved by hand be balanced again",
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return misuse("larder cluster release 17 40-47, or --all", "name partitions, or give --all")
			}
			return nil
		},
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, args []string) error {
			done, err := o.change(ctx, forced(force, append([]string{"RELEASE"}, args...)...)...)
			if err != nil {
				return err
			}
			what := strings.Join(args, " ")
			if all {
				what = "all that were sent somewhere"
			}
			return f.tellChange(c, done, "released: %s", what)
		}),
	}
	f.bindCluster(c)
	c.Flags().BoolVar(&force, "force", false, "also those that somebody else has sent somewhere")
	c.Flags().BoolVar(&all, "all", false, "all that were sent somewhere")
	return c
}
