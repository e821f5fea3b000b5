package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/eviction"
	"github.com/larder-cache/larder/internal/node"
)

// stopTimeout is how long running requests may take to finish at the end.
const stopTimeout = 10 * time.Second

const serveLong = `Run a node in the foreground.

Without anything said it listens on this machine only: for Redis clients on port
6379, for HTTP (status page, /metrics, health) on port 8080. It takes up to 75 %
of the machine's or the container's memory and then evicts what is least likely
to be asked for again.

Everything else is in a file: larder config reference prints one with all
settings. Flags go before the file, the file before defaults.

SIGTERM or Ctrl-C ends it: what it owns is handed over to copies first, where
there are any, for up to cluster.handover_timeout; then running requests finish,
for up to 10 seconds. A second signal ends it at once.

As one of several nodes: the first is started with --cluster, every other one
with --join and the address of any member, and a token unless all of them are on
this machine. What makes a node a member is in its --data-dir; started with it
again, with the same flags, it goes on.

Environment: LARDER_CONFIG (as --config), LARDER_PASSWORD (as --password),
LARDER_TOKEN (as --token).`

const serveExample = `  larder serve
  larder serve --maxmemory 2gb --policy allkeys-lru
  larder serve --config larder.yaml --log-format json
  LARDER_PASSWORD=... larder serve --resp-addr 0.0.0.0:6379
  larder serve --cluster
  larder serve --join 10.0.0.1 --token larder1.... --peer-addr 10.0.0.2:7380`

// serveFlag is a flag for a setting.
type serveFlag struct{ name, path, usage string }

// serveFlags are the settings that have a flag: a flag's text is read as the
// file's would be.
var serveFlags = []serveFlag{
	{"http-addr", "http.listen", "`address` for HTTP, host:port; \"\" for none (default 127.0.0.1:8080)"},
	{"unix", "server.unix", "`path` of a Unix socket for Redis clients"},
	{"loops", "server.loops", "`number` of event loops (default: one per processor)"},
	{"maxmemory", "memory.maxmemory", "`size` such as 512mb or 75%; 0 for no limit (default 75%)"},
	{"policy", "memory.policy", "eviction `policy` (default adaptive)"},
	{"databases", "memory.databases", "`number` of databases (default 16)"},
	{"clients", "limits.clients", "`number` of clients at once (default 10000)"},
	{"password", "auth.password", "`password` for clients; others can see it here, better use LARDER_PASSWORD"},
	{"token", "cluster.token", "join `token`; others can see it here, better use LARDER_TOKEN"},
	{"data-dir", "cluster.data_dir", "`directory` of a member of a cluster (default larder-data)"},
	{"peer-addr", "cluster.peer", "`address` for other nodes, host:port (default 127.0.0.1:7380)"},
	{"advertise", "cluster.advertise", "`host` that others reach this node at"},
	{"name", "cluster.name", "`name` of this node for people (default: the host's)"},
	{"zone", "cluster.zone", "`zone` this node stands in"},
	{"weight", "cluster.weight", "share of the partitions, a `number` (default 100)"},
	{"log-level", "log.level", "`level`: debug, info, warn or error (default info)"},
	{"log-format", "log.format", "`format`: text or json (default text)"},
}

// serveLists are those that are repeatable.
var serveLists = [3]struct{ name, path, usage string }{
	{"resp-addr", "server.listen", "`address` for Redis clients, host:port; repeatable; \"\" for none (default 127.0.0.1:6379)"},
	{"resp-cluster-addr", "cluster.listen", "`address` for clients of the Redis Cluster protocol; repeatable; \"\" for none (default 127.0.0.1:7379, in a cluster)"},
	{"join", "cluster.join", "peer `address` of a member of the cluster to join, host or host:port; repeatable"},
}

func newServeCommand() *cobra.Command {
	var lists [3][]string
	var file string
	c := &cobra.Command{
		Use:     "serve",
		Short:   "Run a node",
		Long:    serveLong,
		Example: serveExample,
		Args:    noFile,
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVarP(&file, "config", "c", os.Getenv("LARDER_CONFIG"), "configuration `file`")
	for i, f := range serveLists {
		flags.StringSliceVar(&lists[i], f.name, nil, f.usage)
	}
	flags.Bool("cluster", false, "begin a cluster, or go on as the member that the data directory says")
	for _, f := range serveFlags {
		flags.String(f.name, "", f.usage)
	}
	flags.Bool("insecure", false, "listen on more than loopback without a password")
	_ = c.MarkFlagFilename("config", "yaml", "yml") // these fail only for flags that do not exist
	_ = c.RegisterFlagCompletionFunc("policy", words(eviction.Names()...))
	_ = c.RegisterFlagCompletionFunc("log-level", words("debug", "info", "warn", "error"))
	_ = c.RegisterFlagCompletionFunc("log-format", words(config.LogText, config.LogJSON))
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := configuration(file, overrides(c, lists))
		if err != nil {
			return err
		}
		return serve(c.Context(), cfg)
	}
	return c
}

