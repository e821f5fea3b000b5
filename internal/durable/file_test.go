package durable

import (
	"os"
	"path/filepath"
	"testing"
)

// names returns what is in a directory.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	for _, want := range []struct {
		text string
		mode os.FileMode
	}{{"first", 0o640}, {"", 0o600}, {"last", 0o644}} {
		if err := WriteFile(name, []byte(want.text), want.mode); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		if err != nil || string(text) != want.text {
			t.Fatalf("%q, %v; want %q", text, err, want.text)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want.mode {
			t.Fatalf("%v, %v; want mode %v", info, err, want.mode)
		}
	}
	if list := names(t, dir); len(list) != 1 {
		t.Fatalf("beside it stand %q", list)
	}
}

// What cannot be written leaves nothing behind.
func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(dir, "a"), []byte("text"), 0o600); err == nil {
		t.Fatal("a directory became a file")
	}
	if err := WriteFile(filepath.Join(dir, "none", "a"), nil, 0o600); err == nil {
		t.Fatal("written into a directory that is not there")
	}
	if list := names(t, dir); len(list) != 1 || list[0] != "a" {
		t.Fatalf("left are %q", list)
	}
}

func TestRemoveUnfinished(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", ".a.new1", ".b.new2", ".a.newer", ".a"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveUnfinished(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if list := names(t, dir); len(list) != 3 {
		t.Fatalf("left are %q", list)
	}
	if err := RemoveUnfinished(filepath.Join(dir, "*")); err != nil {
		t.Fatal(err)
	}
	if list := names(t, dir); len(list) != 2 || list[0] != ".a" || list[1] != "a" {
		t.Fatalf("left are %q", list)
	}
}
