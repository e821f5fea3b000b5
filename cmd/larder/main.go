// Command larder is a distributed in-memory cache that speaks the Redis
// protocol, and everything that goes with it: see larder help.
package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() { os.Exit(run()) }

// run runs the command line and returns the exit code.
func run() int { return report(os.Stderr, newRootCommand().Execute()) }

func newRootCommand() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "larder",
		Short: "An in-memory cache that speaks Redis and fills itself from your database",
		Long: `An in-memory cache that speaks Redis and fills itself from your database.

Exit codes: 0 done; 1 failed; 2 wrong command line or configuration; 3 done, and
the answer is no (no such key, not set).`,
		SilenceUsage:  true,
		SilenceErrors: true,
	})
	root.AddGroup(
		&cobra.Group{ID: groupNode, Title: "Run a node:"},
		&cobra.Group{ID: groupKeys, Title: "Work with keys:"},
		&cobra.Group{ID: groupWatch, Title: "Watch and measure:"},
	)
	// Help fits a terminal of 80 columns.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "Flags.FlagUsages ", "Flags.FlagUsagesWrapped 80 "))
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(
		in(groupNode, newServeCommand()),
		in(groupNode, newConfigCommand()),
		in(groupNode, newClusterCommand()),
		in(groupNode, newDemoCommand()),
		in(groupKeys, newGetCommand()),
		in(groupKeys, newSetCommand()),
		in(groupKeys, newDelCommand()),
		in(groupKeys, newTTLCommand()),
		in(groupKeys, newKeysCommand()),
		in(groupWatch, newTopCommand()),
		in(groupWatch, newBenchCommand()),
		newVersionCommand(),
	)
	return root
}

// The groups of subcommands in the help.
const (
	groupNode  = "node"
	groupKeys  = "keys"
	groupWatch = "watch"
)

func in(group string, c *cobra.Command) *cobra.Command {
	c.GroupID = group
	return c
}

// flagNames returns the names of a command's flags.
func flagNames(c *cobra.Command) (names []string) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}
