package settings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/config"
)

// node is one node of a test.
type node struct {
	*Service
	t       testing.TB
	mu      sync.Mutex
	applied []config.Config
	states  []State
	told    *sync.Cond // on mu: states have grown
	refuse  error
	log     syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// testTime is when everything in a test happens.
var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// patience is longer than anything here takes.
const patience = 30 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// openNode returns a node that has not started yet.
func openNode(t testing.TB, dir string, own *config.Own) *node {
	t.Helper()
	if own == nil {
		own = config.NewOwn(config.Default())
	}
	n := &node{t: t}
	n.told = sync.NewCond(&n.mu)
	n.Service = Open(Config{
		Own: own, Dir: dir, Log: slog.New(slog.NewTextHandler(&n.log, nil)),
		Now: func() time.Time { return testTime },
		Report: func(st State) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.states = append(n.states, st)
			n.told.Broadcast()
		},
	})
	return n
}

// start connects a node to a store, starts it and follows the store until the
// test ends.
func (n *node) start(store Store) *node {
	n.t.Helper()
	_ = n.Connect(within(n.t), store) // without an answer it goes by its copy
	if _, err := n.Start(); err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx, n.apply)
	}()
	n.t.Cleanup(func() { cancel(); <-done })
	return n
}

func startNode(t testing.TB, store Store) *node {
	t.Helper()
	return openNode(t, "", nil).start(store)
}

func (n *node) apply(_, new config.Config) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuse == nil {
		n.applied = append(n.applied, new)
	}
	return n.refuse
}

// until waits until a state is reported.
func (n *node) until(what string, is func(State) bool) State {
	n.t.Helper()
	deadline := time.After(patience)
	for {
		n.Service.mu.Lock()
		moved := n.moved
		n.Service.mu.Unlock()
		if st := n.State(); is(st) {
			return st
		}
		select {
		case <-moved:
		case <-deadline:
			n.t.Fatalf("the node does not come to %s: %+v", what, n.State())
		}
	}
}

// set changes settings, given as path=value.
func (n *node) set(changes ...string) (Result, error) {
	return n.edit(0, changes...)
}

func (n *node) edit(expected uint64, changes ...string) (Result, error) {
	e := Edit{Author: "ann@here", Comment: "why", Expected: expected}
	for _, c := range changes {
		path, value, isValue := strings.Cut(c, "=")
		e.Changes = append(e.Changes, config.Change{Path: path, Value: value, Remove: !isValue})
	}
	return n.Service.Set(within(n.t), e)
}

func (n *node) must(changes ...string) Result {
	n.t.Helper()
	r, err := n.set(changes...)
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

func (n *node) value(path string) string {
	n.t.Helper()
	values, err := n.Get(path)
	if err != nil || len(values) != 1 {
		n.t.Fatalf("%s: %v, %v", path, values, err)
	}
	return values[0].Text
}

func TestSetIsInForceEverywhere(t *testing.T) {
	store := newMemoryStore()
	a, b := startNode(t, store), startNode(t, store)
	r := a.must("limits.clients=5", "auth.password=geheim")
	if want := (Result{1, []string{"auth.password", "limits.clients"}, nil}); !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v", r)
	}
	if a.value("limits.clients") != "5" {
		t.Error("the change is not in force where it was made")
	}
	b.until("revision 1", func(st State) bool { return st.Revision == 1 && st.Seen == 1 && st.Origin == FromStore })
	b.mu.Lock()
	if len(b.applied) != 1 || b.applied[0].Command.MaxClients != 5 || b.applied[0].Command.Password != "geheim" {
		t.Errorf("applied %+v", b.applied)
	}
	b.mu.Unlock()
	if r := b.must("limits.clients=5"); r.Revision != 1 || len(r.Changed) != 0 {
		t.Errorf("a change of nothing made %+v", r)
	}
	if r := b.must("limits.clients"); r.Revision != 2 || b.value("limits.clients") != "10000" {
		t.Errorf("a setting taken out: %+v", r)
	}
}

