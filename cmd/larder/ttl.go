package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/config"
)

func newTTLCommand() *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{
		Use:   "ttl KEY",
		Short: "Print how long a key still lives",
		Long: `Print how long a key still lives, such as 4m59s, or "never expires". Exit code 3
when there is no such key.`,
		Example:           `  larder ttl greeting`,
		Args:              arguments("KEY"),
		ValidArgsFunction: f.completeKeys,
		RunE:              func(c *cobra.Command, args []string) error { return runTTL(c, f, args[0]) },
	}
	f.bind(c)
	return c
}

func runTTL(c *cobra.Command, f *clientFlags, key string) error {
	server, err := f.open(c.Context())
	if err != nil {
		return err
	}
	defer server.Close()
	reply, err := server.do(c.Context(), "PTTL", key)
	if err != nil {
		return err
	}
	ms, err := reply.AsInt64()
	if err != nil {
		return server.explain(err)
	}
	const absent, forever = -2, -1
	if ms == absent {
		return no("no such key: %s", shown(key))
	}
	if f.json {
		answer := struct {
			Key jsonBytes `json:"key"`
			TTL *int64    `json:"ttl_ms"` // null: never
		}{Key: jsonBytes(key)}
		if ms != forever {
			answer.TTL = &ms
		}
		return json.NewEncoder(c.OutOrStdout()).Encode(answer)
	}
	text := "never expires"
	if ms != forever {
		text = config.FormatDuration(coarse(time.Duration(ms) * time.Millisecond))
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), text)
	return err
}

// coarse drops what nobody wants to know of a long time: milliseconds of
// minutes, seconds of days.
func coarse(d time.Duration) time.Duration {
	switch {
	case d >= 48*time.Hour:
		return d.Round(time.Minute)
	case d >= 10*time.Second:
		return d.Round(time.Second)
	}
	return d
}
