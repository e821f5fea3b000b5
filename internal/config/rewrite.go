package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/larder-cache/larder/internal/durable"
)

// Rewrite writes settings that have changed while the node ran back to the file
// the configuration was read from, and leaves everything else in it, comments
// included, as it is. names are Redis's names of what changed; those that set
// nothing here are passed over. now has the values to write.
//
// The new text is read back and compared before it takes the place of the old
// at once: a crash leaves either. The file keeps its mode; a symbolic link
// stays one. Of several calls at once the last wins.
func Rewrite(now Config, names []string) error {
	file, err := filepath.EvalSymlinks(now.File)
	if err != nil {
		return err
	}
	data, err := readFile(file)
	if err != nil {
		return err
	}
	changed, err := amend(data, now, names)
	if err != nil || string(changed) == string(data) {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return durable.WriteFile(file, changed, info.Mode().Perm())
}

// amend returns the text of a configuration with the settings of these names in
// Redis set to what they are now.
func amend(data []byte, now Config, names []string) ([]byte, error) {
	for i := range settings {
		s := &settings[i]
		if s.redis == "" || !slices.Contains(names, s.redis) {
			continue
		}
		wanted, err := readBack(data)
		if err != nil {
			return nil, fmt.Errorf("the file has become invalid: %w", err)
		}
		from, to := s.at(&now), s.at(&wanted)
		if from.text() == to.text() {
			continue
		}
		if f := copyValue(to, from); f != nil {
			return nil, fmt.Errorf("%s: %s", s.path, f.problem)
		}
		changed, err := writeSetting(data, s.path, yamlValue(from))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.path, err)
		}
		// Invariant: an amended file differs from what it was in this setting alone.
		if got, err := readBack(changed); err != nil || !reflect.DeepEqual(got, wanted) {
			return nil, fmt.Errorf("%s: %w", s.path, ErrNotRewritten)
		}
		data = changed
	}
	return data, nil
}

// readBack reads a file without judging the whole: a contradiction in it is not
// the rewriting's to find.
func readBack(data []byte) (Config, error) {
	l := &loader{config: Default(), places: map[string]place{}}
	l.read(data)
	if len(l.problems) > 0 {
		return Config{}, l.problems.sorted()[0]
	}
	return l.config, nil
}

func copyValue(to, from value) *fault {
	if many, ok := to.(list); ok {
		return many.setList(from.(list).items())
	}
	return to.set(from.text())
}