func TestConflicts(t *testing.T) {
	store := newMemoryStore()
	n := startNode(t, store)
	n.must("limits.clients=5")
	n.must("limits.clients=6")
	n.must("slowlog.length=7")
	if _, err := n.edit(2, "limits.clients=8"); err != nil {
		t.Errorf("other settings have changed, and that gave %v", err)
	}
	_, err := n.edit(1, "limits.clients=9", "slowlog.length=1", "memory.policy=lru")
	var conflict *ConflictError
	if !errors.As(err, &conflict) || !reflect.DeepEqual(conflict.Paths, []string{"limits.clients", "slowlog.length"}) {
		t.Fatalf("got %v", err)
	}
	if want := "limits.clients, slowlog.length changed since revision 1: the settings are at revision 4 now, by ann@here; look at larder config diff 1 and decide again"; err.Error() != want {
		t.Errorf("got %s", err)
	}
	if _, err := n.edit(1, "limits"); !errors.As(err, &conflict) || len(conflict.Paths) != 1 {
		t.Errorf("a section taken out: %v", err)
	}
	if _, err := n.edit(9, "limits.clients=9"); err == nil || err.Error() != "there is no revision 9 yet, the settings are at revision 4" {
		t.Errorf("got %v", err)
	}
}

func TestProblemsChangeNothing(t *testing.T) {
	store := newMemoryStore()
	n := startNode(t, store)
	_, err := n.set("limits.clinets=5", "memory.policy=lur", "server.loops=2")
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Fatalf("got %v", err)
	}
	const want = `limits.clinets: there is no such setting; did you mean clients? || memory.policy: "lur" is unknown; write one of`
	if got := inLine(err); !strings.HasPrefix(got, want) {
		t.Errorf("got %s", got)
	}
	if now, err := n.Current(within(t)); err != nil || now.Revision != 0 {
		t.Errorf("revision %d, %v", now.Revision, err)
	}
}

func TestHistoryDiffRollback(t *testing.T) {
	store := newMemoryStore()
	n := startNode(t, store)
	n.must("limits.clients=5", "auth.password=one")
	n.must("limits.clients=6")
	n.must("auth.password=two")
	list, err := n.History(within(t), 2)
	if err != nil || len(list) != 2 || list[0].Revision != 3 || list[1].Revision != 2 {
		t.Fatalf("%v %+v", err, list)
	}
	if r := list[1]; r.Author != "ann@here" || r.Comment != "why" || !r.Time.Equal(testTime) || !reflect.DeepEqual(r.Paths, []string{"limits.clients"}) {
		t.Errorf("got %+v", r)
	}
	text, err := n.Diff(within(t), 1, 3)
	if want := "~ auth.password: xxxxx (the secret differs)\n- limits.clients: 5\n+ limits.clients: 6\n"; err != nil || text != want {
		t.Errorf("%v\n%s", err, text)
	}
	r, err := n.Rollback(within(t), 1, "bob@there", "")
	if err != nil || r.Revision != 4 || n.value("limits.clients") != "5" {
		t.Errorf("%v %+v", err, r)
	}
	now, err := n.Current(within(t))
	first, err1 := n.At(within(t), 1)
	if err != nil || err1 != nil || now.Comment != "back to revision 1" || !now.Settings.Equal(first.Settings) {
		t.Errorf("%v %v %+v", err, err1, now)
	}
	for revision, want := range map[uint64]string{9: "there is no revision 9, the last one is 4"} {
		if _, err := n.Rollback(within(t), revision, "", ""); err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	store := newMemoryStore()
	n := startNode(t, store)
	for i := range historyLength + 10 {
		n.must(fmt.Sprintf("limits.clients=%d", i+1))
	}
	list, err := n.History(within(t), 10*historyLength)
	if err != nil || len(list) != historyLength || len(store.keys) != historyLength+1 {
		t.Errorf("%v: %d revisions, %d keys", err, len(list), len(store.keys))
	}
	if _, err := n.At(within(t), 3); err == nil || err.Error() != "revision 3 is no longer kept; larder config history lists those that are" {
		t.Errorf("got %v", err)
	}
	_, err = n.edit(3, "slowlog.length=1")
	if want := "it is not known what changed, revision 3 is no longer kept, since revision 3: the settings are at revision 266 now, by ann@here; look at larder config diff 3 and decide again"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestReplace(t *testing.T) {
	store := newMemoryStore()
	n := startNode(t, store)
	n.must("limits.clients=5", "auth.password=geheim", "slowlog.length=3")
	n.must("memory.policy=lru")
	document := "auth: {password: xxxxx}\nlimits:\n  clients: 6\n"
	r, err := n.Replace(within(t), 1, []byte(document), "ann@here", "edited")
	if err != nil || r.Revision != 3 || !reflect.DeepEqual(r.Changed, []string{"limits.clients", "slowlog.length"}) {
		t.Fatalf("%v %+v", err, r)
	}
	now, err := n.Current(within(t))
	if want := "memory:\n  policy: allkeys-lru\nauth:\n  password: geheim\nlimits:\n  clients: 6\n"; err != nil || string(now.Settings.Document()) != want {
		t.Errorf("%v\n%s", err, now.Settings.Document())
	}
	if _, err = n.Replace(within(t), 2, []byte(document), "", ""); !errors.As(err, new(*ConflictError)) {
		t.Errorf("got %v", err)
	}
	_, err = n.Replace(within(t), 3, []byte("limits:\n  clients: many\n"), "", "")
	if got, want := inLine(err), `settings:2:3: limits.clients: "many" is not a whole number; write a number from 1 to 2147483647`; got != want {
		t.Errorf("got %s", got)
	}
}

func TestStartsFromItsCopy(t *testing.T) {
	dir := t.TempDir()
	store := newMemoryStore()
	first := openNode(t, dir, nil).start(store)
	first.must("limits.clients=5", "auth.password=geheim")
	info, err := os.Stat(copyFile(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info.Mode(), err)
	}
	store.down(true)
	again := openNode(t, dir, nil)
	if err := again.Connect(within(t), store); !errors.Is(err, errNoQuorum) {
		t.Errorf("got %v", err)
	}
	cfg, err := again.Start()
	if err != nil || cfg.Command.MaxClients != 5 || cfg.Command.Password != "geheim" {
		t.Errorf("%v %+v", err, cfg.Command)
	}
	if st := again.State(); st.Revision != 1 || st.Origin != FromCopy {
		t.Errorf("got %+v", st)
	}
	if text := again.log.String(); !strings.Contains(text, "starting without the configuration of the cluster") || !strings.Contains(text, "last-known-copy") {
		t.Errorf("the log says\n%s", text)
	}
	if _, err := again.set("limits.clients=6"); !errors.Is(err, errNoQuorum) {
		t.Errorf("a change without the store gave %v", err)
	}
	var fields strings.Builder
	for _, f := range again.Section().Fields {
		fields.WriteString(f.Name + ":" + f.Value + " ")
	}
	if want := "settings_revision:1 settings_revision_seen:1 settings_origin:last-known-copy settings_problem: settings_restart_needed: settings_overridden: "; fields.String() != want {
		t.Errorf("INFO says %s", fields.String())
	}
	store.down(false)
	again = openNode(t, dir, nil).start(store)
	again.until("the store", func(st State) bool { return st.Origin == FromStore })
}

func TestUnusableCopy(t *testing.T) {
	for name, text := range map[string]string{"torn": `{"format":1,"rev`, "later": `{"format":9}`, "no settings": `{"format":1,"revision":3,"document":"- a"}`} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(copyFile(dir), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			n := openNode(t, dir, nil)
			if !strings.Contains(n.log.String(), "the last known settings of the cluster cannot be used") {
				t.Errorf("the log says %q", n.log.String())
			}
			n.start(newMemoryStore())
			n.must("limits.clients=5")
			if r, found, err := readCopy(dir); err != nil || !found || r.Revision != 1 {
				t.Errorf("%v %v %+v", err, found, r)
			}
		})
	}
}

