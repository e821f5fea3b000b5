package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// campaignRetry is the pause after an attempt that the store did not answer.
	campaignRetry = 50 * time.Millisecond
	// campaignFirst bounds the first attempt, each one after it twice as much. What
	// is asked while etcd has no leader is never answered, and the end of a leader
	// is when many elections begin.
	campaignFirst = 250 * time.Millisecond
)

// Leadership is one term of the elected. Safe for concurrent use.
type Leadership struct {
	name     string
	key      string // the whole one
	revision Revision
	lease    *lease
	stop     context.CancelFunc
	done     chan struct{}
	once     sync.Once
}

// Campaign waits until id is the elected of name, or ctx ends, or the store is
// closed. An election is one key that all candidates try to create: with few
// candidates that is as good as a queue, and one round trip less.
//
// The leadership lasts until Resign, or until it could not be renewed for ttl
// (rounded up to whole seconds): then Done is closed, and another may be elected.
func (s *Store) Campaign(ctx context.Context, name, id string, ttl time.Duration) (*Leadership, error) {
	if err := checkTTL(ttl); err != nil {
		return nil, err
	}
	for within := campaignFirst; ; within = min(2*within, defaultTimeout) {
		attempt, cancel := context.WithTimeout(ctx, within)
		l, err := s.tryLead(attempt, name, id, ttl)
		late := attempt.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil {
			return l, nil
		}
		var held *Conflict
		switch {
		case errors.As(err, &held):
			err = s.untilRemoved(ctx, name)
			within = campaignFirst / 2
		case late || errors.Is(err, ErrUnavailable):
			err = s.pause(ctx, campaignRetry)
		}
		if err != nil {
			return nil, fmt.Errorf("campaign for %q: %w", name, err)
		}
	}
}

func (s *Store) tryLead(ctx context.Context, name, id string, ttl time.Duration) (*Leadership, error) {
	// Looking first saves a lease per candidate and attempt.
	if v, err := s.Get(ctx, name); err == nil {
		return nil, &Conflict{Key: name, Current: v.Created}
	} else if !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	l, err := s.conn.grant(ctx, ttl)
	if err != nil {
		return nil, err
	}
	revision, err := s.Commit(ctx, []Op{l.write(name, []byte(id))}, IfAbsent(name))
	if err != nil {
		// An unclear write goes with its lease, at the latest when that runs out.
		go func() { _ = l.revoke(context.WithoutCancel(ctx)) }()
		return nil, err
	}
	run, stop := s.conn.open(context.WithoutCancel(ctx))
	lead := &Leadership{name: name, key: s.key(name), revision: revision, lease: l, stop: stop, done: make(chan struct{})}
	go lead.keep(run)
	return lead, nil
}

// untilRemoved returns when nobody holds the election any more.
func (s *Store) untilRemoved(ctx context.Context, name string) error {
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for change := range s.Watch(wctx, name, 0) {
		if !holds(change, name) {
			return nil
		}
	}
	return s.ended(ctx)
}

// holds says whether the key exists after change, which may be about longer keys.
func holds(change Change, name string) bool {
	held := !change.Resync
	for _, e := range change.Events {
		if e.Key == name {
			held = !e.Removed
		}
	}
	return held
}

// pause waits for d, unless ctx or the store end.
func (s *Store) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
	case <-s.conn.life.Done():
	case <-time.After(d):
		return nil
	}
	return s.ended(ctx)
}

// ended is why something that waits came to its end.
func (s *Store) ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errClosed
}

// keep renews the lease until it is lost or Resign stops it.
func (l *Leadership) keep(ctx context.Context) {
	defer close(l.done)
	timer := time.NewTimer(l.lease.pace())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			next, err := l.lease.renew(ctx)
			if err != nil {
				return
			}
			timer.Reset(next)
		}
	}
}

// Done is closed when the leadership ended or may have: stop acting on it. It is
// closed before another can be elected, as long as this process is not paused;
// [IfOwner] on every write is what makes it safe.
func (l *Leadership) Done() <-chan struct{} { return l.done }

// Revision is the fencing token: later leaderships of the same name have higher
// ones.
func (l *Leadership) Revision() Revision { return l.revision }

// Resign ends the leadership at once, so that another can be elected without
// waiting for the ttl. May be called several times.
func (l *Leadership) Resign(ctx context.Context) error {
	var err error
	l.once.Do(func() {
		l.stop()
		<-l.done
		err = l.lease.revoke(ctx)
	})
	return err
}

// Leader is the id that holds the election name, and since which revision.
// [ErrNotFound] when nobody does.
func (s *Store) Leader(ctx context.Context, name string) (id string, since Revision, err error) {
	v, err := s.Get(ctx, name)
	return string(v.Data), v.Created, err
}
