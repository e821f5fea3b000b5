package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/node"
)

// Set by the linker: see the Makefile.
var (
	version = "dev"
	commit  = ""
	date    = ""
)

// build returns what the program knows about itself. A program built without
// the Makefile still knows its module version.
func build() node.Build {
	b := node.Build{Version: version, Commit: commit, Date: date}
	if info, ok := debug.ReadBuildInfo(); ok && b.Version == "dev" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	return b
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit and the date of the build",
		Args:  cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			b := build()
			fmt.Fprintf(c.OutOrStdout(), "larder %s\ncommit %s\nbuilt  %s\n%s %s/%s\n",
				b.Version, orUnknown(b.Commit), orUnknown(b.Date), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