func TestRefusedByTheNode(t *testing.T) {
	store := newMemoryStore()
	a := startNode(t, store)
	b := openNode(t, t.TempDir(), config.NewOwn(config.Default(), config.Override{Flag: "--query-buffer", Path: "limits.query_buffer", Values: []string{"1gb"}})).start(store)
	b.mu.Lock()
	b.refuse = errors.New("the engine does not want to")
	b.mu.Unlock()
	a.must("limits.clients=5")
	st := b.until("a problem", func(st State) bool { return st.Problem != "" })
	if st.Revision != 0 || st.Seen != 1 || st.Problem != "revision 1 is not in force: the engine does not want to" {
		t.Errorf("got %+v", st)
	}
	r, err := b.set("limits.clients=6")
	if err != nil || len(r.Notices) != 1 || r.Notices[0] != "revision 2 is stored, but on this node: revision 2 is not in force: the engine does not want to" {
		t.Errorf("%v %+v", err, r)
	}
	b.mu.Lock()
	b.refuse = nil
	b.mu.Unlock()
	a.must("limits.clients=7")
	if st := b.until("revision 3", func(st State) bool { return st.Revision == 3 }); st.Problem != "" {
		t.Errorf("got %+v", st)
	}
}

func TestOwnGoesFirst(t *testing.T) {
	store := newMemoryStore()
	own := config.NewOwn(config.Default(), config.Override{Flag: "--clients", Path: "limits.clients", Values: []string{"11"}})
	n := openNode(t, "", own).start(store)
	r := n.must("limits.clients=5", "memory.databases=4", "sources.db.kind=sqlite", "sources.db.dsn=/nowhere.db")
	want := []string{"memory.databases, sources.db.kind, sources.db.dsn: takes effect after restart on every node", "limits.clients: this node goes by its own, --clients"}
	if !reflect.DeepEqual(r.Notices, want) {
		t.Errorf("got %q", r.Notices)
	}
	st := n.State()
	if n.value("limits.clients") != "11" || !reflect.DeepEqual(st.Restart, []string{"memory.databases", "sources.db.kind", "sources.db.dsn"}) || st.Overridden["limits.clients"] != "--clients" {
		t.Errorf("got %+v", st)
	}
	n.cfg.Nodes = func() []NodeState {
		return []NodeState{{"west", State{}}, {"east", State{Overridden: map[string]string{"limits.clients": "larder.yaml:3"}}}}
	}
	r = n.must("limits.clients=6", "memory.databases=5")
	want = []string{"memory.databases: takes effect after restart on nodes east, west", "limits.clients: east goes by its own, larder.yaml:3"}
	if !reflect.DeepEqual(r.Notices, want) {
		t.Errorf("got %q", r.Notices)
	}
	contradiction := config.NewOwn(config.Default(), config.Override{Flag: "--query-buffer", Path: "limits.query_buffer", Values: []string{"1mb"}},
		config.Override{Flag: "--max-value", Path: "limits.max_value_bytes", Values: []string{"1mb"}})
	if _, err := openNode(t, "", contradiction).start(store).set("limits.query_buffer=1gb"); err != nil {
		t.Errorf("settings that the node overrides gave %v", err)
	}
}

