package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/config"
)

// newConfigCommand returns `larder config` with its subcommands.
func newConfigCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "config",
		Short: "Explain, check, show and change the configuration",
		Long: `Explain, check, show and change the configuration.

To begin one:       larder config reference > larder.yaml
To check it:        larder config check larder.yaml
To use it:          larder serve --config larder.yaml
Of a running node:  larder config get
Of a cluster:       larder config set limits.clients=20000`,
	})
	c.AddCommand(newConfigReferenceCommand(), newConfigCheckCommand(), newConfigShowCommand(),
		newConfigGetCommand(), newConfigSetCommand(), newConfigUnsetCommand(), newConfigEditCommand(),
		newConfigHistoryCommand(), newConfigDiffCommand(), newConfigRollbackCommand())
	return c
}

func newConfigReferenceCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reference",
		Short: "Print every setting with its meaning and default, as a larder.yaml",
		Args:  arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			return config.WriteReference(c.OutOrStdout())
		},
	}
}

func newConfigCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Tell what is wrong with a file, all at once",
		Long: `Tell what is wrong with a file, all at once, with line, column and what to write
instead. Nothing is started and no database is asked. LARDER_PASSWORD counts as
it does for larder serve. Exit code 2 when anything is wrong.`,
		Args:              arguments("FILE"),
		ValidArgsFunction: yamlFiles,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config.Load(args[0], environment()...)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is valid: %s, %s\n", args[0],
				plural(len(cfg.Sources), "source"), plural(len(cfg.Namespaces), "namespace"))
			return nil
		},
	}
}

func newConfigShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show [FILE]",
		Short: "Print the settings that a file results in, defaults included",
		Long: `Print the settings that a file results in, defaults included, without passwords.
Without FILE: those of LARDER_CONFIG, or of a node without a file.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return arguments("FILE")(c, args)
		},
		ValidArgsFunction: yamlFiles,
		RunE: func(c *cobra.Command, args []string) error {
			file := os.Getenv("LARDER_CONFIG")
			if len(args) > 0 {
				file = args[0]
			}
			cfg, err := config.Load(file, environment()...)
			if err != nil {
				return err
			}
			return config.WriteEffective(c.OutOrStdout(), cfg)
		},
	}
}

func yamlFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// words returns a completion from a few words.
func words[T ~string](list ...T) cobra.CompletionFunc {
	all := make([]string, len(list))
	for i, w := range list {
		all[i] = string(w)
	}
	return cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp)
}
