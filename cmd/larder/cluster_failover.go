package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/command"
)

func newClusterFailoverCommand() *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{
		Use:   "failover NODE",
		Short: "Let other nodes own what a node owns; it stays a copy",
		Long: `Let the nodes that have copies own what a node owns, while all is served. No data
is moved: the node stays as a copy. It owns nothing from then on, until larder
cluster activate or the end of its process, whichever comes first.

What no other node has in sync stays; the exit code is 3 then.`,
		Example: "  larder cluster failover n3",
		Args:    arguments("NODE"),
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, args []string) error {
			id, err := o.idOf(ctx, args[0])
			if err != nil {
				return err
			}
			done, err := o.change(ctx, "FAILOVER", string(id))
			if err != nil {
				return err
			}
			stays := 0
			if err := o.waitFor(ctx, c.ErrOrStderr(), "failing over "+args[0], steppedAside(id, args[0], &stays)); err != nil {
				return err
			}
			if stays > 0 {
				note(c.ErrOrStderr(), done.Notes)
				return no("node %s has stepped aside, but %s: no other node that may own them has a copy in sync", args[0], stayWith(stays))
			}
			return f.tellChange(c, done, "node %s owns nothing any more; larder cluster activate takes that back, or a restart of it", args[0])
		}),
		ValidArgsFunction: f.completeNodes,
	}
	f.bindCluster(c)
	return c
}

func stayWith(n int) string {
	if n == 1 {
		return "1 partition stays with it"
	}
	return fmt.Sprintf("%d partitions stay with it", n)
}

// steppedAside waits until a node owns nothing that another one could own, and
// tells how much it owns then.
func steppedAside(id cluster.NodeID, name string, stays *int) func(*command.ClusterStatus) (int, bool, error) {
	return func(s *command.ClusterStatus) (int, bool, error) {
		n := nodeIn(s, string(id))
		switch {
		case n == nil:
			return 0, false, &fault{fmt.Errorf("node %s has left", name), "", exitFailed}
		case !n.Alive:
			return 0, false, &fault{fmt.Errorf("node %s has died", name), "copies take over from it by themselves", exitFailed}
		case !n.Aside:
			return 0, false, &fault{fmt.Errorf("node %s takes part again: somebody has activated or restarted it", name), "", exitFailed}
		}
		*stays = n.Partitions
		return n.Partitions, n.Replaceable == 0, nil
	}
}
