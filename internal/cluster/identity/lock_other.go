//go:build !unix

package identity

import (
	"errors"
	"os"
)

// tryLock: a data directory cannot be guarded here, so there is none.
func tryLock(*os.File) (bool, error) {
	return false, errors.New("nodes of a cluster need a Unix system")
}

func foreign(os.FileInfo) (yes bool, owner, self int) { return false, 0, 0 }