// configuration returns that of a node which is alone, or what a node of a
// cluster has before the settings of the cluster are known.
func configuration(file string, flags []config.Override) (config.Config, error) {
	own, err := config.ReadOwn(file, flags...)
	if err != nil {
		return config.Config{}, err
	}
	if cfg, err := own.BeforeCluster(); err == nil && cfg.Cluster.On() {
		return cfg, nil
	}
	return config.Load(file, flags...)
}

func noFile(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return misuse("name the file as --config "+args[0], "%s does not take %q", c.CommandPath(), args[0])
}

// overrides returns what the flags and the environment set.
func overrides(c *cobra.Command, lists [3][]string) []config.Override {
	var list []config.Override
	flags := c.Flags()
	for i, f := range serveLists {
		if !flags.Changed(f.name) {
			continue
		}
		given := lists[i]
		if len(given) == 1 && given[0] == "" {
			given = nil
		}
		list = append(list, config.Override{Flag: "--" + f.name, Path: f.path, Values: given})
	}
	for _, e := range environment() {
		if !slices.ContainsFunc(serveFlags, func(f serveFlag) bool { return f.path == e.Path && flags.Changed(f.name) }) {
			list = append(list, e)
		}
	}
	for _, f := range serveFlags {
		if flags.Changed(f.name) {
			list = append(list, config.Override{Flag: "--" + f.name, Path: f.path, Values: []string{flags.Lookup(f.name).Value.String()}})
		}
	}
	for _, f := range []struct{ name, path string }{{"insecure", "auth.insecure"}, {"cluster", "cluster.enabled"}} {
		if flags.Changed(f.name) {
			list = append(list, config.Override{Flag: "--" + f.name, Path: f.path, Values: []string{flags.Lookup(f.name).Value.String()}})
		}
	}
	return list
}

// environment returns what the environment sets.
func environment() (list []config.Override) {
	for _, e := range []struct{ name, path string }{{"LARDER_PASSWORD", "auth.password"}, {"LARDER_TOKEN", "cluster.token"}} {
		if text := os.Getenv(e.name); text != "" {
			list = append(list, config.Override{Flag: e.name, Path: e.path, Values: []string{text}})
		}
	}
	return list
}

// gcPercent is how far the Go heap may outgrow what lives in it. Keys and values
// are not in it, and what is, is small and seldom replaced: collecting twice as
// often as usual costs nothing to speak of and saves memory.
const gcPercent = 50

// serve runs a node until a signal or a client ends it.
func serve(ctx context.Context, cfg config.Config) error {
	ctx, cancel := signal.NotifyContext(orBackground(ctx), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	log := newLogger(os.Stderr, cfg.Log)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	b := build()
	log.Info("larder "+b.Version+" starts", "maxmemory", memoryText(cfg.Memory.MaxBytes), "policy", cfg.Memory.Policy.String())
	n, err := node.Start(cfg, b, log)
	if err != nil {
		return starting(err)
	}
	announce(log, n, cfg)
	reason, end := "a client asked for it", node.Shutdown
	select {
	case <-ctx.Done():
		reason = "signal"
	case end = <-n.Stopping():
		if end == node.Restart {
			reason = "an operator asked for a restart"
		}
	}
	cancel() // from here on a second signal ends the process
	log.Info("stopping", "reason", reason)
	n.StepAside()
	err = stop(n)
	if end == node.Restart {
		if err != nil {
			log.Warn("this node starts again all the same", "reason", err)
		}
		return node.Reexec()
	}
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// stop ends a node in order.
func stop(n *node.Node) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	switch err := n.Stop(ctx); {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("stopped, but some requests had not finished after %v", stopTimeout)
	case err != nil:
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

// announce says where the node can be reached, and what is risky about it.
func announce(log *slog.Logger, n *node.Node, cfg config.Config) {
	attrs := []any{"resp", addresses(n)}
	if http := n.HTTPAddr(); http != "" {
		attrs = append(attrs, "http", "http://"+http)
	}
	if cfg.Memory.MaxBytes == 0 {
		log.Warn("no memory limit: the system may kill the process when full")
	}
	if cfg.Auth.Insecure && cfg.Command.Password == "" {
		log.Warn("no password: everybody who reaches the port has full access")
	}
	log.Info("serving", attrs...)
}

func addresses(n *node.Node) (list []string) {
	for _, a := range n.Addrs() {
		list = append(list, a.String())
	}
	return list
}

// memoryText writes a number of bytes for a person.
func memoryText(n uint64) string {
	switch {
	case n == 0:
		return "unlimited"
	case n >= 1<<30:
		return strconv.FormatFloat(float64(n)/(1<<30), 'f', 1, 64) + "gb"
	}
	return strconv.FormatFloat(float64(n)/(1<<20), 'f', 0, 64) + "mb"
}

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}
