package demo

import "syscall"

// apart gives a process a group of its own, and lets the kernel end it when this
// process is gone.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
