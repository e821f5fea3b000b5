// Package durable writes files so that a death or a power cut in the middle
// leaves either the old contents or the new ones, never a part of either.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// unfinished stands in the names of files that are being written.
const unfinished = ".new"

// WriteFile gives the file name new contents and mode, at once and durably: they
// are written and synced beside it, then renamed over it. The file need not be
// there yet; its directory must.
func WriteFile(name string, data []byte, mode fs.FileMode) (err error) {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, "."+filepath.Base(name)+unfinished+"*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // closing twice only fails
			_ = os.Remove(f.Name())
		}
	}()
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDirectory(dir)
}

// RemoveUnfinished removes what WriteFile has left beside the file name when the
// process died in it. The last part of name may be a pattern of [filepath.Glob].
// Nobody may be writing the file meanwhile.
func RemoveUnfinished(name string) error {
	left, err := filepath.Glob(filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+unfinished+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// syncDirectory makes a rename durable.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
