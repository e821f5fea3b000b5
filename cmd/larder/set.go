package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/config"
)

// setFlags are the flags of `larder set`.
type setFlags struct {
	clientFlags
	ttl             string
	nx, xx, keepTTL bool
}

func newSetCommand() *cobra.Command {
	f := &setFlags{}
	c := &cobra.Command{
		Use:   "set KEY VALUE",
		Short: "Set a key to a value",
		Long: `Set a key to a value. As VALUE, - is what standard input has, byte for byte.
Exit code 3 when --nx or --xx kept the key from being set.`,
		Example: `  larder set greeting 'hello, world' --ttl 5m
  larder set page:42 - < page.html`,
		Args:              arguments("KEY", "VALUE"),
		ValidArgsFunction: f.completeKeys,
		RunE:              func(c *cobra.Command, args []string) error { return f.run(c, args[0], args[1]) },
	}
	flags := c.Flags()
	flags.StringVarP(&f.ttl, "ttl", "t", "", "`duration` after which it expires: 30s, 12h, 7d")
	flags.BoolVar(&f.nx, "nx", false, "only if the key does not exist")
	flags.BoolVar(&f.xx, "xx", false, "only if the key exists")
	flags.BoolVar(&f.keepTTL, "keep-ttl", false, "leave the expiry of an existing key as it is")
	f.bind(c)
	return c
}

// options returns the words of SET behind the value.
func (f *setFlags) options() ([]string, error) {
	switch {
	case f.nx && f.xx:
		return nil, misuse("leave out one of them", "--nx and --xx exclude each other")
	case f.ttl != "" && f.keepTTL:
		return nil, misuse("leave out one of them", "--ttl and --keep-ttl exclude each other")
	}
	var words []string
	if f.ttl != "" {
		d, ok := config.ParseDuration(f.ttl)
		if !ok || d < time.Millisecond {
			return nil, misuse("write a number with a unit, such as 500ms, 30s, 5m, 12h or 7d", "--ttl %q is not a duration from 1ms on", f.ttl)
		}
		words = append(words, "PX", strconv.FormatInt(d.Milliseconds(), 10))
	}
	if f.nx {
		words = append(words, "NX")
	}
	if f.xx {
		words = append(words, "XX")
	}
	if f.keepTTL {
		words = append(words, "KEEPTTL")
	}
	return words, nil
}

func (f *setFlags) run(c *cobra.Command, key, value string) error {
	options, err := f.options()
	if err != nil {
		return err
	}
	if value == "-" {
		if value, err = readValue(c.InOrStdin()); err != nil {
			return err
		}
	}
	server, err := f.open(c.Context())
	if err != nil {
		return err
	}
	defer server.Close()
	reply, err := server.do(c.Context(), append([]string{"SET", key, value}, options...)...)
	if err != nil {
		return err
	}
	switch {
	case reply.IsNil() && f.nx:
		return no("not set: the key exists: %s", shown(key))
	case reply.IsNil():
		return no("not set: no such key: %s", shown(key))
	case f.json:
		fmt.Fprintln(c.OutOrStdout(), `{"ok":true}`)
	default:
		fmt.Fprintln(c.OutOrStdout(), "OK")
	}
	return nil
}

// maxValue is the length in bytes of the longest value there is.
const maxValue = 512 << 20

// readValue returns all of standard input.
func readValue(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxValue+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read standard input: %w", err)
	case len(data) > maxValue:
		return "", errors.New("standard input has more than the 512 MB a value can have")
	}
	return string(data), nil
}
