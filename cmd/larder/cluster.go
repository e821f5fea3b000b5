package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redis/rueidis"
	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
)

// operateTimeout is longer than a node takes for a request of an operator at most.
const operateTimeout = 25 * time.Second

// newClusterCommand returns `larder cluster` with its subcommands.
func newClusterCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "cluster",
		Short: "Show and change the nodes of a cluster",
		Long: `Show and change the nodes of a cluster. Any node can be asked. A node is named by
its name, its id or the beginning of it, or an address of it.

To begin one:        larder serve --cluster
To add a node:       larder cluster token, on a member; then on the new machine
                     larder serve --join HOST --token TOKEN
To take one out:     larder cluster remove NODE
To service one:      larder cluster drain NODE --wait; later: activate NODE
To restart all:      larder cluster restart, also with a new binary
To see what happens: larder cluster status --watch`,
	})
	c.AddCommand(newClusterStatusCommand(),
		newClusterDrainCommand(), newClusterActivateCommand(), newClusterRemoveCommand(),
		newClusterFailoverCommand(), newClusterRestartCommand(),
		newClusterRebalanceCommand(), newClusterPauseCommand(), newClusterResumeCommand(),
		newClusterMoveCommand(), newClusterReleaseCommand(), newClusterAcceptLossCommand(),
		newClusterTokenCommand(), newClusterCoordinatorsCommand(), newClusterCoordinatorCommand())
	return c
}

// bindCluster adds the flags of a command that operates a cluster.
func (f *clientFlags) bindCluster(c *cobra.Command) {
	f.bind(c)
	f.timeout = operateTimeout
	c.Flags().Lookup("timeout").DefValue = operateTimeout.String()
	_ = c.Flags().MarkHidden("db") // fails only for flags that do not exist
}

// operator is a connection to the node that is asked.
type operator struct{ *client }

func (f *clientFlags) operate(ctx context.Context) (*operator, error) {
	c, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	return &operator{c}, nil
}

// ask sends LARDER CLUSTER and returns the reply.
func (o *operator) ask(ctx context.Context, words ...string) (rueidis.RedisMessage, error) {
	request := o.B().Arbitrary("LARDER", "CLUSTER").Args(words...).Build()
	reply, err := o.Do(ctx, request).ToMessage()
	var answer *rueidis.RedisError
	switch {
	case err == nil:
		return reply, nil
	case errors.As(err, &answer):
		return reply, refusedCluster(answer)
	}
	return reply, o.explain(err)
}

// document asks for a document in JSON.
func (o *operator) document(ctx context.Context, into any, words ...string) error {
	reply, err := o.ask(ctx, append(words, "JSON")...)
	if err != nil {
		return err
	}
	text, err := reply.ToString()
	if err != nil || json.Unmarshal([]byte(text), into) != nil {
		return errStrangeCluster
	}
	return nil
}

var errStrangeCluster = &fault{errors.New("the server answered LARDER CLUSTER in a way this program does not know"), "use the larder of the server's version", exitFailed}

// refusedCluster explains an error that LARDER CLUSTER was answered with.
func refusedCluster(answer *rueidis.RedisError) error {
	text := strings.TrimPrefix(strings.TrimPrefix(answer.Error(), "ERR "), "NOQUORUM ")
	code, _, _ := strings.Cut(text, " ")
	switch {
	case strings.HasPrefix(text, "unknown "):
		return &fault{errors.New("the server does not know LARDER CLUSTER"), "is it larder, and of this version?", exitFailed}
	case strings.HasPrefix(text, "this node is not part of a cluster: "):
		text, hint, _ := strings.Cut(text, ": ")
		return &fault{errors.New(text), hint, exitFailed}
	case len(code) > 2 && strings.ToUpper(code) == code:
		return refused(answer)
	}
	text, hint, _ := strings.Cut(text, "; ")
	return &fault{errors.New(text), hint, exitFailed}
}

// changed is what became of a request.
type changed struct {
	Notes []string `json:"notes"`
}

// change sends a request and returns the remarks on it.
func (o *operator) change(ctx context.Context, words ...string) (changed, error) {
	reply, err := o.ask(ctx, words...)
	if err != nil {
		return changed{}, err
	}
	notes, err := reply.AsStrSlice()
	if err != nil {
		return changed{}, errStrangeCluster
	}
	return changed{notes}, nil
}

// forced adds FORCE to the words of a request.
func forced(force bool, words ...string) []string {
	if force {
		words = append(words, "FORCE")
	}
	return words
}

// tellChange writes what became of a request: in JSON, or in words with the
// remarks behind it.
func (f *clientFlags) tellChange(c *cobra.Command, done changed, format string, args ...any) error {
	if f.json {
		return writeJSON(c.OutOrStdout(), done)
	}
	note(c.ErrOrStderr(), done.Notes)
	say(c.OutOrStdout(), "", fmt.Sprintf(format, args...))
	return nil
}

func note(w io.Writer, notes []string) {
	for _, text := range notes {
		fmt.Fprintln(w, strings.Join(config.Wrap(text, 80, "note: ", "      "), "\n"))
	}
}

// status asks for the state of the cluster.
func (o *operator) status(ctx context.Context) (s command.ClusterStatus, err error) {
	return s, o.document(ctx, &s, "STATUS")
}

// completeNodes completes names of nodes, as far as the server answers quickly.
func (f *clientFlags) completeNodes(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	f.timeout = time.Second
	ctx, cancel := context.WithTimeout(orBackground(c.Context()), f.timeout)
	defer cancel()
	o, err := f.operate(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer o.Close()
	s, _ := o.status(ctx) // of no answer nothing is completed
	var names []string
	for _, n := range s.Nodes {
		names = append(names, nameOf(&n))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
