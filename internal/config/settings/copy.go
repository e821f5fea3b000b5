package settings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/larder-cache/larder/internal/durable"
)

// copyName is the file of the last known settings in a node's data directory. It
// has secrets: only the user of the process may read it.
const copyName = "settings.last"

func copyFile(dir string) string { return filepath.Join(dir, copyName) }

func readCopy(dir string) (r Record, found bool, err error) {
	if dir == "" {
		return Record{}, false, nil
	}
	data, err := os.ReadFile(copyFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, err
	}
	if r, err = decode(data); err != nil {
		return Record{}, false, err
	}
	return r, true, nil
}

func writeCopy(dir string, r Record) error {
	if dir == "" {
		return nil
	}
	data, err := r.encode()
	if err != nil {
		return err
	}
	return durable.WriteFile(copyFile(dir), data, 0o600)
}
