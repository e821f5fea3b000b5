package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

func newDelCommand() *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{
		Use:               "del KEY...",
		Short:             "Delete keys",
		Long:              `Delete keys and print how many existed. Exit code 3 when none did.`,
		Example:           `  larder del greeting page:42`,
		Args:              arguments("KEY..."),
		ValidArgsFunction: f.completeKeys,
		RunE:              func(c *cobra.Command, args []string) error { return runDel(c, f, args) },
	}
	f.bind(c)
	return c
}

func runDel(c *cobra.Command, f *clientFlags, keys []string) error {
	server, err := f.open(c.Context())
	if err != nil {
		return err
	}
	defer server.Close()
	reply, err := server.do(c.Context(), append([]string{"DEL"}, keys...)...)
	if err != nil {
		return err
	}
	n, err := reply.AsInt64()
	if err != nil {
		return server.explain(err)
	}
	if f.json {
		err = json.NewEncoder(c.OutOrStdout()).Encode(map[string]int64{"deleted": n})
	} else if n > 0 {
		_, err = fmt.Fprintf(c.OutOrStdout(), "deleted %d of %s\n", n, plural(len(keys), "key"))
	}
	if err == nil && n == 0 {
		return no("nothing deleted: no such key")
	}
	return err
}
