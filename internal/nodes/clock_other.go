//go:build !linux || !amd64

package nodes

import (
	"errors"
	"os/exec"
	"time"
)

// clock is the wall clock of a process. See the file for Linux.
type clock struct{}

func startWithClock(*exec.Cmd, string) (*clock, error) { return nil, errors.ErrUnsupported }

// CheckClocks tells why processes cannot have clocks of their own here.
func CheckClocks() error { return errors.ErrUnsupported }

func (*clock) set(time.Duration) error { return errors.ErrUnsupported }