func TestForm(t *testing.T) {
	store := newMemoryStore()
	base := config.Default()
	base.Command.MaxClients = 7
	n := openNode(t, t.TempDir(), config.NewOwn(base))
	if err := n.Form(within(t), "node a"); !errors.Is(err, ErrNotConnected) {
		t.Errorf("got %v", err)
	}
	if err := n.Connect(within(t), store); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second one finds settings
		if err := n.Form(within(t), "node a"); err != nil {
			t.Fatal(err)
		}
	}
	n.start(store)
	if st := n.State(); st.Revision != 1 || n.value("limits.clients") != "7" {
		t.Errorf("got %+v", st)
	}
	n.must("limits.clients=8")
	if n.value("limits.clients") != "8" {
		t.Error("what a program gave goes before the cluster")
	}
}

// A store that has lost the settings does not take them, or the password, away
// from the nodes.
func TestEmptiedStore(t *testing.T) {
	dir := t.TempDir()
	store := newMemoryStore()
	n := openNode(t, dir, nil).start(store)
	n.must("auth.password=geheim")
	store.drop(currentKey)
	st := n.until("a problem", func(st State) bool { return st.Problem != "" })
	if st.Revision != 1 || n.value("auth.password") != "xxxxx" || !strings.Contains(st.Problem, "the store has no settings any more, this node goes by revision 1") {
		t.Errorf("got %+v", st)
	}
	again := openNode(t, dir, nil)
	if err := again.Connect(within(t), store); err == nil {
		t.Error("nobody says so at the start")
	}
	if cfg, err := again.Start(); err != nil || cfg.Command.Password != "geheim" {
		t.Errorf("%v, password %q", err, cfg.Command.Password)
	}
}

// Invariant: a secret is in the stored document and nowhere else.
func TestSecretsAreNotShown(t *testing.T) {
	store := newMemoryStore()
	n := openNode(t, t.TempDir(), nil).start(store)
	n.must("auth.password=geheim", "sources.db.kind=postgres", "sources.db.dsn=postgres://u:geheim@db/x")
	n.must("auth.password=geheim2")
	_, wrong := n.set("auth.password=geheim3", "limits.clients=x")
	if _, err := n.Rollback(within(t), 1, "", ""); err != nil {
		t.Fatal(err)
	}
	answers := NewAnswers(n.Service)
	values, err := answers.Values(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, document, err := answers.Document(within(t))
	if err != nil {
		t.Fatal(err)
	}
	history, err := answers.History(within(t), 10)
	if err != nil {
		t.Fatal(err)
	}
	diff, err := answers.Diff(within(t), 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	shown := fmt.Sprint(values, document, history, diff, wrong, n.Section(), n.states, n.log.String())
	n.mu.Unlock()
	if at := strings.Index(shown, "geheim"); at >= 0 {
		t.Errorf("shown: %s", shown[max(0, at-100):at+20])
	}
	if now, err := n.Current(within(t)); err != nil || !strings.Contains(string(now.Settings.Document()), "geheim") {
		t.Errorf("the store has lost it: %v", err)
	}
}
