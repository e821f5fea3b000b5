package main

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/config/settings"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// The scripts in testdata/settings run larder config against a node of this
// process, whose settings are in a store in memory. Beside testscript's own
// commands they have
//
//	node single|cluster FLAG=PATH=VALUE...   starts it; LARDER_ADDR is where it is
//	meanwhile PATH=VALUE...                  changes settings as another operator
func TestSettingsScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/settings",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[settingsKey{}] = &settingsNode{}
			env.Setenv("TZ", "UTC")
			env.Setenv("TMPDIR", env.WorkDir)
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"node":      cmdSettingsNode,
			"meanwhile": cmdMeanwhile,
		},
	})
}

type settingsKey struct{}

// settingsNode is the node of one script.
type settingsNode struct{ service *settings.Service }

func cmdSettingsNode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: node single|cluster FLAG=PATH=VALUE...")
	}
	var flags []config.Override
	for _, arg := range args[1:] {
		flag, rest, _ := cutOnce(arg)
		path, value, _ := cutOnce(rest)
		flags = append(flags, config.Override{Flag: flag, Path: path, Values: []string{value}})
	}
	cfg, err := config.Load("", flags...)
	ts.Check(err)
	log := slog.New(slog.DiscardHandler)
	commands := command.Config{}
	n := ts.Value(settingsKey{}).(*settingsNode)
	var x *command.Executor
	if args[0] == "cluster" {
		n.service = settings.Open(settings.Config{Own: cfg.Own, Dir: ts.MkAbs("."), Log: log,
			Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
		ts.Check(n.service.Connect(context.Background(), newScriptStore()))
		cfg, err = n.service.Start()
		ts.Check(err)
		answers := settings.NewAnswers(n.service)
		commands.Configuration, commands.ClusterSettings = answers, answers
		commands.Settings = func(own *command.Parameters) command.Settings { return settings.NewParameters(own, n.service) }
	} else {
		single, err := settings.NewSingle(cfg, func() config.Config {
			now := cfg
			now.Command = *x.Options()
			return now
		})
		ts.Check(err)
		commands.Configuration = single
	}
	store, err := memory.Open(memory.Config{Shards: 16})
	ts.Check(err)
	ts.Defer(store.Close)
	commands.Cache, commands.Options = cache.New(store, nil), cfg.Command
	x = command.New(commands)
	listen := server.Default()
	listen.Listen = []string{"127.0.0.1:0"}
	s, err := server.New(listen, server.Commands{Executor: x}, log)
	ts.Check(err)
	ts.Check(s.Start())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if n.service != nil {
			n.service.Run(ctx, settings.Live(x, store, replication.NewLogs(store, 0)))
		}
	}()
	ts.Defer(func() {
		ended, end := context.WithTimeout(context.Background(), patience)
		defer end()
		_ = s.Shutdown(ended)
		cancel()
		<-done
	})
	ts.Setenv("LARDER_ADDR", s.Addrs()[0].String())
}

// cutOnce cuts at the first =.
func cutOnce(text string) (before, after string, found bool) {
	for i := range len(text) {
		if text[i] == '=' {
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

func cmdMeanwhile(ts *testscript.TestScript, neg bool, args []string) {
	e := settings.Edit{Author: "somebody@else"}
	for _, arg := range args {
		path, value, _ := cutOnce(arg)
		e.Changes = append(e.Changes, config.Change{Path: path, Value: value})
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := ts.Value(settingsKey{}).(*settingsNode).service.Set(ctx, e)
	if (err != nil) != neg {
		ts.Fatalf("%v: %v", args, err)
	}
}

// scriptStore is a [settings.Store] in memory.
type scriptStore struct {
	mu       sync.Mutex
	revision int64
	keys     map[string]scriptValue
	changed  chan struct{} // closed, and made anew, by each commit
}

type scriptValue struct {
	data     []byte
	revision int64
}

func newScriptStore() *scriptStore {
	return &scriptStore{keys: map[string]scriptValue{}, changed: make(chan struct{})}
}

func (s *scriptStore) look(key string) (scriptValue, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[key], s.changed
}

func (s *scriptStore) Get(_ context.Context, key string) ([]byte, int64, error) {
	v, _ := s.look(key)
	return v.data, v.revision, nil
}

func (s *scriptStore) Commit(_ context.Context, c settings.Commit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[c.Key].revision != c.Revision {
		return settings.ErrConflict
	}
	s.revision++
	for key, data := range c.Writes {
		s.keys[key] = scriptValue{data, s.revision}
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

func (s *scriptStore) Watch(ctx context.Context, key string) <-chan []byte {
	out := make(chan []byte)
	go func() { // ends with ctx
		defer close(out)
		for {
			v, changed := s.look(key)
			select {
			case out <- v.data:
			case <-ctx.Done():
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
