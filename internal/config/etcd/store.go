package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// defaultTimeout is how long one call may take before it is [ErrUnavailable].
const defaultTimeout = 2 * time.Second

// ClientConfig says how to reach coordinators, or an operator's own etcd.
type ClientConfig struct {
	// Endpoints are host:port or URLs, at least one; all of them http or all https.
	Endpoints []string
	// TLS must be given when the endpoints ask for it.
	TLS TLS
	// User and Password for an etcd with authentication. Both or neither.
	User, Password string
	// Prefix is put before every key: one etcd can serve several clusters.
	Prefix string
	// Timeout of one call, default 2 s.
	Timeout time.Duration
	// Log receives etcd's lines at debug level. Nil: nowhere.
	Log *slog.Logger
}

// Store is the strongly consistent store as larder sees it: reads are
// linearizable, writes take conditions. Safe for concurrent use.
//
// Every call but Watch and Campaign, which wait by their nature, ends within the
// store's time-out, with [ErrUnavailable] when there is no quorum.
type Store struct {
	conn   *connection
	prefix string
}

// Connect is a store over endpoints. They need not be reachable yet, except with
// a user: then the first login is made here and can be [ErrUnavailable] or
// [ErrDenied]. Close it.
func Connect(_ context.Context, cfg ClientConfig) (*Store, error) {
	if len(cfg.Endpoints) == 0 {
		return nil, errors.New("connect to the configuration store: no endpoints given")
	}
	if (cfg.User == "") != (cfg.Password == "") {
		return nil, errors.New("connect to the configuration store: give user and password, or neither")
	}
	if err := cfg.TLS.validate(); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	log := newJournal(cfg.Log).logger()
	client, err := dial(cfg, log)
	if err != nil {
		return nil, failure(context.Background(), "connect to the configuration store", err)
	}
	return &Store{conn: newConnection(client, cfg.TLS, cfg.Timeout, log), prefix: cfg.Prefix}, nil
}

func dial(cfg ClientConfig, log *zap.Logger) (*clientv3.Client, error) {
	secure, err := cfg.TLS.client()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{
		Endpoints:   withScheme(cfg.Endpoints, cfg.TLS),
		TLS:         secure,
		Username:    cfg.User,
		Password:    cfg.Password,
		DialTimeout: cfg.Timeout,
		// A peer that vanished without a word is noticed by unanswered pings; gRPC
		// sends them at most every 10 s, but unacknowledged data counts as well.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: cfg.Timeout,
		Logger:               log,
		DialOptions: append(cfg.TLS.dialOptions(secure), grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: cfg.Timeout,
		})),
	})
}

// Under is the same store with a longer prefix. It shares the connection: close
// only the store that was opened.
func (s *Store) Under(prefix string) *Store { return &Store{conn: s.conn, prefix: s.prefix + prefix} }

// SetEndpoints replaces the endpoints; calls under way are not disturbed. For a
// member's own store it does nothing. An empty list is refused.
func (s *Store) SetEndpoints(endpoints []string) error {
	if len(endpoints) == 0 {
		return errors.New("configuration store: an empty list of endpoints")
	}
	if s.conn.remote() {
		s.conn.client().SetEndpoints(withScheme(endpoints, s.conn.tls)...)
	}
	return nil
}

// Close ends the connection, with it all watches, registrations and leaderships;
// their leases run out on their own. May be called several times. A member's own
// store is closed by [Member.Stop], and Close does nothing to it.
func (s *Store) Close() {
	if s.conn.remote() {
		s.conn.close()
	}
}

// Switch makes the store, and every other one that shares its connection, reach
// the service through endpoints from now on; cfg's Prefix does not count. It is
// for the store of a member that ends while its node goes on: watches go on where
// they were, registrations and leaderships keep their leases. Calls under way may
// end with [ErrUnavailable]. To be closed as if it had been opened by [Connect].
func (s *Store) Switch(cfg ClientConfig) error {
	next, err := Connect(context.Background(), cfg)
	if err != nil {
		return err
	}
	if !s.conn.replace(next.conn.client()) {
		next.Close()
		return errClosed
	}
	return nil
}

