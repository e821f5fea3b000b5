package etcd

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestValuesAndConditions(t *testing.T) {
	t.Parallel()
	cfg := config(t, "n0")
	m := form(t, cfg)
	for place, s := range map[string]*Store{
		"in process": m.Store("/larder/a/"),
		"endpoints":  connect(t, ClientConfig{Endpoints: clients(cfg), Prefix: "/larder/b/"}),
	} {
		t.Run(place, func(t *testing.T) { testValues(t, s) })
	}
}

// testValues is what every way to a store must answer.
func testValues(t *testing.T, s *Store) {
	ctx := within(t)
	if _, err := s.Get(ctx, "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("get of nothing: %v", err)
	}
	if _, err := s.Delete(ctx, "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("delete of nothing: %v", err)
	}
	first := put(t, s, "k", "1", IfAbsent("k"))
	v, err := s.Get(ctx, "k")
	if err != nil || string(v.Data) != "1" || v.Revision != first || v.Created != first || v.Version != 1 {
		t.Errorf("get: %+v, %v; written at %d", v, err, first)
	}
	second := put(t, s, "k", "2", If("k", first))

	for name, c := range map[string]struct {
		condition Condition
		want      Conflict
	}{
		"absent, but is there":  {IfAbsent("k"), Conflict{Key: "k", Current: second}},
		"an older revision":     {If("k", first), Conflict{Key: "k", Wanted: first, Current: second}},
		"a revision of nothing": {If("x", first), Conflict{Key: "x", Wanted: first}},
	} {
		_, err := s.Commit(ctx, []Op{Write("other", nil), Remove("k")}, If("k", second), c.condition)
		var got *Conflict
		if !errors.As(err, &got) || *got != c.want || !errors.Is(err, ErrConflict) || errors.Is(err, ErrDeposed) {
			t.Errorf("%s: %v", name, err)
		}
	}

	if _, err := s.Commit(ctx, []Op{Write("d/1", nil), Write("d/2", []byte("x")), Remove("k")}); err != nil {
		t.Fatal(err)
	}
	entries, at, err := s.List(ctx, "")
	if err != nil || len(entries) != 2 || entries[1].Key != "d/2" || entries[1].Revision != at {
		t.Errorf("list: %+v at %d, %v", entries, at, err)
	}
	if sub := s.Under("d/"); !has(sub, "2", "x") {
		t.Error("Under does not find d/2 as 2")
	}
	if _, err := s.Put(ctx, "huge", make([]byte, maxCommitBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a huge value: %v", err)
	}
	put(t, s, "large", string(make([]byte, maxCommitBytes-len("large"))))
	many := make([]Op, maxTxnOps+1)
	for i := range many {
		many[i] = Write(fmt.Sprint(i), nil)
	}
	if _, err := s.Commit(ctx, many); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many operations: %v", err)
	}
}

func TestEndpointsThatNobodyHas(t *testing.T) {
	t.Parallel()
	cfg := config(t, "n0")
	nobody := freeAddresses(t, 1)
	s := connect(t, ClientConfig{Endpoints: nobody, Timeout: 200 * time.Millisecond})
	if _, err := s.Get(context.Background(), "k"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
	m := form(t, cfg)
	put(t, m.Store(""), "k", "1")
	if err := s.SetEndpoints(nil); err == nil {
		t.Error("an empty list was taken")
	}
	if err := s.SetEndpoints(clients(cfg)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new endpoint's answer", func() bool { return has(s, "k", "1") })
	s.Close()
	s.Close()
	if _, err := s.Get(context.Background(), "k"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("closed: %v", err)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Store("").Get(cancelled, "k"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for name, bad := range map[string]ClientConfig{
		"no endpoints": {}, "user alone": {Endpoints: nobody, User: "u"},
		"half of TLS": {Endpoints: nobody, TLS: TLS{KeyFile: "k"}},
	} {
		if s, err := Connect(within(t), bad); err == nil {
			s.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}
