package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
)

func newGetCommand() *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{
		Use:   "get KEY",
		Short: "Print the value of a key",
		Long: `Print the value of a key: the bytes as they are, with a newline behind them only
at a terminal. Exit code 3 when there is no such key.`,
		Example: `  larder get greeting
  larder get page:42 > page.html`,
		Args:              arguments("KEY"),
		ValidArgsFunction: f.completeKeys,
		RunE:              func(c *cobra.Command, args []string) error { return runGet(c, f, args[0]) },
	}
	f.bind(c)
	return c
}

func runGet(c *cobra.Command, f *clientFlags, key string) error {
	server, err := f.open(c.Context())
	if err != nil {
		return err
	}
	defer server.Close()
	reply, err := server.do(c.Context(), "GET", key)
	if err != nil {
		return err
	}
	if reply.IsNil() {
		return no("no such key: %s", shown(key))
	}
	value, err := reply.ToString()
	if err != nil {
		return server.explain(err)
	}
	out := c.OutOrStdout()
	if f.json {
		return json.NewEncoder(out).Encode(struct {
			Key   jsonBytes `json:"key"`
			Value jsonBytes `json:"value"`
		}{jsonBytes(key), jsonBytes(value)})
	}
	if onTerminal(out) {
		value += "\n"
	}
	_, err = io.WriteString(out, value)
	return err
}
