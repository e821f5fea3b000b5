package clients

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

// tagged returns n keys of one slot.
func tagged(tag string, n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("{%s}:%d", tag, i))
	}
	return keys
}

func TestGoRedisCluster(t *testing.T) {
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", protocol), func(t *testing.T) {
			nodes := cluster(t)
			c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: seeds(nodes)[:1], Protocol: protocol})
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := goRedisShards(ctx, c); err != nil {
				t.Error(err)
			}
			messages := goRedisMessages(t, ctx, c)
			underMoves(t, nodes, func(ctx context.Context, worker, round int) error {
				return goRedisRound(ctx, c, fmt.Sprintf("gr%d:%d:%d", protocol, worker, round%50), round)
			})
			messages(t)
			if err := c.Do(ctx, "MGET", "a", "b").Err(); err == nil || !strings.HasPrefix(err.Error(), "CROSSSLOT ") {
				t.Errorf("MGET of two slots: %v", err)
			}
		})
	}
}

// goRedisShards compares what the client takes the cluster for.
func goRedisShards(ctx context.Context, c *redis.ClusterClient) error {
	masters := map[string]bool{}
	slots, err := c.ClusterSlots(ctx).Result() //lint:ignore SA1019 the command is still there, and clients use it
	if err != nil {
		return err
	}
	covered := 0
	for _, s := range slots {
		covered += s.End - s.Start + 1
		masters[s.Nodes[0].Addr] = true
	}
	if covered != 16384 || len(masters) != 3 {
		return fmt.Errorf("CLUSTER SLOTS covers %d slots at %d nodes", covered, len(masters))
	}
	shards, err := c.ClusterShards(ctx).Result()
	if err != nil {
		return fmt.Errorf("CLUSTER SHARDS: %w", err)
	}
	if len(shards) != 3 {
		return fmt.Errorf("CLUSTER SHARDS has %d", len(shards))
	}
	return c.ForEachMaster(ctx, func(ctx context.Context, n *redis.Client) error { return n.Ping(ctx).Err() })
}

// goRedisRound does what people do with a cluster client once.
func goRedisRound(ctx context.Context, c *redis.ClusterClient, key string, round int) error {
	text := fmt.Sprint(round)
	if err := c.Set(ctx, key, text, time.Minute).Err(); err != nil {
		return fmt.Errorf("SET: %w", err)
	}
	if v, err := c.Get(ctx, key).Result(); err != nil || v != text {
		return fmt.Errorf("GET: %q, %w", v, err)
	}
	keys := tagged(key, 5)
	var pairs []any
	for _, k := range keys {
		pairs = append(pairs, k, text)
	}
	if err := c.MSet(ctx, pairs...).Err(); err != nil {
		return fmt.Errorf("MSET: %w", err)
	}
	if values, err := c.MGet(ctx, keys...).Result(); err != nil || slices.ContainsFunc(values, func(v any) bool { return v != text }) {
		return fmt.Errorf("MGET: %v, %w", values, err)
	}
	p := c.Pipeline()
	for i := range 50 {
		p.Set(ctx, fmt.Sprint(key, ":p", i), text, time.Minute)
		p.Get(ctx, fmt.Sprint(key, ":p", i))
	}
	replies, err := p.Exec(ctx)
	if err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	for i := 1; i < len(replies); i += 2 {
		if v := replies[i].(*redis.StringCmd).Val(); v != text {
			return fmt.Errorf("pipeline: reply %d is %q", i, v)
		}
	}
	got, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, keys[0], 41, time.Minute)
		p.Incr(ctx, keys[0])
		return nil
	})
	if err != nil || got[1].(*redis.IntCmd).Val() != 42 {
		return fmt.Errorf("MULTI: %v, %w", got, err)
	}
	err = c.Watch(ctx, func(tx *redis.Tx) error {
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Del(ctx, keys...).Err() })
		return err
	}, keys[0])
	// A move may break a transaction under WATCH, as a write would: the library does
	// not repeat what an owner has refused with MOVED between MULTI and EXEC.
	if err != nil && !errors.Is(err, redis.TxFailedErr) && !strings.HasPrefix(err.Error(), "EXECABORT ") {
		return fmt.Errorf("WATCH: %w", err)
	}
	return nil
}

// goRedisMessages subscribes, also to channels of shards, and returns what checks
// that messages still arrive.
func goRedisMessages(t *testing.T, ctx context.Context, c *redis.ClusterClient) func(*testing.T) {
	var all []*channel
	whole := newChannel("gr:news", func(text string) error { return c.Publish(ctx, "gr:news", text).Err() })
	go goRedisListen(ctx, whole, c.Subscribe) // both end with ctx
	all = append(all, whole)
	for i := range 8 { // likely one of those that move
		name := fmt.Sprint("gr:shard", i)
		s := newChannel(name, func(text string) error { return c.SPublish(ctx, name, text).Err() })
		go goRedisListen(ctx, s, c.SSubscribe)
		all = append(all, s)
	}
	check := func(t *testing.T) {
		t.Helper()
		for _, s := range all {
			s.arrives(t)
		}
	}
	check(t)
	return check
}

