package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// lease is a promise of etcd's to keep keys for ttl after the last renewal. It has
// one owner at a time, a goroutine of a [Registration] or a [Leadership].
type lease struct {
	conn *connection
	id   clientv3.LeaseID
	ttl  time.Duration
	// Invariant: etcd keeps the lease at least until expires, since the time is
	// counted from before the renewal was sent.
	expires time.Time
}

// grant makes a lease; ttl is rounded up to whole seconds, of which etcd keeps at
// least one and a half election time-outs.
func (c *connection) grant(ctx context.Context, ttl time.Duration) (*lease, error) {
	cctx, cancel := c.bounded(ctx)
	defer cancel()
	seconds := max(1, int64((ttl+time.Second-1)/time.Second))
	began := time.Now()
	granted, err := c.client().Grant(cctx, seconds)
	if err != nil {
		return nil, failure(ctx, "get a lease", err)
	}
	l := &lease{conn: c, id: granted.ID, ttl: time.Duration(granted.TTL) * time.Second}
	l.expires = began.Add(l.ttl)
	return l, nil
}

var errLeaseLost = errors.New("the lease ran out")

// renew asks for another ttl and says when to ask next. errLeaseLost when the
// lease is gone or may be.
func (l *lease) renew(ctx context.Context) (next time.Duration, err error) {
	cctx, cancel := l.conn.bounded(ctx)
	defer cancel()
	cctx, cancelExpiry := context.WithDeadline(cctx, l.expires)
	defer cancelExpiry()
	began := time.Now()
	_, err = l.conn.client().KeepAliveOnce(cctx, l.id)
	switch {
	case err == nil:
		l.expires = began.Add(l.ttl)
		return l.pace(), nil
	case errors.Is(err, rpctypes.ErrLeaseNotFound) || !time.Now().Before(l.expires):
		return 0, errLeaseLost
	}
	return min(l.ttl/10, time.Until(l.expires)), nil
}

// pace is the time between renewals while all is well.
func (l *lease) pace() time.Duration { return l.ttl / 3 }

// revoke gives the lease back, with it the keys. Should that fail it runs out.
func (l *lease) revoke(ctx context.Context) error {
	cctx, cancel := l.conn.bounded(ctx)
	defer cancel()
	_, err := l.conn.client().Revoke(cctx, l.id)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return nil
	}
	return failure(ctx, "give a lease back", err)
}

// write is a Write that lives by l.
func (l *lease) write(key string, data []byte) Op {
	return Op{key: key, data: data, kind: opWrite, leased: l.id}
}

// checkTTL refuses what cannot be a time to live.
func checkTTL(ttl time.Duration) error {
	if ttl <= 0 {
		return fmt.Errorf("configuration store: a time to live of %v", ttl)
	}
	return nil
}
