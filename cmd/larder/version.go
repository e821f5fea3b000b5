package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/node"
)

// Set by the linker: see the Makefile.
var (
	version = "dev"
	commit  = ""
	date    = ""
)

// build returns what the program knows about itself. A program built without
// the Makefile still knows its module version and the commit it was built from.
func build() node.Build {
	b := node.Build{Version: version, Commit: commit, Date: date}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.Version == "dev" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && b.Commit == "":
			b.Commit = s.Value
		case s.Key == "vcs.time" && b.Date == "":
			b.Date = s.Value
		}
	}
	return b
}

func newVersionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit and the date of the build",
		Args:  arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			b := build()
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]string{
					"version": b.Version, "commit": b.Commit, "date": b.Date,
					"go": runtime.Version(), "platform": platform, "redis": command.RedisVersion,
				})
			}
			fmt.Fprintf(c.OutOrStdout(), "larder %s\ncommit %s\nbuilt  %s\n%s %s, commands of Redis %s\n",
				b.Version, orUnknown(b.Commit), orUnknown(b.Date), runtime.Version(), platform, command.RedisVersion)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return c
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
