//go:build !unix

package etcd

import "os"

// lockFile cannot tell here; opening the store's files is what refuses.
func lockFile(*os.File) error { return nil }
