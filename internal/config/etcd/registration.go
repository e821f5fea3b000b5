package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// registerRetry is the pause between attempts to register again.
const registerRetry = 100 * time.Millisecond

// Registration is a key that lives as long as this process does: when it dies the
// key is gone after the ttl. After a lost lease (the store was away for longer, or
// the process was paused) the key is written again. Safe for concurrent use.
type Registration struct {
	store   *Store
	key     string
	states  chan bool
	updates chan update
	stop    context.CancelFunc
	ended   chan struct{}
	once    sync.Once

	// The goroutine's alone, until ended is closed.
	data  []byte
	lease *lease // nil: lost, not yet regained
}

type update struct {
	data  []byte
	reply chan error
}

// Register writes key and keeps it alive until Close. ttl is rounded up to whole
// seconds. Conditions count for this first write only. data must not change.
func (s *Store) Register(ctx context.Context, key string, data []byte, ttl time.Duration, conditions ...Condition) (*Registration, error) {
	if err := checkTTL(ttl); err != nil {
		return nil, err
	}
	l, err := s.putLeased(ctx, key, data, ttl, conditions)
	if err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	run, stop := s.conn.open(context.WithoutCancel(ctx))
	r := &Registration{
		store: s, key: key, data: data, lease: l, stop: stop,
		states: make(chan bool, 1), updates: make(chan update), ended: make(chan struct{}),
	}
	go r.run(run, ttl)
	return r, nil
}

// putLeased writes key with a new lease; without success the lease is given back.
func (s *Store) putLeased(ctx context.Context, key string, data []byte, ttl time.Duration, conditions []Condition) (*lease, error) {
	l, err := s.conn.grant(ctx, ttl)
	if err != nil {
		return nil, err
	}
	if _, err := s.Commit(ctx, []Op{l.write(key, data)}, conditions...); err != nil {
		// Also when ctx is what ended: an unclear write must not live on.
		_ = l.revoke(context.WithoutCancel(ctx))
		return nil, err
	}
	return l, nil
}

// States tells of changes: false when the lease was lost, true when the key is
// written again. The channel keeps the latest only, and closes at the end.
func (r *Registration) States() <-chan bool { return r.states }

// Update writes the key anew, with the lease it has. While the lease is lost
// it is [ErrUnavailable], and data is what the key will be written with again.
func (r *Registration) Update(ctx context.Context, data []byte) error {
	u := update{data: data, reply: make(chan error, 1)}
	select {
	case r.updates <- u:
		return <-u.reply
	case <-r.ended:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("update %q: %w: %w", r.key, ErrUnavailable, context.Cause(ctx))
	}
}

// Close removes the key and ends the registration. When the store cannot be
// reached the key runs out by itself, and the error says so. May be called several
// times; only the first one removes.
func (r *Registration) Close(ctx context.Context) error {
	var err error
	r.once.Do(func() {
		r.stop()
		<-r.ended
		if r.lease != nil {
			err = r.lease.revoke(ctx)
		}
	})
	return err
}

func (r *Registration) run(ctx context.Context, ttl time.Duration) {
	defer close(r.ended)
	defer close(r.states)
	timer := time.NewTimer(r.lease.pace())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case u := <-r.updates:
			u.reply <- r.write(ctx, u.data)
		case <-timer.C:
			timer.Reset(r.step(ctx, ttl))
		}
	}
}

// step renews the lease or writes the key with a new one; it says when to go on.
func (r *Registration) step(ctx context.Context, ttl time.Duration) time.Duration {
	if r.lease != nil {
		next, err := r.lease.renew(ctx)
		if err == nil {
			return next
		}
		r.lose()
		return 0
	}
	l, err := r.store.putLeased(ctx, r.key, r.data, ttl, nil)
	if err != nil {
		return registerRetry
	}
	r.lease = l
	r.tell(true)
	return l.pace()
}

func (r *Registration) write(ctx context.Context, data []byte) error {
	r.data = data
	if r.lease == nil {
		return fmt.Errorf("update %q: %w", r.key, ErrUnavailable)
	}
	_, err := r.store.Commit(ctx, []Op{r.lease.write(r.key, data)})
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		r.lose()
		return fmt.Errorf("update %q: %w: %w", r.key, ErrUnavailable, errLeaseLost)
	}
	return err
}

func (r *Registration) lose() {
	r.lease = nil
	r.tell(false)
}

// tell replaces what nobody has read yet.
func (r *Registration) tell(held bool) {
	for {
		select {
		case r.states <- held:
			return
		default:
		}
		select {
		case <-r.states:
		default:
		}
	}
}
