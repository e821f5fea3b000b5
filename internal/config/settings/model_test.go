package settings

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"github.com/larder-cache/larder/internal/config"
)

// modelPaths are the settings that the models know.
var modelPaths = []string{"limits.clients", "limits.tracking_keys", "slowlog.length"}

// request is an operation on the settings.
type request struct {
	kind     string // set, get, rollback
	path     string
	value    int
	expected uint64
}

// response is what became of it.
type response struct {
	unknown  bool // may have happened, now or later, or not
	revision uint64
	conflict bool
	text     string // of get: the values
}

// modelState is every revision so far, as text: revisions with ; between them,
// values of a revision with , between them. It is comparable.
type modelState string

const emptyRevision = "-,-,-"

func (m modelState) revisions() []string { return strings.Split(string(m), ";") }

func (m modelState) with(revision string) modelState { return m + modelState(";"+revision) }

// step is the obvious service: what may come of a request, and the state after.
func (m modelState) step(q request) (response, modelState) {
	all := m.revisions()
	now := all[len(all)-1]
	current := uint64(len(all) - 1)
	switch q.kind {
	case "get":
		return response{revision: current, text: now}, m
	case "rollback":
		if q.expected > current {
			return response{conflict: true}, m
		}
		if to := all[q.expected]; to != now || current == 0 {
			return response{revision: current + 1}, m.with(to)
		}
		return response{revision: current}, m
	}
	values, at := strings.Split(now, ","), 0
	for i, path := range modelPaths {
		if path == q.path {
			at = i
		}
	}
	if q.expected > current || q.expected > 0 && strings.Split(all[q.expected], ",")[at] != values[at] {
		return response{conflict: true}, m
	}
	values[at] = strconv.Itoa(q.value)
	if next := strings.Join(values, ","); next != now {
		return response{revision: current + 1}, m.with(next)
	}
	return response{revision: current}, m
}

// do makes a request of a service.
func do(ctx context.Context, s *Service, q request) response {
	var r Result
	var err error
	switch q.kind {
	case "get":
		now, err := s.Current(ctx)
		return response{unknown: err != nil, revision: now.Revision, text: modelText(now.Settings)}
	case "rollback":
		r, err = s.Rollback(ctx, q.expected, "a", "")
	default:
		r, err = s.Set(ctx, Edit{[]config.Change{{Path: q.path, Value: strconv.Itoa(q.value)}}, "a", "", q.expected})
	}
	none, conflict := new(*NoRevisionError), new(*ConflictError)
	if errors.As(err, none) || errors.As(err, conflict) || err != nil && strings.HasPrefix(err.Error(), "there is no revision") {
		return response{conflict: true}
	}
	return response{unknown: err != nil, revision: r.Revision}
}

func modelText(s config.Shared) string {
	values := map[string]string{}
	section := ""
	for _, line := range strings.Split(string(s.Document()), "\n") {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if value == "" {
			section = name
			continue
		}
		values[section+"."+name] = strings.TrimSpace(value)
	}
	list := make([]string, len(modelPaths))
	for i, path := range modelPaths {
		list[i] = "-"
		if v := values[path]; v != "" {
			list[i] = v
		}
	}
	return strings.Join(list, ",")
}

var settingsModel = porcupine.Model{
	Init: func() any { return modelState(emptyRevision) },
	Step: func(state, input, output any) (bool, any) {
		want, next := state.(modelState).step(input.(request))
		got := output.(response)
		if got.unknown {
			return true, next
		}
		return got == want, next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

// Invariant: whoever changes settings through whichever node, with a store that
// fails in the middle of commits, it looks as if all was done one after the
// other, and what was not answered was done at some time or never.
func TestLinearizable(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			store := newMemoryStore()
			checkHistory(t, seed, []Store{store, store}, func() {
				store.mu.Lock()
				defer store.mu.Unlock()
				store.flaky(rand.New(rand.NewPCG(seed, 1)), 12)
			})
			store.down(false)
			checkRevisions(t, store)
		})
	}
}

