package clients

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

func TestGoRedis(t *testing.T) {
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", protocol), func(t *testing.T) {
			c := redis.NewClient(&redis.Options{Addr: address, Protocol: protocol, DB: protocol + 5, ClientName: "larder-test"})
			defer c.Close()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			goRedisBasics(t, ctx, c)
			goRedisPipeline(t, ctx, c)
			goRedisPubSub(t, ctx, c)
			if err := c.FlushDB(ctx).Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

func goRedisBasics(t *testing.T, ctx context.Context, c *redis.Client) {
	if err := c.Set(ctx, "a", "one", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Get(ctx, "a").Result(); v != "one" || err != nil {
		t.Errorf("GET: %q, %v", v, err)
	}
	if _, err := c.Get(ctx, "none").Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("GET of nothing: %v", err)
	}
	if ok, err := c.SetNX(ctx, "a", "two", 0).Result(); ok || err != nil {
		t.Errorf("SETNX: %v, %v", ok, err)
	}
	if d, err := c.PTTL(ctx, "a").Result(); err != nil || d <= 50*time.Second || d > time.Minute {
		t.Errorf("PTTL: %v, %v", d, err)
	}
	if n, err := c.IncrBy(ctx, "n", 42).Result(); n != 42 || err != nil {
		t.Errorf("INCRBY: %d, %v", n, err)
	}
	if f, err := c.IncrByFloat(ctx, "n", 0.5).Result(); f != 42.5 || err != nil {
		t.Errorf("INCRBYFLOAT: %g, %v", f, err)
	}
	if v, err := c.MGet(ctx, "a", "none").Result(); err != nil || len(v) != 2 || v[0] != "one" || v[1] != nil {
		t.Errorf("MGET: %v, %v", v, err)
	}
	if n, err := c.Del(ctx, "a", "none").Result(); n != 1 || err != nil {
		t.Errorf("DEL: %d, %v", n, err)
	}
	if err := c.Do(ctx, "nosuch").Err(); err == nil || !strings.HasPrefix(err.Error(), "ERR unknown command 'nosuch'") {
		t.Errorf("an unknown command: %v", err)
	}
}

func goRedisPipeline(t *testing.T, ctx context.Context, c *redis.Client) {
	const n = 1000
	p := c.Pipeline()
	for i := range n {
		p.Set(ctx, fmt.Sprint("p:", i), i, 0)
	}
	for i := range n {
		p.Get(ctx, fmt.Sprint("p:", i))
	}
	replies, err := p.Exec(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range replies[n:] {
		if v := r.(*redis.StringCmd).Val(); v != fmt.Sprint(i) {
			t.Fatalf("reply %d is %q", i, v)
		}
	}
	seen := map[string]bool{}
	for scan := c.Scan(ctx, 0, "p:*", 50).Iterator(); scan.Next(ctx); {
		seen[scan.Val()] = true
	}
	if len(seen) != n {
		t.Errorf("SCAN found %d keys of %d", len(seen), n)
	}
}

func goRedisPubSub(t *testing.T, ctx context.Context, c *redis.Client) {
	s := c.Subscribe(ctx, "news")
	defer s.Close()
	if _, err := s.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Publish(ctx, "news", "hello").Result(); n != 1 || err != nil {
		t.Errorf("PUBLISH: %d, %v", n, err)
	}
	if m, err := s.ReceiveMessage(ctx); err != nil || m.Channel != "news" || m.Payload != "hello" {
		t.Errorf("message %v, %v", m, err)
	}
}

// TestRueidis uses what rueidis does by itself: RESP3, automatic pipelining, and
// invalidations that the node pushes.
func TestRueidis(t *testing.T) {
	invalidated := make(chan string, 16) // more than the test causes
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{address}, SelectDB: 10, ForceSingleClient: true,
		ClientTrackingOptions: []string{"PREFIX", "ru:", "BCAST"},
		OnInvalidations: func(keys []rueidis.RedisMessage) {
			for _, k := range keys {
				key, _ := k.ToString() // a key is a string
				invalidated <- key
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Do(ctx, c.B().Set().Key("a").Value("one").Ex(time.Minute).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Do(ctx, c.B().Get().Key("a").Build()).ToString(); v != "one" || err != nil {
		t.Errorf("GET: %q, %v", v, err)
	}
	if err := c.Do(ctx, c.B().Get().Key("none").Build()).Error(); !rueidis.IsRedisNil(err) {
		t.Errorf("GET of nothing: %v", err)
	}
	var batch rueidis.Commands
	for i := range 1000 {
		batch = append(batch, c.B().Incrby().Key("n").Increment(int64(i)).Build())
	}
	replies := c.DoMulti(ctx, batch...)
	if n, err := replies[999].AsInt64(); n != 999*1000/2 || err != nil {
		t.Errorf("sum %d, %v", n, err)
	}
	if err := c.Do(ctx, c.B().Set().Key("ru:a").Value("two").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	select {
	case key := <-invalidated:
		if key != "ru:a" {
			t.Errorf("invalidated %q", key)
		}
	case <-ctx.Done():
		t.Error("no invalidation came")
	}
	rueidisPubSub(t, ctx, c)
	if n, err := c.Do(ctx, c.B().Del().Key("a", "n", "ru:a").Build()).AsInt64(); n != 3 || err != nil {
		t.Errorf("DEL: %d, %v", n, err)
	}
}

// TestRueidisCache reads through the client's own cache, which the node keeps
// right: rueidis asks in a transaction, after CLIENT CACHING.
func TestRueidisCache(t *testing.T) {
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, SelectDB: 13, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	set := func(value string) {
		if err := c.Do(ctx, c.B().Set().Key("a").Value(value).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	get := func() (value string, own bool) {
		r := c.DoCache(ctx, c.B().Get().Key("a").Cache(), time.Minute)
		value, err := r.ToString()
		if err != nil {
			t.Fatal(err)
		}
		return value, r.IsCacheHit()
	}
	set("one")
	if v, own := get(); v != "one" || own {
		t.Errorf("first read: %q, from the client's cache: %v", v, own)
	}
	if v, own := get(); v != "one" || !own {
		t.Errorf("second read: %q, from the client's cache: %v", v, own)
	}
	set("two")
	for v, _ := get(); v != "two"; v, _ = get() { // until the invalidation has come
	}
}

func rueidisPubSub(t *testing.T, ctx context.Context, c rueidis.Client) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	subscribed, received := make(chan struct{}), make(chan rueidis.PubSubMessage, 1)
	dedicated, release := c.Dedicate()
	defer release()
	gone := dedicated.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage:      func(m rueidis.PubSubMessage) { received <- m },
		OnSubscription: func(rueidis.PubSubSubscription) { close(subscribed) },
	})
	if err := dedicated.Do(ctx, c.B().Subscribe().Channel("ru:news").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-subscribed:
	case err := <-gone:
		t.Fatal(err)
	}
	if n, err := c.Do(ctx, c.B().Publish().Channel("ru:news").Message("hello").Build()).AsInt64(); n != 1 || err != nil {
		t.Errorf("PUBLISH: %d, %v", n, err)
	}
	select {
	case m := <-received:
		if m.Message != "hello" {
			t.Errorf("message %+v", m)
		}
	case <-ctx.Done():
		t.Error("no message came")
	}
}
