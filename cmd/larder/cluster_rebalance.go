package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/command"
)

func newClusterRebalanceCommand() *cobra.Command {
	f := &clientFlags{}
	dry, wait, force := false, false, false
	c := &cobra.Command{
		Use:   "rebalance",
		Short: "Move partitions until every node has its share",
		Long: `Move partitions until every node has its share by weight. The cluster does so by
itself; this lets it go on when it was paused, and shows what would be moved.`,
		Example: `  larder cluster rebalance --dry-run
  larder cluster rebalance --wait`,
		Args: arguments(),
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, _ []string) error {
			plan, err := o.plan(ctx)
			if err != nil {
				return err
			}
			if dry {
				return f.tellPlan(c.OutOrStdout(), plan)
			}
			done, err := o.goOn(ctx, force)
			if err != nil {
				return err
			}
			if wait {
				err := o.waitFor(ctx, c.ErrOrStderr(), "rebalancing", func(s *command.ClusterStatus) (int, bool, error) {
					p, err := o.plan(ctx)
					return len(p.Moves), err == nil && len(p.Moves) == 0 && len(s.Moves) == 0, err
				})
				if err != nil {
					return err
				}
				return f.tellChange(c, done, "every node has its share")
			}
			if len(plan.Moves) == 0 {
				return f.tellChange(c, done, "every node has its share already")
			}
			return f.tellChange(c, done, "%s to be moved; larder cluster status --watch shows how far it is", plural(len(plan.Moves), "partition"))
		}),
	}
	f.bindCluster(c)
	c.Flags().BoolVarP(&dry, "dry-run", "n", false, "only show what would be moved")
	c.Flags().BoolVar(&wait, "wait", false, "return when every node has its share")
	c.Flags().BoolVar(&force, "force", false, "also when somebody else has paused it")
	return c
}

func (o *operator) plan(ctx context.Context) (p command.ClusterPlan, err error) {
	return p, o.document(ctx, &p, "PLAN")
}

// goOn resumes a rebalance that is paused, and makes the controller look.
func (o *operator) goOn(ctx context.Context, force bool) (changed, error) {
	s, err := o.status(ctx)
	if err != nil {
		return changed{}, err
	}
	if s.Paused {
		if _, err := o.change(ctx, forced(force, "RESUME")...); err != nil {
			return changed{}, err
		}
	}
	return o.change(ctx, "REBALANCE")
}

// tellPlan writes what a rebalance would do.
func (f *clientFlags) tellPlan(w io.Writer, p command.ClusterPlan) error {
	if f.json {
		return writeJSON(w, p)
	}
	cols := []column{
		{title: "NODE", limit: 24}, {title: "ID"}, {title: "BEFORE", right: true}, {title: "AFTER", right: true},
		{title: "OUT", right: true}, {title: "IN", right: true},
	}
	for _, n := range p.Nodes {
		for i, cell := range []string{cmp.Or(n.Name, "-"), n.ID.Short(), strconv.Itoa(n.Before), strconv.Itoa(n.After), dashed(n.Out), dashed(n.In)} {
			cols[i].cells = append(cols[i].cells, cell)
		}
	}
	var b strings.Builder
	writeColumns(&b, cols, 80)
	begun := 0
	for _, m := range p.Moves {
		if m.Begun {
			begun++
		}
	}
	switch {
	case len(p.Moves) == 0:
		b.WriteString("\nNothing is to be moved: every node has its share.\n")
	case begun > 0:
		fmt.Fprintf(&b, "\n%s to be moved, of which %d are under way.\n", plural(len(p.Moves), "partition"), begun)
	default:
		fmt.Fprintf(&b, "\n%s to be moved.\n", plural(len(p.Moves), "partition"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
