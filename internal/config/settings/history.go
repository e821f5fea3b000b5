package settings

import (
	"context"
	"errors"

	"github.com/larder-cache/larder/internal/config"
)

// Current returns the revision that is the current one of the cluster, which is
// not necessarily in force on this node yet. It is linearizable.
func (s *Service) Current(ctx context.Context) (Record, error) {
	r, _, err := s.read(ctx)
	return r, err
}

// At returns a revision; 0 is the empty one that a cluster begins with. When it
// is not there the error is a [NoRevisionError].
func (s *Service) At(ctx context.Context, revision uint64) (Record, error) {
	if revision == 0 {
		return Record{}, nil
	}
	if s.store == nil {
		return Record{}, ErrNotConnected
	}
	data, at, err := s.store.Get(ctx, historyKey(revision))
	if err != nil {
		return Record{}, err
	}
	if at == 0 {
		now, err := s.Current(ctx)
		if err != nil {
			return Record{}, err
		}
		return Record{}, &NoRevisionError{revision, now.Revision}
	}
	return decode(data)
}

// History returns the last n revisions, at most those that are kept, the newest
// first.
func (s *Service) History(ctx context.Context, n int) ([]Record, error) {
	now, err := s.Current(ctx)
	if err != nil || now.Revision == 0 {
		return nil, err
	}
	list := []Record{now}
	for revision := now.Revision - 1; revision > 0 && len(list) < min(n, historyLength); revision-- {
		r, err := s.At(ctx, revision)
		if errors.As(err, new(*NoRevisionError)) {
			break // others went on changing settings meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// Diff tells what makes revision b of revision a, without secrets: see
// [config.Diff].
func (s *Service) Diff(ctx context.Context, a, b uint64) (string, error) {
	before, err := s.At(ctx, a)
	if err != nil {
		return "", err
	}
	after, err := s.At(ctx, b)
	if err != nil {
		return "", err
	}
	return config.Diff(before.Settings, after.Settings), nil
}
