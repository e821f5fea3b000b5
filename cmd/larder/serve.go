package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/node"
)

// stopTimeout is how long running requests may take to finish at the end.
const stopTimeout = 10 * time.Second

func newServeCommand() *cobra.Command {
	cfg := config.Default()
	var addrs []string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a node",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(addrs) > 0 {
				cfg.Server.Listen = addrs
			}
			return serve(c.Context(), cfg)
		},
	}
	c.Flags().StringSliceVar(&addrs, "resp-addr", nil, "address for RESP")
	c.Flags().StringVar(&cfg.HTTP.Listen, "http-addr", cfg.HTTP.Listen, "address for HTTP")
	c.Flags().IntVar(&cfg.Server.Loops, "loops", 0, "event loops")
	c.Flags().Uint64Var(&cfg.Memory.MaxBytes, "maxmemory", 0, "bytes")
	return c
}

// serve runs a node until a signal or a client ends it.
func serve(ctx context.Context, cfg config.Config) error {
	ctx, cancel := signal.NotifyContext(orBackground(ctx), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	n, err := node.Start(cfg, build(), log)
	if err != nil {
		return err
	}
	log.Info("serving", "resp", n.Addrs())
	select {
	case <-ctx.Done():
	case <-n.Stopping():
	}
	stopping, done := context.WithTimeout(context.Background(), stopTimeout)
	defer done()
	return n.Stop(stopping)
}

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}
