package settings

import (
	"fmt"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/eviction"
	"github.com/larder-cache/larder/internal/replication"
)

// Commands is the part of the executor that settings are put in force in.
type Commands interface {
	Change(func(*command.Options))
	SetUnheld(func(key []byte) bool)
}

// Engine is the part of the engine that settings are put in force in.
type Engine interface {
	SetMaxBytes(n uint64)
	SetPolicy(eviction.Name) error
}

// Streams are the streams to copies that settings are put in force in.
type Streams interface{ SetLimits(replication.Limits) }

// Live returns an [Apply] for a running node: it changes what a node can change
// without a restart, and passes over the rest. What a policy refuses leaves
// everything as it was.
func Live(commands Commands, engine Engine, streams Streams) Apply {
	return func(old, new config.Config) error {
		if old.Memory.Policy != new.Memory.Policy {
			if err := engine.SetPolicy(new.Memory.Policy); err != nil {
				return fmt.Errorf("memory.policy: %w", err)
			}
		}
		if old.Memory.MaxBytes != new.Memory.MaxBytes {
			engine.SetMaxBytes(new.Memory.MaxBytes)
		}
		commands.Change(func(o *command.Options) { *o = new.Command })
		commands.SetUnheld(new.Unheld())
		streams.SetLimits(new.Replication.Limits)
		return nil
	}
}
