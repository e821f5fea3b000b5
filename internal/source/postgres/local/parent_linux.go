package local

import "syscall"

// dieWithParent makes the kernel shut the server down when this process dies
// without having called Stop.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGINT }
