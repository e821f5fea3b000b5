package settings

import (
	"errors"
	"fmt"
	"strings"

	"github.com/larder-cache/larder/internal/config"
)

// ConflictError says that somebody else has changed the same settings.
type ConflictError struct {
	Paths    []string // the settings of the edit that have changed
	Expected uint64   // the revision that the author of the edit had seen
	Current  uint64
	Author   string // of the current revision
}

// Error implements error.
func (e *ConflictError) Error() string {
	what := strings.Join(e.Paths, ", ") + " changed"
	if len(e.Paths) == 0 {
		what = fmt.Sprintf("it is not known what changed, revision %d is no longer kept,", e.Expected)
	}
	return fmt.Sprintf("%s since revision %d: the settings are at revision %d now, by %s; look at larder config diff %d and decide again",
		what, e.Expected, e.Current, e.Author, e.Expected)
}

// NotInForceError says that a revision is stored but not in force on this node.
type NotInForceError struct {
	Revision uint64
	Reason   string
}

// Error implements error.
func (e *NotInForceError) Error() string {
	return fmt.Sprintf("revision %d is stored, but on this node: %s", e.Revision, e.Reason)
}

// UnknownOutcomeError says that the store failed in the middle of a commit, which
// may have been made.
type UnknownOutcomeError struct{ Reason error }

// Error implements error.
func (e *UnknownOutcomeError) Error() string {
	return fmt.Sprintf("it is not known whether the settings were changed, see larder config history: %v", e.Reason)
}

// Unwrap returns the store's error.
func (e *UnknownOutcomeError) Unwrap() error { return e.Reason }

// NoRevisionError says that there is no such revision.
type NoRevisionError struct{ Revision, Current uint64 }

// Error implements error.
func (e *NoRevisionError) Error() string {
	if e.Revision > e.Current {
		return fmt.Sprintf("there is no revision %d, the last one is %d", e.Revision, e.Current)
	}
	return fmt.Sprintf("revision %d is no longer kept; larder config history lists those that are", e.Revision)
}

// inLine returns the text of an error in one line, problems with their hints one
// behind the other: see [Separator].
func inLine(err error) string {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return oneLine(err.Error(), maxComment)
	}
	list := make([]string, len(problems))
	for i, p := range problems {
		list[i] = oneLine(p.Error(), maxComment)
	}
	return strings.Join(list, Separator)
}

// Separator stands between several problems in one line.
const Separator = " || "
