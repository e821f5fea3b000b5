package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/demo"
	"github.com/larder-cache/larder/internal/node"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/source"
)

const demoLong = `Start nodes before a database of all Unicode characters and watch them work.

An audience asks for characters, some far more often than others, and its
favourites change. A crowd misses one key at once; the database stops answering.
Under load a fourth node joins and is drained again; one is killed and comes
back. A line shows what becomes of the requests, a summary at the end what
became of them all. Ctrl-C ends it.

The nodes are processes of their own on this machine, on free ports, and leave
nothing behind. --nodes 1 shows one node alone, until Ctrl-C.`

// demoFlags are the flags of larder demo.
type demoFlags struct {
	plan     demo.Plan
	nodes    int
	replicas int
	database string
	memory   uint64 // MiB, of each node
}

// newDemoCommand returns larder demo.
func newDemoCommand() *cobra.Command {
	f := demoFlags{plan: demo.Plan{Clients: 64, Crowd: 1000}, nodes: 3, replicas: 1, database: string(source.KindSQLite)}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Watch nodes before a database of real rows",
		Long:  demoLong,
		Example: `  larder demo
  larder demo --db postgres
  larder demo --nodes 1 --duration 30s --rate 5000`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f.fill(c.Flags().Changed)
			if err := f.validate(); err != nil {
				return err
			}
			return f.run(c)
		},
	}
	flags := c.Flags()
	flags.IntVarP(&f.nodes, "nodes", "n", f.nodes, "nodes to begin with: 1, or 3 to 9")
	flags.IntVar(&f.replicas, "replicas", f.replicas, "copies of each partition on other nodes, as cluster.replicas")
	flags.DurationVarP(&f.plan.Duration, "duration", "t", 0, "about how long it takes (default 50s; with one node until Ctrl-C)")
	flags.StringVar(&f.database, "db", f.database, "database: sqlite, or postgres, which it starts itself")
	flags.Float64VarP(&f.plan.Rate, "rate", "r", 0, "reads per second (default 10000; with one node 20000)")
	flags.IntVarP(&f.plan.Clients, "clients", "c", f.plan.Clients, "clients of the audience")
	flags.IntVar(&f.plan.Crowd, "crowd", f.plan.Crowd, "clients of a stampede")
	flags.Uint64Var(&f.memory, "memory", 0, "maximum memory of a node in `MiB` (default 64; with one node 32)")
	for _, name := range []string{"duration", "rate", "memory"} {
		flags.Lookup(name).DefValue = ""
	}
	return c
}

// fill sets what depends on the number of nodes and was not given.
func (f *demoFlags) fill(given func(name string) bool) {
	rate, memory := 10_000.0, uint64(64)
	if f.nodes == 1 {
		rate, memory, f.replicas = 20_000, 32, 0
	}
	if !given("rate") {
		f.plan.Rate = rate
	}
	if !given("memory") {
		f.memory = memory
	}
}

func (f *demoFlags) validate() error {
	switch {
	case f.nodes != 1 && (f.nodes < 3 || f.nodes > 9):
		return fmt.Errorf("--nodes %d is neither 1 nor from 3 to 9", f.nodes)
	case f.replicas < 0 || f.replicas >= max(f.nodes, 2):
		return fmt.Errorf("--replicas %d is not below the number of nodes", f.replicas)
	case f.database != string(source.KindSQLite) && f.database != string(source.KindPostgres):
		return fmt.Errorf("--db %q is neither sqlite nor postgres", f.database)
	case f.plan.Duration < 0:
		return fmt.Errorf("--duration %v is negative; leave it out for the usual one", f.plan.Duration)
	case !(f.plan.Rate >= 1 && f.plan.Rate <= 1e6):
		return fmt.Errorf("--rate %g is not between 1 and 1,000,000", f.plan.Rate)
	case f.plan.Clients < 1 || f.plan.Clients > 1000:
		return fmt.Errorf("--clients %d is not between 1 and 1000", f.plan.Clients)
	case f.plan.Crowd < 2 || f.plan.Crowd > 4000:
		return fmt.Errorf("--crowd %d is not between 2 and 4000", f.plan.Crowd)
	case f.memory < 32:
		return fmt.Errorf("--memory %d is below 32 MiB", f.memory)
	}
	return nil
}

