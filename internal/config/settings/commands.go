package settings

import (
	"context"
	"errors"
	"fmt"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
)

// Answers are what LARDER CONFIG is answered with on a node of a cluster. It
// implements [command.Configuration] and [command.ClusterSettings].
type Answers struct{ service *Service }

// NewAnswers returns the answers of a service.
func NewAnswers(service *Service) Answers { return Answers{service} }

// Values implements [command.Configuration].
func (a Answers) Values(paths []string) ([]command.SettingValue, error) {
	values, err := a.service.Get(paths...)
	return tell(values), coded(err)
}

func tell(values []config.Value) []command.SettingValue {
	var list []command.SettingValue
	for _, v := range values {
		list = append(list, command.SettingValue{Path: v.Path, Value: v.Text, Layer: v.Layer.String(), Place: v.Where, Scope: v.Scope.String(), Live: v.Live})
	}
	return list
}

// Document implements [command.ClusterSettings].
func (a Answers) Document(ctx context.Context) (uint64, string, error) {
	r, err := a.service.Current(ctx)
	return r.Revision, string(r.Settings.Redacted()), coded(err)
}

// Change implements [command.ClusterSettings].
func (a Answers) Change(ctx context.Context, c command.SettingsChange) (command.SettingsResult, error) {
	e := Edit{Author: c.Author, Comment: c.Comment, Expected: c.Expected}
	for _, p := range c.Set {
		e.Changes = append(e.Changes, config.Change{Path: p.Name, Value: p.Value})
	}
	for _, path := range c.Unset {
		e.Changes = append(e.Changes, config.Change{Path: path, Remove: true})
	}
	r, err := a.service.Set(ctx, e)
	return command.SettingsResult(r), coded(err)
}

// Replace implements [command.ClusterSettings].
func (a Answers) Replace(ctx context.Context, revision uint64, yaml, author, comment string) (command.SettingsResult, error) {
	r, err := a.service.Replace(ctx, revision, []byte(yaml), author, comment)
	return command.SettingsResult(r), coded(err)
}

// Rollback implements [command.ClusterSettings].
func (a Answers) Rollback(ctx context.Context, revision uint64, author, comment string) (command.SettingsResult, error) {
	r, err := a.service.Rollback(ctx, revision, author, comment)
	return command.SettingsResult(r), coded(err)
}

// History implements [command.ClusterSettings].
func (a Answers) History(ctx context.Context, n int) ([]command.SettingsRevision, error) {
	records, err := a.service.History(ctx, n)
	var list []command.SettingsRevision
	for _, r := range records {
		list = append(list, command.SettingsRevision{Revision: r.Revision, Time: r.Time, Author: r.Author, Comment: r.Comment, Paths: r.Paths})
	}
	return list, coded(err)
}

// Diff implements [command.ClusterSettings].
func (a Answers) Diff(ctx context.Context, from, to uint64) (string, error) {
	if to == 0 {
		now, err := a.service.Current(ctx)
		if err != nil {
			return "", coded(err)
		}
		to = now.Revision
		if from == 0 {
			from = max(to, 1) - 1
		}
	}
	text, err := a.service.Diff(ctx, from, to)
	return text, coded(err)
}

// codedError is an error for a client: in one line, with a code.
type codedError struct {
	error
	code string
}

// Code returns the code of the reply: INVALID for settings that are wrong,
// CONFLICT when somebody else has changed the same ones, ERR otherwise.
func (e *codedError) Code() string { return e.code }

// Unwrap returns the error itself.
func (e *codedError) Unwrap() error { return e.error }

// Error returns it in one line.
func (e *codedError) Error() string { return inLine(e.error) }

func coded(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(config.Problems)):
		return &codedError{err, "INVALID"}
	case errors.As(err, new(*ConflictError)):
		return &codedError{err, "CONFLICT"}
	}
	return &codedError{err, "ERR"}
}

// Single answers LARDER CONFIG GET on a node that is not part of a cluster. It
// implements [command.Configuration].
type Single struct {
	given config.Effective
	now   func() config.Config
}

// NewSingle returns the answers of a node that was started with cfg. now returns
// the configuration as it is; it is called from any goroutine.
func NewSingle(cfg config.Config, now func() config.Config) (*Single, error) {
	own := cfg.Own
	if own == nil {
		own = config.NewOwn(cfg)
	}
	e, err := own.Over(config.Shared{})
	if err != nil {
		return nil, fmt.Errorf("the configuration the node was started with: %w", err)
	}
	return &Single{e, now}, nil
}

// Values implements [command.Configuration].
func (s *Single) Values(paths []string) ([]command.SettingValue, error) {
	values, err := s.given.ValuesAt(s.now(), paths...)
	return tell(values), coded(err)
}
