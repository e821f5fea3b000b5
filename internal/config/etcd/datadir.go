package etcd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// openDir makes dir, takes it for this process, and says whether it holds a
// member. The lock is ours because etcd waits without end for a directory that
// another process holds.
func openDir(dir string) (lock *os.File, used bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("coordinator's data directory: %w", err)
	}
	lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("coordinator's data directory: %w", err)
	}
	if err := lockFile(lock); err != nil {
		return nil, false, errors.Join(fmt.Errorf("%w: %s", ErrInUse, dir), lock.Close())
	}
	used, err = holdsMember(dir)
	if err != nil {
		return nil, false, errors.Join(err, lock.Close())
	}
	return lock, used, nil
}

// holdsMember says whether dir has the log of a member.
func holdsMember(dir string) (bool, error) {
	names, err := os.ReadDir(filepath.Join(dir, "member", "wal"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return len(names) > 0, err
}

// forgetMember removes what a member that did not come to be has left in dir.
func forgetMember(dir string) error { return os.RemoveAll(filepath.Join(dir, "member")) }
