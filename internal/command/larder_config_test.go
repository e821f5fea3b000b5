package command

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// scriptedSettings are settings that tell what they were asked.
type scriptedSettings struct{ asked string }

type codedError struct{ error }

func (codedError) Code() string { return "CONFLICT" }

func (s *scriptedSettings) Values(paths []string) ([]SettingValue, error) {
	if len(paths) > 1 {
		return nil, errors.New("too many")
	}
	return []SettingValue{{"limits.clients", "5", "node", "larder.yaml:3", "cluster", true}}, nil
}

func (s *scriptedSettings) Document(context.Context) (uint64, string, error) {
	return 3, "limits:\n", nil
}

func (s *scriptedSettings) Change(_ context.Context, change SettingsChange) (SettingsResult, error) {
	s.asked = fmt.Sprintf("%v %v %s %s %d", change.Set, change.Unset, change.Author, change.Comment, change.Expected)
	if change.Comment == "conflict" {
		return SettingsResult{}, codedError{errors.New("changed")}
	}
	return SettingsResult{4, []string{"a"}, []string{"b c"}}, nil
}

func (s *scriptedSettings) Replace(_ context.Context, r uint64, yaml, author, comment string) (SettingsResult, error) {
	s.asked = fmt.Sprintf("%d %s %s %s", r, yaml, author, comment)
	return SettingsResult{Revision: 5}, nil
}

func (s *scriptedSettings) Rollback(_ context.Context, r uint64, author, comment string) (SettingsResult, error) {
	s.asked = fmt.Sprintf("%d %s %s", r, author, comment)
	return SettingsResult{Revision: 6}, nil
}

func (s *scriptedSettings) History(_ context.Context, n int) ([]SettingsRevision, error) {
	return []SettingsRevision{{1, time.UnixMilli(7), "me", fmt.Sprint("last ", n), []string{"x"}}}, nil
}

func (s *scriptedSettings) Diff(ctx context.Context, a, b uint64) (string, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		return "", errors.New("could take for ever")
	}
	return fmt.Sprint(a, b), nil
}

func (s *scriptedSettings) Get([]string) []Parameter { return nil }
func (s *scriptedSettings) Set([]Parameter) error    { return errors.New("without an author") }
func (s *scriptedSettings) Rewrite() error           { return errors.New("no file") }

func (s *scriptedSettings) SetAs(_ context.Context, author string, changes []Parameter) error {
	s.asked = fmt.Sprint(author, changes)
	return nil
}

func newSettingsTester(t *testing.T, s *scriptedSettings) *tester {
	t.Helper()
	store, err := memory.Open(memory.Config{Shards: 16})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	r := newTester(t)
	r.x = New(Config{Cache: cache.New(store, nil), Options: DefaultOptions(), Configuration: s, ClusterSettings: s,
		Settings: func(*Parameters) Settings { return s }})
	r.s = r.x.NewSession(deadLink{})
	return r
}

func TestLarderConfig(t *testing.T) {
	s := &scriptedSettings{}
	r := newSettingsTester(t, s)
	for _, step := range []struct{ request, reply, asked string }{
		{"LARDER CONFIG GET", "*1 *6 $14 limits.clients $1 5 $4 node $13 larder.yaml:3 $7 cluster :1", ""},
		{"LARDER CONFIG GET a b", "-ERR too many", ""},
		{"LARDER CONFIG SHOW", `*2 :3 $8 "limits:\n"`, ""},
		{"LARDER CONFIG SET a 1 b 2", "*3 :4 *1 $1 a *1 $3 b c", "[{a 1} {b 2}] [] default@127.0.0.1:1  0"},
		{"LARDER CONFIG SET IF 3 COMMENT why a 1", "*3 :4 *1 $1 a *1 $3 b c", "[{a 1}] [] default@127.0.0.1:1 why 3"},
		{"LARDER CONFIG SET COMMENT conflict a 1", "-CONFLICT changed", "[{a 1}] [] default@127.0.0.1:1 conflict 0"},
		{"LARDER CONFIG SET IF x a 1", "-ERR IF takes a revision, a number from 1 on", ""},
		{"LARDER CONFIG SET a 1 b", "-ERR syntax error", ""},
		{"LARDER CONFIG SET IF", "-ERR wrong number of arguments for 'larder|config set'. Try LARDER HELP.", ""},
		{"LARDER CONFIG SET IF 3", "-ERR syntax error", ""},
		{"LARDER CONFIG SET IF 3 COMMENT x", "-ERR syntax error", ""},
		{"LARDER CONFIG UNSET IF 2 a b", "*3 :4 *1 $1 a *1 $3 b c", "[] [a b] default@127.0.0.1:1  2"},
		{"LARDER CONFIG UNSET IF 2", "-ERR syntax error", ""},
		{"LARDER CONFIG REPLACE 0 text COMMENT why", "*3 :5 *0 *0", "0 text default@127.0.0.1:1 why"},
		{"LARDER CONFIG REPLACE -1 text", "-ERR a revision is a number from 0 on", ""},
		{"LARDER CONFIG REPLACE 1 text IF 1", "-ERR syntax error", ""},
		{"LARDER CONFIG ROLLBACK 2", "*3 :6 *0 *0", "2 default@127.0.0.1:1 "},
		{"LARDER CONFIG ROLLBACK 0", "-ERR a revision is a number from 1 on", ""},
		{"LARDER CONFIG ROLLBACK 2 why", "-ERR syntax error", ""},
		{"LARDER CONFIG HISTORY", "*1 *5 :1 :7 $2 me $7 last 20 *1 $1 x", ""},
		{"LARDER CONFIG HISTORY 3", "*1 *5 :1 :7 $2 me $6 last 3 *1 $1 x", ""},
		{"LARDER CONFIG HISTORY 0", "-ERR a count is a number from 1 on", ""},
		{"LARDER CONFIG DIFF 1 2", "$3 1 2", ""},
		{"LARDER CONFIG DIFF x", "-ERR a revision is a number from 1 on", ""},
		{"LARDER CONFIG FROB", "-ERR unknown word 'FROB' behind LARDER CONFIG. Try LARDER HELP.", ""},
		{"LARDER FROB", "-ERR unknown subcommand 'FROB'. Try LARDER HELP.", ""},
		{"CONFIG SET maxclients 7", "+OK", "default@127.0.0.1:1[{maxclients 7}]"},
		{"CONFIG REWRITE", "-ERR no file", ""},
	} {
		s.asked = ""
		got := flat(r.do(words(t, step.request)...))
		want := step.reply
		if step.request == "LARDER CONFIG SHOW" {
			want = "*2 :3 $8 limits:\n"
		}
		if got != want || s.asked != step.asked {
			t.Errorf("%s\n got %q\nwant %q\nasked %q\nwant  %q", step.request, got, want, s.asked, step.asked)
		}
	}
	if got := flat(r.do("MULTI")) + flat(r.do("CONFIG", "SET", "timeout", "1")) + flat(r.do("LARDER", "CONFIG", "SHOW")); got != "+OK+QUEUED-ERR Command not allowed inside a transaction" {
		t.Errorf("in a transaction: %s", got)
	}
}

