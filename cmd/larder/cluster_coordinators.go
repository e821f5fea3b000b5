package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/command"
)

func newClusterCoordinatorsCommand() *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{
		Use:   "coordinators",
		Short: "Show the nodes that run the configuration service",
		Long: `Show the nodes that run the configuration service. Changes need more than half of
them; without, data is served all the same.`,
		Args: arguments(),
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, _ []string) error {
			list := []command.Coordinator{}
			if err := o.document(ctx, &list, "COORDINATORS"); err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), list)
			}
			_, err := fmt.Fprint(c.OutOrStdout(), coordinatorsText(list))
			return err
		}),
	}
	f.bindCluster(c)
	return c
}

func coordinatorsText(list []command.Coordinator) string {
	cols := []column{{title: "NODE", limit: 16}, {title: "ID"}, {title: "ADDRESS", limit: 24}, {title: "STATE", limit: 32}, {title: "STORE", right: true}}
	healthy := 0
	for _, m := range list {
		state, size := "well", shortBytes(uint64(max(0, m.Bytes)))
		switch {
		case !m.Healthy:
			state, size = cmp.Or(m.Problem, "not well"), "-"
		case m.Leader:
			state = "well, leads"
		}
		if m.Healthy {
			healthy++
		}
		for i, cell := range []string{cmp.Or(m.Name, "-"), cmp.Or(m.Node.Short(), "-"), m.Address, state, size} {
			cols[i].cells = append(cols[i].cells, cell)
		}
	}
	var b strings.Builder
	writeColumns(&b, cols, 80)
	need := len(list)/2 + 1
	remark := ""
	switch spare := healthy - need; {
	case spare < 0:
		remark = fmt.Sprintf("No quorum: %d of %d are well, %d are needed. Data is served, changes are refused; start those that are down.", healthy, len(list), need)
	case spare == 0 && len(list) > 1:
		remark = "A quorum, but none to spare: no other may be lost. A lost one is replaced with larder cluster coordinator replace NODE."
	case healthy < len(list):
		remark = fmt.Sprintf("A quorum: %d of %d are well.", healthy, len(list))
	}
	if remark != "" {
		b.WriteString("\n")
		say(&b, "", remark)
	}
	return b.String()
}

func newClusterCoordinatorCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "coordinator",
		Short: "Replace a node that runs the configuration service",
	})
	c.AddCommand(newClusterCoordinatorReplaceCommand())
	return c
}

func newClusterCoordinatorReplaceCommand() *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{
		Use:   "replace NODE [NEXT]",
		Short: "Give the part of a coordinator, dead or alive, to another node",
		Long: `Give the part of a coordinator, dead or alive, to another node: NEXT, or one that
is chosen, of a zone without a coordinator if there is any. Both go on running.
The node itself stays a member; to give it up: larder cluster remove --force.`,
		Example: `  larder cluster coordinator replace n2
  larder cluster coordinator replace n2 n5`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return arguments("NODE")(c, args)
		},
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, args []string) error {
			done, err := o.change(ctx, append([]string{"COORDINATOR", "REPLACE"}, args...)...)
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), done)
			}
			for _, text := range done.Notes {
				say(c.OutOrStdout(), "", text)
			}
			return nil
		}),
		ValidArgsFunction: f.completeNodes,
	}
	f.bindCluster(c)
	return c
}
