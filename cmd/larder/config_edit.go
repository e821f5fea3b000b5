package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/config"
)

func newConfigEditCommand() *cobra.Command {
	f := &clientFlags{}
	var comment string
	c := &cobra.Command{
		Use:   "edit",
		Short: "Edit the settings of the cluster in your editor",
		Long: `Edit the settings of the cluster in your editor (VISUAL, EDITOR, else vi). What
you save is judged as a whole; when something is wrong the editor opens again
with the problems on top. Settings that others change meanwhile stay theirs; the
same setting changed by both is an error, and your text stays in a file.`,
		Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error { return runConfigEdit(c, f, comment) },
	}
	f.bindSettings(c)
	bindChange(c, &comment)
	return c
}

// editMark begins the lines that are ours in an edited file.
const editMark = "#| "

func editHead(revision int64) string {
	return fmt.Sprintf(`%sThe settings of the cluster at revision %d, as a larder.yaml. What is not here
%shas its default: larder config reference. Passwords are xxxxx; leave them so to
%skeep them. Other comments than these are not kept. Save an unchanged file, or
%san empty one, to change nothing.
`, editMark, revision, editMark, editMark, editMark)
}

func runConfigEdit(c *cobra.Command, f *clientFlags, comment string) error {
	reply, err := f.askSettings(c.Context(), "SHOW")
	if err != nil {
		return err
	}
	parts, err := reply.ToArray()
	if err != nil || len(parts) != 2 {
		return errStrangeReply
	}
	revision, errRevision := parts[0].AsInt64()
	before, err := parts[1].ToString()
	if errors.Join(errRevision, err) != nil {
		return errStrangeReply
	}
	file, err := newEditFile()
	if err != nil {
		return err
	}
	keep := false
	defer func() {
		if !keep {
			_ = os.Remove(file) // it has nothing that is not in the cluster
		}
	}()
	head, text := editHead(revision), before
	for {
		written, err := editText(c, file, head, text)
		if err != nil {
			return err
		}
		if written == text || strings.TrimSpace(written) == "" {
			if text != before {
				keep = true
				return &fault{errors.New("nothing was changed: the text was left as it was, with its problems"), "it is in " + file, exitFailed}
			}
			fmt.Fprintln(c.OutOrStdout(), "nothing was changed")
			return nil
		}
		words := []string{"REPLACE", strconv.FormatInt(revision, 10), written}
		if comment != "" {
			words = append(words, "COMMENT", comment)
		}
		err = f.changeSettings(c, words...)
		var wrong *rejected
		if !errors.As(err, &wrong) {
			if err != nil {
				keep = true
				fmt.Fprintf(c.ErrOrStderr(), "larder: your text is in %s\n", file)
			}
			return err
		}
		head, text = problemHead(wrong)+editHead(revision), written
	}
}

// problemHead tells problems in comments. Their lines count from the first line
// below it.
func problemHead(wrong *rejected) string {
	var b strings.Builder
	b.WriteString(editMark + "This cannot be used. Lines are counted from the first one below these:\n")
	for _, p := range wrong.problems {
		text, hint, _ := strings.Cut(strings.TrimPrefix(p, "settings:"), "; ")
		b.WriteString(strings.Join(config.Wrap(text, 80, editMark+"- ", editMark+"  "), "\n") + "\n")
		if hint != "" {
			b.WriteString(strings.Join(config.Wrap(hint, 80, editMark+"  ", editMark+"  "), "\n") + "\n")
		}
	}
	b.WriteString(strings.TrimSpace(editMark) + "\n")
	return b.String()
}

// newEditFile makes a file that only this user can read: a person may write a
// password into it.
func newEditFile() (string, error) {
	f, err := os.CreateTemp("", "larder-settings-*.yaml")
	if err != nil {
		return "", fmt.Errorf("make a file to edit: %w", err)
	}
	return f.Name(), f.Close()
}

// editText has a person edit a text and returns what was saved, without our own
// lines.
func editText(c *cobra.Command, file, head, text string) (string, error) {
	if err := os.WriteFile(file, []byte(head+text), 0o600); err != nil {
		return "", fmt.Errorf("write the file to edit: %w", err)
	}
	program := editor()
	run := exec.CommandContext(orBackground(c.Context()), "sh", "-c", program+` "$1"`, "larder", file)
	run.Stdin, run.Stdout, run.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := run.Run(); err != nil {
		return "", &fault{fmt.Errorf("the editor %s: %w; nothing was changed", program, err), "set EDITOR to the editor of your choice", exitFailed}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the edited file: %w", err)
	}
	var saved strings.Builder
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, strings.TrimSpace(editMark)) {
			saved.WriteString(line)
		}
	}
	return saved.String(), nil
}
