//go:build !unix

package loadgen

import "time"

// processCPU is not known here; results show 0.
func processCPU() time.Duration { return 0 }