// run shows the demonstration until its time has passed, a signal comes, or a
// client shuts the node down.
func (f *demoFlags) run(c *cobra.Command) error {
	ctx, stop := signal.NotifyContext(orBackground(c.Context()), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	screen := demo.NewScreen(c.OutOrStdout())
	codes := demo.Assigned()
	database, err := f.build(ctx, screen, codes)
	if err != nil {
		if ctx.Err() != nil {
			return nil // ended while building; nothing was shown
		}
		return err
	}
	show := f.show
	if f.nodes > 1 {
		show = f.showCluster
	}
	err = show(ctx, screen, database, codes)
	return errors.Join(err, database.Close())
}

// build makes the database.
func (f *demoFlags) build(ctx context.Context, screen *demo.Screen, codes []rune) (demo.Database, error) {
	begin := time.Now()
	progress, done := screen.Bar("filling "+f.database, len(codes))
	var database demo.Database
	var err error
	if f.database == string(source.KindPostgres) {
		database, err = demo.NewPostgres(ctx, codes, progress)
	} else {
		// Not at once into database: a nil *SQLite there would not be nil.
		var file *demo.SQLite
		if file, err = demo.NewSQLite(ctx, codes, progress); err == nil {
			database = file
		}
	}
	done()
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // the node counts what the process holds
	screen.Say("database   %s characters in %.1f s: %s", demo.Grouped(uint64(database.Rows())), time.Since(begin).Seconds(), database.Where())
	return database, nil
}

// show runs the node.
func (f *demoFlags) show(ctx context.Context, screen *demo.Screen, database demo.Database, codes []rune) error {
	cfg := f.config(database, demo.NewTimes(f.plan.Pace()))
	cfg.Server.Listen = []string{loopback(ctx, server.Default().Listen[0])}
	cfg.HTTP.Listen = loopback(ctx, cfg.HTTP.Listen)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	n, err := node.Start(cfg, build(), log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with ctx
		select {
		case <-n.Stopping():
			cancel()
		case <-ctx.Done():
		}
	}()
	addr := n.Addrs()[0].(*net.TCPAddr)
	f.welcome(ctx, screen, addr, cfg.HTTP.Listen)
	summary, err := demo.Run(ctx, demo.Stage{
		Addr: addr.String(), Database: database, Screen: screen,
		Counts:   func(context.Context) demo.Counts { return demo.CountsOf(n.Namespaces(), n.Memory()) },
		MaxBytes: cfg.Memory.MaxBytes, Codes: codes,
	}, f.plan)
	if summary != nil {
		screen.Say("\n%s", summary)
	}
	stopping, done := context.WithTimeout(context.Background(), stopTimeout)
	defer done()
	return errors.Join(err, n.Stop(stopping))
}

// config is a node's: small, so that it evicts, and before the database.
func (f *demoFlags) config(database demo.Database, times demo.Times) config.Config {
	const name = "characters"
	src := database.Source()
	src.Timeout = times.Timeout
	src.Breaker.OpenFor = times.OpenFor
	cfg := config.Default()
	cfg.Memory.MaxBytes = f.memory << 20
	cfg.Sources = map[string]source.Config{name: src}
	cfg.Namespaces = map[string]config.Namespace{}
	for n, c := range demo.Namespaces(name, times) {
		cfg.Namespaces[n] = config.Namespace{NamespaceConfig: c}
	}
	return cfg
}

// loopback returns the usual address if it is free, else one that is.
func loopback(ctx context.Context, usual string) string {
	var lc net.ListenConfig
	for _, address := range []string{usual, "127.0.0.1:0"} {
		if l, err := lc.Listen(ctx, "tcp", address); err == nil {
			address = l.Addr().String()
			l.Close()
			return address
		}
	}
	return "127.0.0.1:0"
}

// welcome says where the node is and how to look at it.
func (f *demoFlags) welcome(ctx context.Context, screen *demo.Screen, addr *net.TCPAddr, http string) {
	screen.Say("node       redis-cli -p %d get char:U+1F600        (or script:Greek, name:SNOWMAN)", addr.Port)
	if answers(ctx, "http://"+http+"/") {
		screen.Say("           larder top --http-addr %s, or a browser at http://%s/", http, http)
	}
	screen.Say("load       %d clients, %s requests/s, memory limit %d MiB; Ctrl-C ends it\n",
		f.plan.Clients, demo.Grouped(uint64(f.plan.Rate)), f.memory)
}

// answers tells whether there is a page.
func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}
