package settings

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
)

// Parameters are the settings under Redis's names on a node of a cluster: what
// CONFIG GET tells is in force here, what CONFIG SET changes is changed on all
// nodes. It implements [command.AuthoredSettings] and is safe for concurrent use.
type Parameters struct {
	own     *command.Parameters
	service *Service
}

// NewParameters returns the parameters of a node whose own are these: what
// [command.Config.Settings] wants.
func NewParameters(own *command.Parameters, service *Service) *Parameters {
	return &Parameters{own, service}
}

// Get implements [command.Settings].
func (p *Parameters) Get(patterns []string) []command.Parameter { return p.own.Get(patterns) }

// Set implements [command.Settings], for no author in particular.
func (p *Parameters) Set(changes []command.Parameter) error {
	return p.SetAs(context.Background(), "CONFIG SET", changes)
}

// SetAs implements [command.AuthoredSettings]: it returns when the settings are
// in force on this node. Parameters without an effect are changed here alone.
func (p *Parameters) SetAs(ctx context.Context, author string, changes []command.Parameter) error {
	wanted, err := p.own.Propose(changes)
	if err != nil {
		return err
	}
	if len(wanted.Live) == 0 {
		return p.own.Set(wanted.Idle)
	}
	// What a parameter means may depend on its value now, which must be the
	// cluster's: of client-output-buffer-limit only a part may be given.
	if err := p.service.Sync(ctx); err != nil {
		return failed(err)
	}
	if wanted, err = p.own.Propose(changes); err != nil {
		return err
	}
	now := p.service.Effective()
	next := now.Config
	next.Command, next.Memory.MaxBytes, next.Memory.Policy = wanted.Options, wanted.MaxBytes, wanted.Policy
	edit := Edit{Changes: config.ParameterChanges(now.Config, next, wanted.Live), Author: author, Comment: comment(changes)}
	overridden := now.Overridden()
	for _, c := range edit.Changes {
		if place, own := overridden[c.Path]; own {
			return fmt.Errorf("CONFIG SET failed (possibly related to argument '%s') - this node goes by its own %s, %s: "+
				"change it there and restart the node, or take it out there; for the other nodes: larder config set",
				config.Parameter(c.Path), c.Path, place)
		}
	}
	if len(edit.Changes) > 0 {
		r, err := p.service.Set(ctx, edit)
		if err != nil {
			return failed(err)
		}
		if err := p.service.await(ctx, r.Revision); err != nil {
			return failed(err)
		}
	}
	return p.own.Set(wanted.Idle)
}

// comment tells which parameters were given, not their values.
func comment(changes []command.Parameter) string {
	names := make([]string, len(changes))
	for i, c := range changes {
		names[i] = strings.ToLower(c.Name)
	}
	return "CONFIG SET " + strings.Join(names, " ")
}

// failed puts an error into the words of CONFIG SET, in one line.
func failed(err error) error { return &failure{"CONFIG SET failed - " + inLine(err), err} }

// failure is an error in other words.
type failure struct {
	text  string
	cause error
}

// Error implements error.
func (f *failure) Error() string { return f.text }

// Unwrap returns the error in its own words.
func (f *failure) Unwrap() error { return f.cause }

// Rewrite implements [command.Settings]: there is no file.
func (p *Parameters) Rewrite() error {
	return errors.New("The settings of a cluster are kept by the cluster, each as soon as it is in force: there is nothing to write. See larder config history")
}