func (s *Store) key(key string) string { return s.prefix + key }

// connection is a client with what its calls have in common.
type connection struct {
	tls     TLS
	timeout time.Duration
	log     *zap.Logger

	mu      sync.Mutex           // serializes changes of current
	current atomic.Pointer[link] // never nil
	// life ends with close: the connection's own, not a caller's context.
	life    context.Context
	endLife context.CancelCauseFunc
}

// link is what a connection works with at a time.
type link struct {
	client *clientv3.Client
	// life ends with the link; calls under way are broken off.
	life context.Context
	end  context.CancelCauseFunc
	once sync.Once
}

var (
	errClosed   = fmt.Errorf("%w (this node's connection to it was closed)", ErrUnavailable)
	errReplaced = fmt.Errorf("%w (this node's connection to it is another one now)", ErrUnavailable)
	errEnded    = fmt.Errorf("%w (the coordinator on this node has ended)", ErrUnavailable)
)

func newLink(client *clientv3.Client) *link {
	life, end := context.WithCancelCause(context.Background())
	return &link{client: client, life: life, end: end}
}

func (l *link) close(why error) {
	l.once.Do(func() {
		l.end(why)
		// The only error is that of the context it cancels.
		_ = l.client.Close()
	})
}

func newConnection(client *clientv3.Client, secure TLS, timeout time.Duration, log *zap.Logger) *connection {
	life, end := context.WithCancelCause(context.Background())
	c := &connection{tls: secure, timeout: timeout, log: log, life: life, endLife: end}
	c.current.Store(newLink(client))
	return c
}

// client is what calls are made with. It may be closed while a call is made.
func (c *connection) client() *clientv3.Client { return c.current.Load().client }

// remote says whether there is a network in between.
func (c *connection) remote() bool { return c.client().ActiveConnection() != nil }

// close ends the connection. May be called several times.
func (c *connection) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLife(errClosed)
	c.current.Load().close(errClosed)
}

// suspend breaks all calls off until replace, unless the client is another one
// already. What lasts goes on trying.
func (c *connection) suspend(client *clientv3.Client) {
	if l := c.current.Load(); l.client == client {
		l.close(errEnded)
	}
}

// closeIf is close, unless the connection has been given another client.
func (c *connection) closeIf(client *clientv3.Client) {
	if c.client() == client {
		c.close()
	}
}

// replace gives the connection another client; false: it is closed already.
func (c *connection) replace(client *clientv3.Client) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life.Err() != nil {
		return false
	}
	c.current.Swap(newLink(client)).close(errReplaced)
	return true
}

// bounded is ctx for one call: it ends with the time-out and with what the
// connection works with.
func (c *connection) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	l := c.current.Load()
	stop := context.AfterFunc(l.life, func() { cancel(context.Cause(l.life)) })
	ctx, cancelTimeout := context.WithTimeout(ctx, c.timeout)
	return ctx, func() { cancelTimeout(); stop(); cancel(nil) }
}

// open is ctx for what goes on until it ends: it ends with the connection too.
func (c *connection) open(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.life, func() { cancel(errClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

// withScheme completes host:port to a URL.
func withScheme(endpoints []string, secure TLS) []string {
	urls := make([]string, len(endpoints))
	for i, e := range endpoints {
		if !hasScheme(e) {
			e = secure.scheme() + "://" + e
		}
		urls[i] = e
	}
	return urls
}

func hasScheme(endpoint string) bool {
	for _, scheme := range []string{"http://", "https://", "unix:", "unixs:"} {
		if len(endpoint) >= len(scheme) && endpoint[:len(scheme)] == scheme {
			return true
		}
	}
	return false
}
