package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func newConfigGetCommand() *cobra.Command {
	f := &clientFlags{}
	var bare bool
	c := &cobra.Command{
		Use:   "get [PATH...]",
		Short: "Print settings of a running node, and where each comes from",
		Long: `Print settings of a running node, and where each comes from: default, cluster, or
the node's own file, flag or CONFIG SET, which go before the cluster. A section
stands for what is in it; without PATH everything is printed. Passwords are not.`,
		Example: `  larder config get
  larder config get limits.clients
  larder config get memory slowlog --addr 10.0.0.2:6379`,
		ValidArgsFunction: completePaths(""),
		RunE:              func(c *cobra.Command, args []string) error { return runConfigGet(c, f, args, bare) },
	}
	f.bindSettings(c)
	c.Flags().BoolVarP(&bare, "quiet", "q", false, "print the values alone")
	return c
}

// settingValue is a setting as a node tells it.
type settingValue struct {
	Path  string `json:"path"`
	Value string `json:"value"`
	Layer string `json:"layer"`
	Place string `json:"place,omitempty"`
	Scope string `json:"scope"`
	Live  bool   `json:"live"`
}

func runConfigGet(c *cobra.Command, f *clientFlags, paths []string, bare bool) error {
	reply, err := f.askSettings(c.Context(), append([]string{"GET"}, paths...)...)
	if err != nil {
		return err
	}
	rows, err := reply.ToArray()
	if err != nil {
		return errStrangeReply
	}
	var values []settingValue
	for _, row := range rows {
		parts, err := row.ToArray()
		if err != nil || len(parts) < 6 {
			return errStrangeReply
		}
		var texts [5]string
		var errs []error
		for i := range texts {
			texts[i], err = parts[i].ToString()
			errs = append(errs, err)
		}
		live, err := parts[5].AsInt64()
		if errors.Join(append(errs, err)...) != nil {
			return errStrangeReply
		}
		values = append(values, settingValue{texts[0], texts[1], texts[2], texts[3], texts[4], live == 1})
	}
	out := c.OutOrStdout()
	switch {
	case f.json:
		return writeJSON(out, values)
	case bare:
		for _, v := range values {
			fmt.Fprintln(out, v.Value)
		}
		return nil
	}
	width := 0
	for _, v := range values {
		if n := len(v.Path) + len(v.Value); n <= 50 {
			width = max(width, n)
		}
	}
	for _, v := range values {
		fmt.Fprintf(out, "%s: %s%s  # %s\n", v.Path, v.Value, strings.Repeat(" ", max(0, width-len(v.Path)-len(v.Value))), v.origin())
	}
	return nil
}

// origin says where a value comes from.
func (v *settingValue) origin() string {
	text := v.Layer
	if v.Place != "" {
		text = v.Place
	}
	if !v.Live {
		text += "; changes need a restart"
	}
	return text
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
