package settings

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/config"
)

// Edit is a change of settings, all of it or nothing.
type Edit struct {
	Changes []config.Change
	Author  string
	Comment string
	// Expected is the revision that the author has seen. When a setting of the
	// edit has changed since then, that is a [ConflictError]. 0: none, the last
	// one to write a setting wins.
	Expected uint64
}

// Result is what became of an edit.
type Result struct {
	// Revision that has it. When nothing differed it is the current one.
	Revision uint64
	// Changed are the settings that differ from the revision before; none when
	// nothing had to be done.
	Changed []string
	// Notices say where a setting is not in force, and what to do.
	Notices []string
}

// Set makes an edit and waits until it is in force on this node, or until that
// has failed, which is a notice: the edit is made then all the same. Errors:
// [config.Problems] with all that is wrong, [ConflictError], and those of the
// store, which say why nothing can be changed, or [UnknownOutcomeError].
func (s *Service) Set(ctx context.Context, e Edit) (Result, error) {
	r, err := s.commit(ctx, Record{Author: e.Author, Comment: e.Comment}, func(now Record) (config.Shared, error) {
		if err := s.unseen(ctx, e, now); err != nil {
			return config.Shared{}, err
		}
		next, err := now.Settings.With(e.Changes)
		if err != nil {
			return config.Shared{}, err
		}
		_, err = s.cfg.Own.Over(next)
		return next, err
	})
	if err != nil {
		return Result{}, err
	}
	return s.result(ctx, r), nil
}

// Replace makes an edit of what differs between a revision and a document that a
// person has made of it, with secrets as they were shown: see [Service.Set].
func (s *Service) Replace(ctx context.Context, revision uint64, document []byte, author, comment string) (Result, error) {
	before, err := s.At(ctx, revision)
	if err != nil {
		return Result{}, err
	}
	after, err := config.ParseShared("settings", document, before.Settings)
	if err != nil {
		return Result{}, err
	}
	return s.Set(ctx, Edit{before.Settings.Changes(after), author, comment, revision})
}

// Rollback makes a new revision with the settings of an earlier one, whatever
// has changed since.
func (s *Service) Rollback(ctx context.Context, to uint64, author, comment string) (Result, error) {
	old, err := s.At(ctx, to)
	if err != nil {
		return Result{}, err
	}
	if comment == "" {
		comment = fmt.Sprintf("back to revision %d", to)
	}
	r, err := s.commit(ctx, Record{Author: author, Comment: comment}, func(Record) (config.Shared, error) {
		// This version, or this node's own file, may refuse what an earlier one took.
		if _, err := old.Settings.With(nil); err != nil {
			return config.Shared{}, err
		}
		_, err := s.cfg.Own.Over(old.Settings)
		return old.Settings, err
	})
	if err != nil {
		return Result{}, err
	}
	return s.result(ctx, r), nil
}

// unseen returns a [ConflictError] when settings of an edit have changed since
// the revision that its author has seen.
func (s *Service) unseen(ctx context.Context, e Edit, now Record) error {
	if e.Expected == 0 || e.Expected == now.Revision {
		return nil
	}
	if e.Expected > now.Revision {
		return fmt.Errorf("there is no revision %d yet, the settings are at revision %d", e.Expected, now.Revision)
	}
	conflict := &ConflictError{Expected: e.Expected, Current: now.Revision, Author: now.Author}
	before, err := s.At(ctx, e.Expected)
	if errors.As(err, new(*NoRevisionError)) {
		return conflict
	} else if err != nil {
		return err
	}
	for _, path := range before.Settings.Differences(now.Settings) {
		if slices.ContainsFunc(e.Changes, func(c config.Change) bool {
			return c.Path == path || c.Remove && strings.HasPrefix(path, c.Path+".")
		}) {
			conflict.Paths = append(conflict.Paths, path)
		}
	}
	if len(conflict.Paths) > 0 {
		return conflict
	}
	return nil
}

// commit makes the next revision of what change makes of the current one, which
// is asked again whenever somebody else was faster. r has author and comment.
// Without a difference it returns the current revision.
func (s *Service) commit(ctx context.Context, r Record, change func(now Record) (config.Shared, error)) (Record, error) {
	for attempt := 0; ; attempt++ {
		now, at, err := s.read(ctx)
		if err != nil {
			return Record{}, err
		}
		next, err := change(now)
		if err != nil {
			return Record{}, err
		}
		if now.Revision > 0 && next.Equal(now.Settings) {
			now.Paths = nil
			return now, nil
		}
		made := Record{
			Revision: now.Revision + 1, Time: s.cfg.Now().UTC().Truncate(time.Millisecond),
			Author: oneLine(r.Author, maxAuthor), Comment: oneLine(r.Comment, maxComment),
			Paths: now.Settings.Differences(next), Settings: next,
		}
		err = s.write(ctx, made, at)
		if !errors.Is(err, ErrConflict) {
			return made, err
		}
		// Somebody always wins; so that it is not always somebody else, wait a bit.
		select {
		case <-ctx.Done():
			return Record{}, fmt.Errorf("others change the settings all the time, nothing was changed: %w", ctx.Err())
		case <-time.After(rand.N(time.Duration(min(attempt+1, 20)) * time.Millisecond)):
		}
	}
}

// write stores a revision on the condition that the current one is that which
// the store wrote at revision at.
func (s *Service) write(ctx context.Context, r Record, at int64) error {
	data, err := r.encode()
	if err != nil {
		return err
	}
	c := Commit{Key: currentKey, Revision: at, Writes: map[string][]byte{currentKey: data, historyKey(r.Revision): data}}
	if r.Revision > historyLength {
		c.Removes = []string{historyKey(r.Revision - historyLength)}
	}
	err = s.store.Commit(ctx, c)
	if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrRefused) {
		return &UnknownOutcomeError{err}
	}
	return err
}