func TestConfigSetInATransactionOfACluster(t *testing.T) {
	r := newSettingsTester(t, &scriptedSettings{})
	r.do("MULTI")
	r.do("CONFIG", "SET", "timeout", "1")
	if got, want := flat(r.do("EXEC")), "*1 -ERR CONFIG SET is for all nodes of the cluster and can not be part of a transaction"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestLarderConfigOfASingleNode(t *testing.T) {
	play(t, []step{
		{"LARDER CONFIG SET limits.clients 5", "-" + errStandalone},
		{"LARDER CONFIG HISTORY", "-" + errStandalone},
		{"LARDER CONFIG GET", "-ERR this node does not tell its settings"},
	})
}

// A secret among the settings of a cluster is not in the slow log.
func TestLarderConfigIsNotLogged(t *testing.T) {
	cmd := newTester(t).x.Table().FindFull("larder|config")
	for _, word := range redact(cmd, [][]byte{[]byte("LARDER"), []byte("CONFIG"), []byte("SET"), []byte("auth.password"), []byte("x")})[3:] {
		if string(word) != "(redacted)" {
			t.Errorf("%q is shown", word)
		}
	}
	if cmd.Flags&SkipSlowLog == 0 || cmd.Flags&SkipMonitor == 0 {
		t.Error("larder|config is shown by MONITOR and SLOWLOG")
	}
}

// Propose leads to what Set does, and changes nothing.
func TestPropose(t *testing.T) {
	r := newTester(t)
	p := NewParameters(r.x)
	change := []Parameter{{"maxclients", "77"}, {"maxmemory", "100mb"}, {"hz", "50"}, {"client-output-buffer-limit", "pubsub 1 2 3"}, {"maxmemory-policy", "allkeys-lru"}}
	got, err := p.Propose(change)
	if err != nil || got.Options.MaxClients != 77 || got.MaxBytes != 100<<20 || got.Policy != "allkeys-lru" || len(got.Live) != 4 || len(got.Idle) != 1 {
		t.Errorf("%v: %+v", err, got)
	}
	if r.x.Options().MaxClients == 77 || p.Get([]string{"hz"})[0].Value == "50" {
		t.Error("a proposal has changed something")
	}
	if err := p.Set(change); err != nil {
		t.Fatal(err)
	}
	if o := r.x.Options(); o.MaxClients != got.Options.MaxClients || o.Output != got.Options.Output {
		t.Errorf("Set led to %+v", o)
	}
	for _, wrong := range [][]Parameter{{{"nosuch", "1"}}, {{"maxclients", "x"}}, {{"databases", "3"}}, {{"appendonly", "yes"}}, {{"port", "1"}}, {{"timeout", "1"}, {"timeout", "2"}}} {
		_, proposed := p.Propose(wrong)
		set := p.Set(wrong)
		if proposed == nil || set == nil || proposed.Error() != set.Error() {
			t.Errorf("%v: proposed %v, set %v", wrong, proposed, set)
		}
	}
	if got, err := p.Propose([]Parameter{{"appendonly", "no"}}); err != nil || len(got.Live)+len(got.Idle) != 0 {
		t.Errorf("what is fixed and stays: %v %+v", err, got)
	}
}
