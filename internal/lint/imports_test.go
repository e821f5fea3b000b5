package lint

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/larder-cache/larder/"

// listed is what go list tells of a package.
type listed struct {
	ImportPath   string
	Dir          string
	Name         string
	Imports      []string
	TestImports  []string
	XTestImports []string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
}

// path returns the package's place in the module.
func (p *listed) path() string { return strings.TrimPrefix(p.ImportPath, module) }

// packages returns all packages of the module, for one system.
func packages(t *testing.T, goos string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json", "./...")
	cmd.Dir = "../.."
	cmd.Env = append(cmd.Environ(), "GOOS="+goos)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v: %s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages", len(all))
	}
	return all
}

// layers is the way of a request, from the outside in: a package may import
// what stands in a later layer, and what stands below its own directory. The
// names are directories; what is inside belongs to the nearest that is named.
var layers = [][]string{
	{"cmd/larder"},
	{"internal/node"},
	{"internal/config", "internal/demo"},
	{"internal/monitoring"},
	{"internal/server"},                       // 1
	{"internal/command"},                      // 3
	{"internal/cluster"},                      // 4
	{"internal/resp"},                         // 2: bytes; the commands write replies with it
	{"internal/cache"},                        // 5
	{"internal/replication"},                  // 7: streams of effects into and out of the engine
	{"internal/storage/memory"},               // 6
	{"internal/source"},                       // 5a
	{"internal/eviction", "internal/hotkeys"}, // 6a
	{"internal/hashing"},                      // 4a
	{"internal/storage/offheap"},
	{"internal/config/etcd"},
	{"internal/durable", "internal/ticks"},
}

// apart are packages outside the way of a request: they import nothing of it,
// except what is named.
var apart = map[string][]string{
	"bench":             {"internal/loadgen", "internal/simulate", "internal/nodes"},
	"internal/loadgen":  nil,
	"internal/lint":     nil,
	"internal/nodes":    {"internal/hashing", "internal/ports"},
	"internal/ports":    nil,
	"internal/simulate": {"internal/cluster", "internal/hashing"},
	"tests":             {"internal/nodes", "internal/ports"},
}

// only says who alone may import a package.
var only = map[string][]string{
	"internal/config":      {"internal/node", "cmd/larder"},
	"internal/config/etcd": {"internal/node"},
	"internal/node":        {"cmd/larder"},
	"internal/demo":        {"cmd/larder"},
	"internal/loadgen":     {"bench", "cmd/larder"},
	"internal/nodes":       {"bench", "tests"},
	"internal/ports":       {"internal/demo", "internal/nodes", "tests"},
}

// home returns the named directory that a package belongs to and its layer, -1
// for one that is apart; ok is false when no name fits.
func home(path string) (dir string, layer int, ok bool) {
	layer = -1
	consider := func(name string, l int) {
		if (path == name || strings.HasPrefix(path, name+"/")) && len(name) > len(dir) {
			dir, layer, ok = name, l, true
		}
	}
	for l, names := range layers {
		for _, name := range names {
			consider(name, l)
		}
	}
	for name := range apart {
		consider(name, -1)
	}
	return dir, layer, ok
}

// TestImportDirection guards the direction of imports: docs/architecture.md.
func TestImportDirection(t *testing.T) {
	for _, goos := range []string{"linux", "darwin"} {
		for _, p := range packages(t, goos) {
			for _, imported := range p.Imports {
				if to, inside := strings.CutPrefix(imported, module); inside {
					if problem := judge(p.path(), to); problem != "" {
						t.Errorf("%s: %s imports %s: %s", goos, p.path(), to, problem)
					}
				}
			}
		}
	}
}

// judge returns what is wrong with an import, or nothing.
func judge(from, to string) string {
	fromDir, fromLayer, ok := home(from)
	if !ok {
		return from + " has no place in the layers; give it one in internal/lint"
	}
	toDir, toLayer, ok := home(to)
	if !ok {
		return to + " has no place in the layers; give it one in internal/lint"
	}
	if fromDir == toDir {
		return ""
	}
	if allowed, limited := only[toDir]; limited && !slices.Contains(allowed, fromDir) {
		return "only " + strings.Join(allowed, " and ") + " may"
	}
	if _, isApart := apart[fromDir]; isApart {
		if slices.Contains(apart[fromDir], toDir) {
			return ""
		}
		return fromDir + " stands apart from the way of a request"
	}
	if _, isApart := apart[toDir]; isApart {
		return "" // limited by only
	}
	if toLayer <= fromLayer {
		return "imports point from the outside in"
	}
	return ""
}

// TestJudge shows that the rule refuses what it should.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		from, to string
		allowed  bool
	}{
		{"internal/server", "internal/command", true},
		{"internal/command", "internal/server", false},
		{"internal/command", "internal/resp", true},
		{"internal/cache", "internal/storage/memory", true},
		{"internal/storage/memory", "internal/cache", false},
		{"internal/storage/memory", "internal/storage/offheap", true},
		{"internal/source/postgres", "internal/source/row", true},
		{"internal/source/postgres", "internal/cache", false},
		{"internal/cache", "internal/config", false},
		{"internal/node", "internal/config", true},
		{"internal/server", "internal/loadgen", false},
		{"bench/compare", "internal/loadgen", true},
		{"bench/compare", "internal/cache", false},
		{"internal/helpers", "internal/cache", false},
	} {
		if problem := judge(c.from, c.to); (problem == "") != c.allowed {
			t.Errorf("%s imports %s: %q", c.from, c.to, problem)
		}
	}
}