// goRedisListen subscribes as long as ctx lasts. The client does not follow by
// itself a channel of a shard that a node takes leave of with SUNSUBSCRIBE, as
// Redis does: the subscription is made anew.
func goRedisListen(ctx context.Context, c *channel, subscribe func(context.Context, ...string) *redis.PubSub) {
	for ctx.Err() == nil {
		s := subscribe(ctx, c.name)
		for gone := false; !gone && ctx.Err() == nil; {
			m, err := s.Receive(ctx)
			switch m := m.(type) {
			case *redis.Message:
				c.hear(m.Channel)
			case *redis.Subscription:
				gone = m.Kind == "sunsubscribe"
			}
			gone = gone || err != nil
		}
		_ = s.Close()
	}
}

func TestRueidisCluster(t *testing.T) {
	nodes := cluster(t)
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: seeds(nodes)[:1]})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if n := len(c.Nodes()); n != 3 {
		t.Errorf("the client knows %d nodes", n)
	}
	received := rueidisMessages(t, ctx, c)
	underMoves(t, nodes, func(ctx context.Context, worker, round int) error {
		return rueidisRound(ctx, c, fmt.Sprintf("ru:%d:%d", worker, round%50), round)
	})
	received(t)
}

func rueidisRound(ctx context.Context, c rueidis.Client, key string, round int) error {
	text := fmt.Sprint(round)
	if err := c.Do(ctx, c.B().Set().Key(key).Value(text).Ex(time.Minute).Build()).Error(); err != nil {
		return fmt.Errorf("SET: %w", err)
	}
	if v, err := c.Do(ctx, c.B().Get().Key(key).Build()).ToString(); err != nil || v != text {
		return fmt.Errorf("GET: %q, %w", v, err)
	}
	keys := tagged(key, 5)
	set := c.B().Mset().KeyValue()
	for _, k := range keys {
		set = set.KeyValue(k, text)
	}
	if err := c.Do(ctx, set.Build()).Error(); err != nil {
		return fmt.Errorf("MSET: %w", err)
	}
	values, err := c.Do(ctx, c.B().Mget().Key(keys...).Build()).AsStrSlice()
	if err != nil || slices.ContainsFunc(values, func(v string) bool { return v != text }) {
		return fmt.Errorf("MGET: %v, %w", values, err)
	}
	var batch rueidis.Commands
	var spread []string
	for i := range 50 {
		k := fmt.Sprint(key, ":p", i)
		spread = append(spread, k)
		batch = append(batch, c.B().Set().Key(k).Value(text).Ex(time.Minute).Build())
	}
	for i, r := range c.DoMulti(ctx, batch...) {
		if r.Error() != nil {
			return fmt.Errorf("pipeline: reply %d: %w", i, r.Error())
		}
	}
	found, err := rueidis.MGet(c, ctx, spread) // by slots
	if err != nil {
		return fmt.Errorf("MGET by slots: %w", err)
	}
	for k, m := range found {
		if v, err := m.ToString(); err != nil || v != text {
			return fmt.Errorf("MGET by slots: %s is %q, %w", k, v, err)
		}
	}
	// The client's own cache: what it holds is right, or has been invalidated.
	cached := key + ":cached"
	if _, err := c.DoCache(ctx, c.B().Get().Key(cached).Cache(), time.Minute).ToString(); err != nil && !rueidis.IsRedisNil(err) {
		return fmt.Errorf("GET through the cache: %w", err)
	}
	return nil
}

// rueidisMessages subscribes and returns what checks that messages arrive.
func rueidisMessages(t *testing.T, ctx context.Context, c rueidis.Client) func(*testing.T) {
	var all []*channel
	listen := func(name string, subscribe, publish func(string) rueidis.Completed) {
		s := newChannel(name, func(text string) error { return c.Do(ctx, publish(text)).Error() })
		all = append(all, s)
		go func() { // ends with ctx
			for ctx.Err() == nil { // Receive returns when a node takes leave with SUNSUBSCRIBE
				_ = c.Receive(ctx, subscribe(name), func(m rueidis.PubSubMessage) { s.hear(m.Channel) })
			}
		}()
	}
	listen("ru:news", func(name string) rueidis.Completed { return c.B().Subscribe().Channel(name).Build() },
		func(text string) rueidis.Completed { return c.B().Publish().Channel("ru:news").Message(text).Build() })
	for i := range 8 {
		name := fmt.Sprint("ru:shard", i)
		listen(name, func(name string) rueidis.Completed { return c.B().Ssubscribe().Channel(name).Build() },
			func(text string) rueidis.Completed { return c.B().Spublish().Channel(name).Message(text).Build() })
	}
	check := func(t *testing.T) {
		t.Helper()
		for _, s := range all {
			s.arrives(t)
		}
	}
	check(t)
	return check
}

