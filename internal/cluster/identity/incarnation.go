package identity

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// nextIncarnation returns the number of a process start: the time in
// milliseconds since 1970, or one more than the last where the clock has gone
// back (or two starts fall into one millisecond).
//
// Invariant: it is greater than last. The time keeps it rising even when the
// file with last has been lost, as long as the clock is right.
func nextIncarnation(last uint64, now time.Time) (uint64, error) {
	if last == math.MaxUint64 {
		return 0, fmt.Errorf("incarnation: %w: there is none after %d", ErrDamaged, last)
	}
	return max(last+1, uint64(max(now.UnixMilli(), 1))), nil
}

func encodeIncarnation(n uint64) []byte { return []byte(strconv.FormatUint(n, 10) + "\n") }

func decodeIncarnation(text []byte) (uint64, error) {
	digits, ended := strings.CutSuffix(string(text), "\n")
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || !ended {
		return 0, fmt.Errorf("%w: %q is no number", ErrDamaged, text)
	}
	return n, nil
}
