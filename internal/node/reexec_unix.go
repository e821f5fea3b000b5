//go:build unix

package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// tryFor is how long a binary may take to say its version.
const tryFor = 3 * time.Second

// canReexec returns why this process cannot be replaced: its binary is gone, or
// does not run. It is asked before anything is stopped.
func canReexec() error {
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("this node cannot find its own binary: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), tryFor)
	defer cancel()
	if err := exec.CommandContext(ctx, path, "version").Run(); err != nil {
		return fmt.Errorf("the binary %s does not run: %w; try it there: larder version", path, err)
	}
	return nil
}

// Reexec replaces this process, whose node has stopped, by what its binary is now,
// with the same arguments and environment. It returns only an error.
func Reexec() error {
	path, err := os.Executable()
	if err == nil {
		err = syscall.Exec(path, os.Args, os.Environ())
	}
	return fmt.Errorf("start again: %w", err)
}
