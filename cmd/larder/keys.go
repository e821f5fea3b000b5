package main

import (
	"bufio"
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"
)

// keysFlags are the flags of `larder keys`.
type keysFlags struct {
	clientFlags
	limit int
	null  bool
}

func newKeysCommand() *cobra.Command {
	f := &keysFlags{}
	c := &cobra.Command{
		Use:   "keys [PATTERN]",
		Short: "List keys, as they are found",
		Long: `List keys, one per line, as they are found: with SCAN, so that the server is not
held up by it. PATTERN is a glob with *, ?, [abc] and \ as in Redis; quote it
for the shell.

At a terminal keys with control characters are shown in quotes, with escapes.
Elsewhere they are written as they are; -0 ends each with a zero byte, for keys
that contain newlines.`,
		Example: `  larder keys 'user:*' --limit 20
  larder keys -0 'tmp:*' | xargs -0 larder del`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return arguments("PATTERN")(c, args)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			pattern := "*"
			if len(args) > 0 {
				pattern = args[0]
			}
			return f.run(c, pattern)
		},
	}
	c.Flags().IntVarP(&f.limit, "limit", "n", 0, "stop after so many; 0 lists all")
	c.Flags().BoolVarP(&f.null, "null", "0", false, "end keys with a zero byte instead of a newline")
	f.bind(c)
	return c
}

func (f *keysFlags) run(c *cobra.Command, pattern string) error {
	switch {
	case f.limit < 0:
		return misuse("write a number above 0, or leave it out for all", "--limit %d is negative", f.limit)
	case f.null && f.json:
		return misuse("leave out one of them", "--null and --json exclude each other")
	}
	server, err := f.open(c.Context())
	if err != nil {
		return err
	}
	defer server.Close()
	stdout := c.OutOrStdout()
	out := bufio.NewWriter(stdout)
	write := f.writer(out, onTerminal(stdout))
	cursor, left := "0", f.limit
	for {
		reply, err := server.do(c.Context(), "SCAN", cursor, "MATCH", pattern, "COUNT", "1000")
		if err != nil {
			return err
		}
		page, err := reply.AsScanEntry()
		if err != nil {
			return server.explain(err)
		}
		for _, key := range page.Elements {
			if err := write(key); err != nil {
				return err
			}
			if left--; left == 0 {
				return out.Flush()
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if page.Cursor == 0 {
			return nil
		}
		cursor = strconv.FormatUint(page.Cursor, 10)
	}
}

// writer returns how a key is written.
func (f *keysFlags) writer(out *bufio.Writer, person bool) func(key string) error {
	end := byte('\n')
	if f.null {
		end = 0
	}
	if f.json {
		encoder := json.NewEncoder(out)
		return func(key string) error { return encoder.Encode(jsonBytes(key)) }
	}
	return func(key string) error {
		if person && !f.null {
			key = shown(key)
		}
		if _, err := out.WriteString(key); err != nil {
			return err
		}
		return out.WriteByte(end)
	}
}

// shown returns a key as a person can read it: in quotes when there is
// something in it that does not print.
func shown(key string) string {
	if key != "" && printable(key) {
		return key
	}
	return strconv.Quote(key)
}
