package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/monitoring/status"
	"github.com/larder-cache/larder/internal/monitoring/top"
)

// What is read from a node at most, and how long it may take.
const (
	maxStatusBytes = 16 << 20
	statusTimeout  = 5 * time.Second
)

// newTopCommand returns `larder top`.
func newTopCommand() *cobra.Command {
	address, once := config.Default().HTTP.Listen, false
	c := &cobra.Command{
		Use:   "top",
		Short: "Watch a node in the terminal",
		Long: `Show what a node is doing, every second: requests and latency, hit ratio,
memory, namespaces and their sources, hot and big keys.

It reads the node's HTTP listener, and waits for it when it is away.
Keys: q quits, p pauses, s sorts, ? explains.`,
		Example: `  larder top
  larder top --http-addr 10.0.0.7:8080

  # one that has a password
  larder top --http-addr http://:secret@10.0.0.7:8080
  larder top --once`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			c.SilenceUsage = true
			return runTop(c, address, once)
		},
	}
	c.Flags().StringVarP(&address, "http-addr", "a", address, "HTTP address of the node; --addr is the same")
	c.Flags().BoolVar(&once, "once", false, "print one frame as text and end")
	c.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "addr" {
			name = "http-addr"
		}
		return pflag.NormalizedName(name)
	})
	return c
}

func runTop(c *cobra.Command, address string, once bool) error {
	fetch, err := statusOf(address)
	if err != nil {
		return err
	}
	ctx := orBackground(c.Context())
	if once {
		return printOnce(ctx, c, address, fetch)
	}
	if !term.IsTerminal(int(os.Stdout.Fd())) {
		return errors.New("standard output is no terminal; --once prints one frame as text")
	}
	_, err = tea.NewProgram(top.New(address, fetch), tea.WithContext(ctx)).Run()
	if errors.Is(err, tea.ErrInterrupted) || errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// printOnce prints a frame of the terminal's size, or of 80 columns and 24
// lines.
func printOnce(ctx context.Context, c *cobra.Command, address string, fetch top.Fetch) error {
	s, err := fetch(ctx)
	if err != nil {
		return fmt.Errorf("the node at %s does not answer: %w\nIs it running, and is this its HTTP address (http.listen)?", address, err)
	}
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width, height = 80, 24
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), top.Render(top.Frame{Status: &s, Address: address, Width: width, Height: height, NoKeys: true}))
	return err
}

// statusOf returns what fetches the status of the node at an address:
// host:port, or a URL.
func statusOf(address string) (top.Fetch, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is no address: write host:port, as in 127.0.0.1:8080", address)
	}
	u = u.JoinPath("/api/status")
	client := &http.Client{Timeout: statusTimeout}
	return func(ctx context.Context) (s status.Status, err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return s, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return s, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return s, fmt.Errorf("it answers %s to %s", resp.Status, u.Path)
		}
		if err := json.NewDecoder(io.LimitReader(resp.Body, maxStatusBytes)).Decode(&s); err != nil {
			return s, fmt.Errorf("read the status: %w", err)
		}
		return s, nil
	}, nil
}
