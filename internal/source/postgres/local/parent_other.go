//go:build unix && !linux

package local

import "syscall"

// dieWithParent does nothing: only Linux can. A server whose parent was killed
// has to be stopped by hand.
func dieWithParent(*syscall.SysProcAttr) {}
