//go:build !unix

package command

import "time"

// processorTime returns zero: this system does not tell.
func processorTime() (user, system time.Duration) { return 0, 0 }
