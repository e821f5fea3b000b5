package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func newConfigSetCommand() *cobra.Command {
	f := &clientFlags{}
	var comment string
	var expected uint64
	c := &cobra.Command{
		Use:   "set PATH=VALUE...",
		Short: "Change settings of the cluster, all of those given or none",
		Long: `Change settings of the cluster, all of those given or none. They are judged as a
whole, in force on every node at once, and in the history with your name and
address. What needs a restart of nodes is told.

A value of - is read from standard input, for passwords.`,
		Example: `  larder config set limits.clients=20000 -m 'more workers'
  larder config set memory.maxmemory=75% memory.policy=allkeys-lru
  larder config set auth.password=- < password.txt
  larder config set --if 7 slowlog.slower_than=5ms`,
		Args:              arguments("PATH=VALUE..."),
		ValidArgsFunction: completePaths("="),
		RunE: func(c *cobra.Command, args []string) error {
			words := []string{"SET"}
			if expected > 0 {
				words = append(words, "IF", strconv.FormatUint(expected, 10))
			}
			words = append(words, withComment(comment)...)
			for _, arg := range args {
				path, value, ok := strings.Cut(arg, "=")
				if !ok || path == "" {
					return misuse("write for example limits.clients=20000; larder config unset "+arg+" gives a setting its default", "%q is not PATH=VALUE", arg)
				}
				value, err := secretValue(c, value)
				if err != nil {
					return err
				}
				words = append(words, path, value)
			}
			return f.changeSettings(c, words...)
		},
	}
	f.bindSettings(c)
	bindChange(c, &comment)
	c.Flags().Uint64Var(&expected, "if", 0, "only if none of these settings has changed since this `revision`")
	return c
}

// bindChange adds the flags of every change.
func bindChange(c *cobra.Command, comment *string) {
	c.Flags().StringVarP(comment, "message", "m", "", "`why`, for the history")
}

func newConfigUnsetCommand() *cobra.Command {
	f := &clientFlags{}
	var comment string
	c := &cobra.Command{
		Use:   "unset PATH...",
		Short: "Give settings of the cluster their defaults",
		Long: `Give settings of the cluster their defaults, all of those named or none. A
section stands for what is in it; sources.NAME takes a source out.`,
		Example: `  larder config unset limits.clients
  larder config unset namespaces.users sources.shop`,
		Args:              arguments("PATH..."),
		ValidArgsFunction: completePaths(""),
		RunE: func(c *cobra.Command, args []string) error {
			return f.changeSettings(c, append([]string{"UNSET"}, withComment(comment, args...)...)...)
		},
	}
	f.bindSettings(c)
	bindChange(c, &comment)
	return c
}

func newConfigRollbackCommand() *cobra.Command {
	f := &clientFlags{}
	var comment string
	c := &cobra.Command{
		Use:   "rollback REVISION",
		Short: "Go back to the settings of an earlier revision",
		Long: `Go back to the settings of an earlier revision, whatever has changed since: they
become a new revision. larder config history lists those there are.`,
		Args: arguments("REVISION"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkRevision(args[0]); err != nil {
				return err
			}
			words := []string{"ROLLBACK", args[0]}
			if comment != "" {
				words = append(words, "COMMENT", comment)
			}
			return f.changeSettings(c, words...)
		},
	}
	f.bindSettings(c)
	bindChange(c, &comment)
	return c
}

func checkRevision(text string) error {
	if n, err := strconv.ParseUint(text, 10, 63); err != nil || n == 0 {
		return misuse("larder config history lists the revisions", "%q is not a revision: it is a number from 1 on", text)
	}
	return nil
}
