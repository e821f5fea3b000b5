package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/cluster/controller"
	"github.com/larder-cache/larder/internal/command"
)

func newClusterAcceptLossCommand() *cobra.Command {
	f := &clientFlags{}
	all := false
	c := &cobra.Command{
		Use:   "accept-loss PARTITION... | --all",
		Short: "Let partitions begin empty that nobody can serve any more",
		Long: `Let partitions begin empty that nobody can serve any more: every node that had all
of them is down, or was started anew. They stay unavailable until one of those
nodes is back, since an empty partition would look like one from which everything
was deleted. This gives up what they held: also what a node that comes back later
still has. Partitions that can be served are not touched.

larder cluster status tells which nodes they wait for.`,
		Example: `  larder cluster accept-loss 17 40-47
  larder cluster accept-loss --all`,
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return misuse("larder cluster accept-loss 17 40-47, or --all", "name partitions, or give --all")
			}
			return nil
		},
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, args []string) error {
			if all {
				s, err := o.status(ctx)
				if err != nil {
					return err
				}
				if args = unavailable(&s); len(args) == 0 {
					return f.tellChange(c, changed{Notes: []string{}}, "every partition can be served: nothing is lost")
				}
			}
			done, err := o.change(ctx, append([]string{"ACCEPT-LOSS"}, args...)...)
			if err != nil {
				return err
			}
			return f.tellChange(c, done, "the loss is accepted of what nobody can serve of: %s", strings.Join(args, " "))
		}),
	}
	f.bindCluster(c)
	c.Flags().BoolVar(&all, "all", false, "all that nobody can serve")
	return c
}

// unavailable lists the partitions that nobody can serve, as numbers and ranges.
func unavailable(s *command.ClusterStatus) []string {
	var list []int
	for _, u := range s.Unavailable {
		list = append(list, u.Partitions...)
	}
	if len(list) == 0 {
		return nil
	}
	slices.Sort(list)
	return strings.Split(controller.Ranges(list), ", ")
}
