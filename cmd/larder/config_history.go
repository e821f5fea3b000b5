package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/config"
)

func newConfigHistoryCommand() *cobra.Command {
	f := &clientFlags{}
	count := uint(20)
	c := &cobra.Command{
		Use:   "history",
		Short: "List who changed the settings of the cluster, when and why",
		Long: `List who changed the settings of the cluster, when and why, the last change first.
The last 256 revisions are kept.`,
		Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error { return runConfigHistory(c, f, count) },
	}
	f.bindSettings(c)
	c.Flags().UintVarP(&count, "count", "n", count, "`number` of revisions")
	return c
}

// settingsRevision is a line of the history.
type settingsRevision struct {
	Revision int64     `json:"revision"`
	Time     time.Time `json:"time"`
	Author   string    `json:"author"`
	Comment  string    `json:"comment,omitempty"`
	Changed  []string  `json:"changed"`
}

func runConfigHistory(c *cobra.Command, f *clientFlags, count uint) error {
	if count == 0 {
		return misuse("write for example -n 20", "--count 0 lists nothing")
	}
	reply, err := f.askSettings(c.Context(), "HISTORY", strconv.FormatUint(uint64(count), 10))
	if err != nil {
		return err
	}
	rows, err := reply.ToArray()
	if err != nil {
		return errStrangeReply
	}
	list := []settingsRevision{}
	for _, row := range rows {
		parts, err := row.ToArray()
		if err != nil || len(parts) < 5 {
			return errStrangeReply
		}
		var r settingsRevision
		var errs [5]error
		var at int64
		r.Revision, errs[0] = parts[0].AsInt64()
		at, errs[1] = parts[1].AsInt64()
		r.Author, errs[2] = parts[2].ToString()
		r.Comment, errs[3] = parts[3].ToString()
		r.Changed, errs[4] = parts[4].AsStrSlice()
		if errors.Join(errs[:]...) != nil {
			return errStrangeReply
		}
		r.Time = time.UnixMilli(at).UTC()
		list = append(list, r)
	}
	out := c.OutOrStdout()
	if f.json {
		return writeJSON(out, list)
	}
	for _, r := range list {
		fmt.Fprintf(out, "%d  %s  %s\n", r.Revision, r.Time.Local().Format("2006-01-02 15:04:05 -0700"), r.Author)
		if r.Comment != "" {
			fmt.Fprintln(out, strings.Join(config.Wrap(r.Comment, 80, "    ", "    "), "\n"))
		}
		fmt.Fprintln(out, strings.Join(config.Wrap(strings.Join(r.Changed, ", "), 80, "    ", "    "), "\n"))
	}
	if len(list) == 0 {
		fmt.Fprintln(out, "nobody has set anything yet")
	}
	return nil
}

func newConfigDiffCommand() *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{
		Use:   "diff [A [B]]",
		Short: "Show what differs between revisions of the settings",
		Long: `Show what differs between revisions of the settings of the cluster: what the last
change did, what has changed since revision A, or what makes B of A. Passwords
are not shown, only that they differ.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 2 {
				return arguments("A", "B")(c, args)
			}
			for _, arg := range args {
				if err := checkRevision(arg); err != nil {
					return err
				}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			reply, err := f.askSettings(c.Context(), append([]string{"DIFF"}, args...)...)
			if err != nil {
				return err
			}
			text, err := reply.ToString()
			if err != nil {
				return errStrangeReply
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), strings.Split(strings.TrimSuffix(text, "\n"), "\n"))
			}
			if text == "" {
				text = "nothing differs\n"
			}
			_, err = fmt.Fprint(c.OutOrStdout(), text)
			return err
		},
	}
	f.bindSettings(c)
	return c
}
