package lint

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// vague are names that say nothing about what is inside.
var vague = []string{"util", "utils", "common", "helper", "helpers", "types", "base", "pkg", "misc", "shared", "lib"}

// TestPackageNames refuses packages that are no noun of their own.
func TestPackageNames(t *testing.T) {
	for _, p := range packages(t, "linux") {
		for _, part := range strings.Split(p.path(), "/") {
			if slices.Contains(vague, part) {
				t.Errorf("%s: %q says nothing; name the package after what it is", p.path(), part)
			}
		}
		if slices.Contains(vague, p.Name) {
			t.Errorf("%s: package %s says nothing", p.path(), p.Name)
		}
	}
}

// maxLines is the length at which a file surely tells more than one story.
const maxLines = 700

// postponed are words of work that was put off: it is done, or it is in an
// issue. The pattern is written so that it does not find itself.
var postponed = regexp.MustCompile(`\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b`)

// TestFiles looks into every Go file of the module.
func TestFiles(t *testing.T) {
	for _, path := range sources(t) {
		lines := 0
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		scan := bufio.NewScanner(f)
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			lines++
			if word := postponed.FindString(scan.Text()); word != "" {
				t.Errorf("%s:%d: %s; do it, or file an issue", path, lines, word)
			}
		}
		if err := scan.Err(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		f.Close()
		if lines > maxLines {
			t.Errorf("%s has %d lines, more than %d; split it by nouns", path, lines, maxLines)
		}
	}
}

// TestPackageComments wants every package to say what it is.
func TestPackageComments(t *testing.T) {
	comment := regexp.MustCompile(`(?m)^// (Package|Command) [a-z]`)
	for _, p := range packages(t, "linux") {
		found := len(p.GoFiles) == 0 // tests alone
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			found = found || comment.Match(text)
		}
		if !found {
			t.Errorf("%s has no package comment", p.path())
		}
	}
}

// sources returns the Go files of the module, of all systems.
func sources(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