// checkHistory has clients change settings through a node on each store, and
// disturbs them in the middle.
func checkHistory(t *testing.T, seed uint64, stores []Store, disturb func()) {
	t.Helper()
	const clients, requests = 5, 12
	var nodes []*node
	for _, store := range stores {
		nodes = append(nodes, startNode(t, store))
	}
	var disturbed sync.Once
	begun := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation // GUARDED_BY(mu)
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(client)+2))
			var seen uint64
			for i := range requests {
				if i == requests/3 {
					disturbed.Do(disturb)
				}
				q := request{kind: "set", path: modelPaths[random.IntN(len(modelPaths))], value: 1 + random.IntN(4)}
				switch n := random.IntN(10); {
				case n < 3:
					q = request{kind: "get"}
				case n < 4 && seen > 0:
					q = request{kind: "rollback", expected: 1 + random.Uint64N(seen)}
				case n < 8:
					q.expected = seen
				}
				op := porcupine.Operation{ClientId: client, Input: q, Call: time.Since(begun).Nanoseconds()}
				got := do(within(t), nodes[random.IntN(len(nodes))].Service, q)
				op.Output, op.Return = got, time.Since(begun).Nanoseconds()
				seen = max(seen, got.revision)
				if got.unknown {
					if q.kind == "get" {
						continue
					}
					op.Return = int64(time.Hour) // it may be done as late as that
				}
				mu.Lock()
				history = append(history, op)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for i := range history { // what was not answered may be anybody's, from now on
		if history[i].Output.(response).unknown {
			history[i].ClientId = clients + i
		}
	}
	result := porcupine.CheckOperationsTimeout(possibly(settingsModel), history, patience)
	if result != porcupine.Ok {
		for _, op := range history {
			t.Logf("%d: %d-%d %s", op.ClientId, op.Call, op.Return, settingsModel.DescribeOperation(op.Input, op.Output))
		}
		t.Errorf("the history is %v", result)
	}
	for _, n := range nodes {
		n.until("the last revision", func(st State) bool { return st.Revision == st.Seen })
	}
}

// possibly lets an unanswered request also not happen.
func possibly(m porcupine.Model) porcupine.Model {
	return (&porcupine.NondeterministicModel{
		Init: func() []any { return []any{m.Init()} },
		Step: func(state, input, output any) []any {
			ok, next := m.Step(state, input, output)
			if !ok {
				return nil
			}
			if output.(response).unknown && next != state {
				return []any{state, next}
			}
			return []any{next}
		},
	}).ToModel()
}

// checkRevisions checks that the history has no gap, and that each revision says
// what differs from the one before.
func checkRevisions(t *testing.T, store Store) {
	t.Helper()
	s := Open(Config{Own: config.NewOwn(config.Default())})
	if err := s.Connect(within(t), store); err != nil {
		t.Fatal(err)
	}
	now, err := s.Current(within(t))
	if err != nil {
		t.Fatal(err)
	}
	var before Record
	for revision := range now.Revision {
		r, err := s.At(within(t), revision+1)
		if err != nil || r.Revision != revision+1 || fmt.Sprint(r.Paths) != fmt.Sprint(before.Settings.Differences(r.Settings)) {
			t.Fatalf("revision %d: %v %+v", revision+1, err, r)
		}
		before = r
	}
	if !before.Settings.Equal(now.Settings) {
		t.Error("the current revision is not the last one of the history")
	}
}

// Without anybody else the service does what the model does, step by step.
func TestAgainstTheModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := startNode(t, newMemoryStore())
		state := modelState(emptyRevision)
		for range rapid.IntRange(1, 25).Draw(r, "requests") {
			q := request{
				kind:     rapid.SampledFrom([]string{"set", "set", "set", "rollback", "get"}).Draw(r, "kind"),
				path:     rapid.SampledFrom(modelPaths).Draw(r, "path"),
				value:    rapid.IntRange(1, 3).Draw(r, "value"),
				expected: rapid.Uint64Range(0, uint64(len(state.revisions()))).Draw(r, "expected"),
			}
			want, next := state.step(q)
			if got := do(within(t), n.Service, q); got != want {
				r.Fatalf("%+v gave %+v, want %+v", q, got, want)
			}
			state = next
			now := n.State()
			if want := uint64(len(state.revisions()) - 1); now.Revision != want && q.kind != "get" {
				r.Fatalf("revision %d is in force, want %d", now.Revision, want)
			}
		}
	})
}

// Nodes that follow see revisions that only rise, and end with the last one.
func TestFollowersRise(t *testing.T) {
	store := newMemoryStore()
	writer, follower := startNode(t, store), startNode(t, store)
	for i := range 50 {
		writer.must(fmt.Sprintf("slowlog.length=%d", i+1))
	}
	follower.until("revision 50", func(st State) bool { return st.Revision == 50 })
	follower.mu.Lock()
	defer follower.mu.Unlock()
	last := 0
	for _, cfg := range follower.applied {
		if cfg.Command.SlowLogLen <= last {
			t.Errorf("%d after %d", cfg.Command.SlowLogLen, last)
		}
		last = cfg.Command.SlowLogLen
	}
	for follower.states[len(follower.states)-1].Revision != 50 { // the report comes right behind
		follower.told.Wait()
	}
}
