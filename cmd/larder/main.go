// Command larder is a distributed in-memory cache that speaks the Redis
// protocol, and everything that goes with it: see larder help.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	if err := newRootCommand().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "larder:", err)
		os.Exit(1)
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "larder",
		Short:         "An in-memory cache that speaks Redis and fills itself from your database",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newServeCommand(), newBenchCommand(), newDemoCommand(), newVersionCommand())
	return root
}
