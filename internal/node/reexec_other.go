//go:build !unix

package node

import "errors"

var errNoReexec = errors.New("a process cannot replace itself on this system; restart it by other means: larder cluster restart --exec")

func canReexec() error { return errNoReexec }

// Reexec replaces this process, where the system can.
func Reexec() error { return errNoReexec }
