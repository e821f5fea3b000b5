package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/command"
)

func newClusterTokenCommand() *cobra.Command {
	f := &clientFlags{}
	life, uses, note := 24*time.Hour, uint(0), ""
	c := &cobra.Command{
		Use:   "token",
		Short: "Make a token that lets nodes join",
		Long: `Make a token that lets nodes join, and print it. It is a secret: who has it can be a
member. It is not kept; larder cluster token list shows what it is good for.`,
		Example: `  larder cluster token --ttl 1h --uses 1
  LARDER_TOKEN=larder1.... larder serve --join 10.0.0.1`,
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, _ []string) error {
			seconds := int64(life / time.Second)
			if life < 0 {
				seconds = -1
			}
			words := []string{"TOKEN", "CREATE", "TTL", strconv.FormatInt(seconds, 10), "USES", strconv.Itoa(int(uses))}
			if note != "" {
				words = append(words, "NOTE", note)
			}
			return f.tellToken(ctx, c, o, words)
		}),
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return misuse("see "+c.CommandPath()+" --help", "there is no command %s %s", c.CommandPath(), args[0])
		}
		if life > -time.Second && life < time.Second || life > 24*365*50*time.Hour {
			return misuse("write for example --ttl 1h, or -1s for ever", "--ttl %v is no time that a token could be good for", life)
		}
		return nil
	}
	f.bindCluster(c)
	c.Flags().DurationVar(&life, "ttl", life, "how long it is good for; negative: for ever")
	c.Flags().UintVar(&uses, "uses", 0, "how many nodes may join with it, a `number`; 0: any number")
	c.Flags().StringVar(&note, "note", "", "a `text` to know it again")
	c.AddCommand(newClusterTokenListCommand(), newClusterTokenRevokeCommand())
	return c
}

// madeToken is a new token.
type madeToken struct {
	Token   string    `json:"token"`
	ID      string    `json:"id"`
	Expires time.Time `json:"expires,omitzero"`
}

func (f *clientFlags) tellToken(ctx context.Context, c *cobra.Command, o *operator, words []string) error {
	reply, err := o.ask(ctx, words...)
	if err != nil {
		return err
	}
	parts, err := reply.ToArray()
	if err != nil || len(parts) != 3 {
		return errStrangeCluster
	}
	var t madeToken
	var errs [3]error
	var ends int64
	t.Token, errs[0] = parts[0].ToString()
	t.ID, errs[1] = parts[1].ToString()
	ends, errs[2] = parts[2].AsInt64()
	if errors.Join(errs[:]...) != nil {
		return errStrangeCluster
	}
	if ends > 0 {
		t.Expires = time.UnixMilli(ends).UTC()
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), t)
	}
	fmt.Fprintln(c.OutOrStdout(), t.Token)
	until := "for ever"
	if ends > 0 {
		until = "until " + localTime(t.Expires)
	}
	say(c.ErrOrStderr(), "note: ", fmt.Sprintf("token %s is good %s; larder cluster token revoke %s takes it back", t.ID, until, t.ID))
	return nil
}

func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04 -0700") }

func newClusterTokenListCommand() *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{
		Use:   "list",
		Short: "Show the tokens there are, not the secrets",
		Args:  arguments(),
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, _ []string) error {
			list := []command.JoinToken{}
			if err := o.document(ctx, &list, "TOKEN", "LIST"); err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), list)
			}
			if len(list) == 0 {
				fmt.Fprintln(c.OutOrStdout(), "there is no token")
				return nil
			}
			cols := []column{{title: "ID"}, {title: "EXPIRES"}, {title: "USED", right: true}, {title: "NOTE", limit: 32}}
			for _, t := range list {
				expires, used := "never", strconv.Itoa(t.Used)
				if !t.Expires.IsZero() {
					expires = localTime(t.Expires)
				}
				if t.Uses > 0 {
					used += " of " + strconv.Itoa(t.Uses)
				}
				for i, cell := range []string{t.ID, expires, used, t.Note} {
					cols[i].cells = append(cols[i].cells, cell)
				}
			}
			var b strings.Builder
			writeColumns(&b, cols, 80)
			_, err := fmt.Fprint(c.OutOrStdout(), b.String())
			return err
		}),
	}
	f.bindCluster(c)
	return c
}

func newClusterTokenRevokeCommand() *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{
		Use:   "revoke ID",
		Short: "Take a token back; nodes that have joined with it stay",
		Args:  arguments("ID"),
		RunE: f.operating(func(ctx context.Context, c *cobra.Command, o *operator, args []string) error {
			done, err := o.change(ctx, "TOKEN", "REVOKE", args[0])
			if err != nil {
				return err
			}
			return f.tellChange(c, done, "token %s lets nobody in any more", args[0])
		}),
	}
	f.bindCluster(c)
	return c
}
