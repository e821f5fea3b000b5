package demo

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// process is one run of a program. Its methods are safe for concurrent use.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended and was waited for
}

// startProcess runs a program that calls itself larder, with its output at the
// end of a file. It does not get the Ctrl-C of the terminal, which is for this
// process, and on Linux ends when this process does, however that happens.
func startProcess(binary, log string, args []string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the process has its own
	p := &process{cmd: &exec.Cmd{
		Path: binary, Args: append([]string{"larder"}, args...), Dir: filepath.Dir(log),
		Env:    slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LARDER_") }),
		Stdout: file, Stderr: file, SysProcAttr: apart(),
	}, exited: make(chan struct{})}
	started := make(chan error)
	go func() { // ends with the process, which Fleet.Close sees to
		// Linux takes the end of the thread that started a process for the end of
		// its parent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in its log
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	return p, nil
}

// running reports whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// kill ends the process at once, as kill -9 does, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
}

// ask asks the process to end in good order.
func (p *process) ask() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// tail returns the last lines of a file, for an error.
func tail(name string, lines int) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	all := slices.Collect(strings.Lines(string(b)))
	return strings.Join(all[max(0, len(all)-lines):], "")
}
