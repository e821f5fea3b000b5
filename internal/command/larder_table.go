package command

import "slices"

// larderTable are the rows of LARDER, the command for what is larder's own. Each
// subcommand is about one part of a cluster and has words of its own behind it,
// in a table beside its handlers: larder_config.go is the first.
var larderTable = []*Command{
	{
		Name: "larder", Arity: -2,
		Group: "larder", Since: "1.0.0", Cost: "Depends on subcommand",
		Summary: "Subcommands of larder's own.",
		Sub: []*Command{
			{
				Name: "config", Arity: -3, Flags: Admin | NoScript | Loading | Stale | Slow | NoMulti | SkipMonitor | SkipSlowLog,
				Group: "larder", Since: "1.0.0", Cost: "Depends on the word behind it",
				Summary: "Shows and changes settings: those of the node, and in a cluster those of all nodes.",
				Args: []Arg{
					{Name: "action", Type: "string"},
					{Name: "argument", Type: "string", Optional: true, Multiple: true},
				},
				Run: runLarderConfig,
			},
			{
				Name: "cluster", Arity: -3, Flags: Admin | NoScript | Loading | Stale | Slow | NoMulti | SkipSlowLog,
				Group: "larder", Since: "1.0.0", Cost: "Depends on the word behind it",
				Summary: "Shows the nodes of the cluster and what they hold, and changes it.",
				Args: []Arg{
					{Name: "action", Type: "string"},
					{Name: "argument", Type: "string", Optional: true, Multiple: true},
				},
				Run: runLarderCluster,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale,
				Group: "larder", Since: "1.0.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runLarderHelp,
			},
		},
	},
}

// larderHelp are the lines of LARDER HELP.
var larderHelp = slices.Concat(larderConfigHelp, larderClusterHelp)

func runLarderHelp(c *Context) { c.help("LARDER", larderHelp...) }
