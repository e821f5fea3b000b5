package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/redis/rueidis"
	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/config/settings"
)

// changeTimeout is longer than a node takes for a change of settings at most.
const changeTimeout = 15 * time.Second

// bindSettings adds the flags of a command that asks a running node for
// settings, or changes them.
func (f *clientFlags) bindSettings(c *cobra.Command) {
	f.bind(c)
	f.timeout = changeTimeout
	c.Flags().Lookup("timeout").DefValue = changeTimeout.String()
	_ = c.Flags().MarkHidden("db") // fails only for flags that do not exist
}

// askSettings sends LARDER CONFIG and returns the reply.
func (f *clientFlags) askSettings(ctx context.Context, words ...string) (rueidis.RedisMessage, error) {
	server, err := f.open(ctx)
	if err != nil {
		return rueidis.RedisMessage{}, err
	}
	defer server.Close()
	request := server.B().Arbitrary("LARDER", "CONFIG").Args(words...).Build()
	reply, err := server.Do(ctx, request).ToMessage()
	if err == nil {
		return reply, nil
	}
	var answer *rueidis.RedisError
	if !errors.As(err, &answer) {
		return reply, server.explain(err)
	}
	return reply, refusedSettings(answer)
}

// rejected are settings that the cluster has not taken.
type rejected struct {
	problems []string // each with what to do behind a semicolon
}

// Error returns a paragraph for each problem.
func (r *rejected) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "nothing was changed: %s\n", plural(len(r.problems), "problem"))
	for _, p := range r.problems {
		text, hint, _ := strings.Cut(p, "; ")
		b.WriteString("\n" + strings.Join(config.Wrap(text, 80, "", "    "), "\n") + "\n")
		if hint != "" {
			b.WriteString(strings.Join(config.Wrap(hint, 80, "    ", "    "), "\n") + "\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// conflicted says that somebody else has changed the same settings.
type conflicted struct{ text string }

// Error implements error.
func (c *conflicted) Error() string { return c.text }

// refusedSettings explains an error that LARDER CONFIG was answered with.
func refusedSettings(answer *rueidis.RedisError) error {
	whole := strings.TrimPrefix(strings.TrimPrefix(answer.Error(), "ERR "), "NOQUORUM ")
	code, text, _ := strings.Cut(whole, " ")
	switch {
	case code == "INVALID":
		return &fault{&rejected{strings.Split(text, settings.Separator)}, "", exitUsage}
	case code == "CONFLICT":
		text, hint, _ := strings.Cut(text, "; ")
		return &fault{&conflicted{text}, hint, exitFailed}
	case strings.ToUpper(code) == code:
		return refused(answer)
	case strings.HasPrefix(whole, "unknown command"):
		return &fault{errors.New("the server does not know LARDER CONFIG"), "is it larder, and of this version?", exitFailed}
	case strings.HasPrefix(whole, "this node is not part of a cluster: "):
		text, hint, _ := strings.Cut(whole, ": ")
		return &fault{errors.New(text), hint, exitFailed}
	}
	text, hint, _ := strings.Cut(whole, "; ")
	return &fault{errors.New(text), hint, exitFailed}
}

// changedSettings is the reply of a change.
type changedSettings struct {
	Revision int64    `json:"revision"`
	Changed  []string `json:"changed"`
	Notices  []string `json:"notices"`
}

// changeSettings sends a change and tells what became of it.
func (f *clientFlags) changeSettings(c *cobra.Command, words ...string) error {
	reply, err := f.askSettings(c.Context(), words...)
	if err != nil {
		return err
	}
	var result changedSettings
	parts, err := reply.ToArray()
	if err != nil || len(parts) != 3 {
		return errStrangeReply
	}
	var errs [3]error
	result.Revision, errs[0] = parts[0].AsInt64()
	result.Changed, errs[1] = parts[1].AsStrSlice()
	result.Notices, errs[2] = parts[2].AsStrSlice()
	if errors.Join(errs[:]...) != nil {
		return errStrangeReply
	}
	out := c.OutOrStdout()
	if f.json {
		return writeJSON(out, result)
	}
	if len(result.Changed) == 0 {
		fmt.Fprintf(out, "nothing to change; the settings stay at revision %d\n", result.Revision)
	} else {
		fmt.Fprintf(out, "revision %d: %s\n", result.Revision, strings.Join(result.Changed, ", "))
	}
	for _, notice := range result.Notices {
		fmt.Fprintln(c.ErrOrStderr(), strings.Join(config.Wrap(notice, 80, "note: ", "      "), "\n"))
	}
	return nil
}

var errStrangeReply = &fault{errors.New("the server answered LARDER CONFIG in a way this program does not know"), "use the larder of the server's version", exitFailed}

// withComment puts a comment before the words of a change.
func withComment(comment string, words ...string) []string {
	if comment == "" {
		return words
	}
	return append([]string{"COMMENT", comment}, words...)
}

// secretValue reads the value of a setting from standard input when it is -, so
// that others of the machine do not see it.
func secretValue(c *cobra.Command, value string) (string, error) {
	if value != "-" {
		return value, nil
	}
	data, err := io.ReadAll(io.LimitReader(c.InOrStdin(), config.MaxSharedBytes))
	if err != nil {
		return "", fmt.Errorf("read the value from standard input: %w", err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// completePaths completes paths of settings, with suffix behind each.
func completePaths(suffix string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		var found []string
		for _, path := range config.Names() {
			if strings.HasPrefix(path, prefix) && !strings.Contains(path, "*") {
				found = append(found, path+suffix)
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// editor returns the program that a person edits files with.
func editor() string {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if program := os.Getenv(name); program != "" {
			return program
		}
	}
	return "vi"
}