// TestGoRedisAnywhere uses a node of a cluster as if it were all of it.
func TestGoRedisAnywhere(t *testing.T) {
	for i, n := range cluster(t).Nodes()[:3] {
		t.Run(n.Name, func(t *testing.T) {
			c := redis.NewClient(&redis.Options{Addr: n.RESP, DB: i, Protocol: 2 + i%2})
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := c.FlushDB(ctx).Err(); err != nil {
				t.Fatal(err)
			}
			goRedisBasics(t, ctx, c)
			goRedisPipeline(t, ctx, c)
			goRedisPubSub(t, ctx, c)
			if err := c.FlushDB(ctx).Err(); err != nil {
				t.Fatal(err)
			}
			goRedisManyKeys(t, ctx, c)
			goRedisTransactions(t, ctx, c)
		})
	}
}

// goRedisManyKeys uses the commands that may have keys of any nodes.
func goRedisManyKeys(t *testing.T, ctx context.Context, c *redis.Client) {
	const n = 300
	var keys []string
	var pairs []any
	for i := range n {
		keys = append(keys, fmt.Sprint("m:", i))
		pairs = append(pairs, keys[i], i)
	}
	if err := c.MSet(ctx, pairs...).Err(); err != nil {
		t.Fatalf("MSET: %v", err)
	}
	values, err := c.MGet(ctx, keys...).Result()
	if err != nil || len(values) != n {
		t.Fatalf("MGET: %d values, %v", len(values), err)
	}
	for i, v := range values {
		if v != fmt.Sprint(i) {
			t.Fatalf("MGET: value %d is %v", i, v)
		}
	}
	for _, row := range []struct {
		name string
		got  *redis.IntCmd
		want int64
	}{
		{"DBSIZE", c.DBSize(ctx), n},
		{"EXISTS", c.Exists(ctx, append(keys, "none", keys[0])...), n + 1},
		{"TOUCH", c.Touch(ctx, append(keys, "none")...), n},
		{"DEL", c.Del(ctx, append(keys[:100:100], "none")...), 100},
		{"UNLINK", c.Unlink(ctx, keys[:200]...), 100},
		{"DBSIZE", c.DBSize(ctx), n - 200},
	} {
		if v, err := row.got.Result(); v != row.want || err != nil {
			t.Errorf("%s: %d, %v; want %d", row.name, v, err, row.want)
		}
	}
	if all, err := c.Keys(ctx, "m:*").Result(); err != nil || len(all) != n-200 {
		t.Errorf("KEYS: %d keys, %v", len(all), err)
	}
	if key, err := c.RandomKey(ctx).Result(); err != nil || !strings.HasPrefix(key, "m:") {
		t.Errorf("RANDOMKEY: %q, %v", key, err)
	}
	for _, row := range [][]any{{"RENAME", "m:250", "m:251"}, {"MSETNX", "m:250", "x", "m:251", "y"}, {"COPY", "m:250", "m:251"}} {
		if err := c.Do(ctx, row...).Err(); err == nil || !strings.HasPrefix(err.Error(), "CROSSSLOT ") {
			t.Errorf("%v: %v", row, err)
		}
	}
}

// goRedisTransactions runs transactions whose keys are of one slot.
func goRedisTransactions(t *testing.T, ctx context.Context, c *redis.Client) {
	for i := range 10 {
		keys := tagged(fmt.Sprint("tx", i), 3)
		replies, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, keys[0], 1, 0)
			p.MSet(ctx, keys[1], 2, keys[2], 3)
			p.MGet(ctx, keys...)
			return nil
		})
		if err != nil {
			t.Fatalf("MULTI: %v", err)
		}
		if got := fmt.Sprint(replies[2].(*redis.SliceCmd).Val()); got != "[1 2 3]" {
			t.Errorf("MGET in MULTI: %s", got)
		}
		change := func(other bool) error {
			return c.Watch(ctx, func(tx *redis.Tx) error {
				n, err := tx.Get(ctx, keys[0]).Int()
				if err != nil {
					return err
				}
				if other {
					if err := c.Set(ctx, keys[0], "else", 0).Err(); err != nil {
						return err
					}
				}
				_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, keys[0], n+1, 0).Err() })
				return err
			}, keys[0])
		}
		if err := change(false); err != nil {
			t.Errorf("WATCH: %v", err)
		}
		if err := change(true); !errors.Is(err, redis.TxFailedErr) {
			t.Errorf("WATCH of what another client writes: %v", err)
		}
	}
	_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "tx:a", 1, 0)
		p.Set(ctx, "tx:b", 1, 0)
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "CROSSSLOT") && !strings.Contains(err.Error(), "EXECABORT") {
		t.Errorf("MULTI over two slots: %v", err)
	}
}
