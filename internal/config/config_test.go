package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/source"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestReferenceReadsBackAsDefault(t *testing.T) {
	var b bytes.Buffer
	if err := WriteReference(&b); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("reference", b.Bytes())
	if err != nil {
		t.Fatalf("the reference is not valid:\n%v", err)
	}
	if want := Default(); !reflect.DeepEqual(c, want) {
		t.Errorf("the reference says\n%+v\nbut the default is\n%+v", c, want)
	}
	for i, line := range strings.Split(b.String(), "\n") {
		if len(line) > textWidth && !strings.Contains(line, ": ") {
			t.Errorf("line %d has %d columns: %s", i+1, len(line), line)
		}
	}
}

// The example entries of the reference, made real, are a valid configuration.
func TestReferenceExampleIsValid(t *testing.T) {
	var b bytes.Buffer
	if err := WriteReference(&b); err != nil {
		t.Fatal(err)
	}
	var real strings.Builder
	for line := range strings.Lines(b.String()) {
		if rest, ok := strings.CutPrefix(line, "  # "); ok && !strings.HasPrefix(line, "  # Addresses") {
			if name := strings.TrimSpace(rest); name == "shop:" || name == "users:" || strings.HasPrefix(rest, "  ") {
				line = "  " + rest
			}
		}
		real.WriteString(line)
	}
	c, err := Parse("reference", []byte(real.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, real.String())
	}
	if len(c.Sources) != 1 || len(c.Namespaces) != 1 || c.Namespaces["users"].TTL != 5*time.Minute {
		t.Errorf("the example came out as %+v, %+v", c.Sources, c.Namespaces)
	}
}

// Invariant: each field of a configuration is in a table, once.
func TestTablesCoverEveryField(t *testing.T) {
	var c Config
	covered(t, &c, settings, map[string]bool{"Sources": true, "Namespaces": true, "File": true, "Own": true})
	var s source.Config
	covered(t, &s, sourceSettings, nil)
	var n Namespace
	covered(t, &n, namespaceSettings, nil)
}

func covered[T any](t *testing.T, c *T, table []setting[T], besides map[string]bool) {
	t.Helper()
	bound := map[any]string{}
	for _, s := range table {
		field := s.at(c).field()
		if other := bound[field]; other != "" {
			t.Errorf("%s and %s are the same field", s.path, other)
		}
		bound[field] = s.path
		if s.doc == "" || !strings.HasSuffix(s.doc, ".") {
			t.Errorf("%s is not documented in whole sentences", s.path)
		}
	}
	var walk func(v reflect.Value, name string)
	walk = func(v reflect.Value, name string) {
		if besides[name] || bound[v.Addr().Interface()] != "" {
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."))
			}
		case reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i), name)
			}
		default:
			t.Errorf("%T.%s has no setting", *c, name)
		}
	}
	walk(reflect.ValueOf(c).Elem(), "")
}

func TestParseEverything(t *testing.T) {
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse("full.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Server.Listen, []string{"127.0.0.1:7000", "[::1]:7000"}; !reflect.DeepEqual(got, want) {
		t.Errorf("listen is %v, not %v", got, want)
	}
	checks := []struct {
		name      string
		got, want any
	}{
		{"unix_mode", c.Server.UnixMode, uint32(0o660)},
		{"http.listen", c.HTTP.Listen, ""},
		{"maxmemory", c.Memory.MaxBytes, uint64(2 << 30)},
		{"policy", c.Memory.Policy.String(), "allkeys-lru"},
		{"password", c.Command.Password, "0123"},
		{"idle_timeout", c.Command.IdleTimeout, 90 * time.Second},
		{"soft_for", c.Command.Output[command.ClassPubSub].SoftFor, 5 * time.Second},
		{"slower_than", c.Command.SlowLogSlower, time.Duration(-1)},
		{"percentiles", len(c.Command.LatencyPercentiles), 2},
		{"dsn", c.Sources["main"].DSN, "file:/var/lib/shop.db?mode=ro"},
		{"query", c.Namespaces["users"].Query, "SELECT name\nFROM users\nWHERE id = :id\n"},
		{"stale", c.Namespaces["users"].StaleIfError, 36 * time.Hour},
		{"staleness", c.Namespaces["users"].MaxStaleness, time.Second},
	}
	for _, k := range checks {
		if k.got != k.want {
			t.Errorf("%s is %v, not %v", k.name, k.got, k.want)
		}
	}
	var b bytes.Buffer
	if err := WriteEffective(&b, c); err != nil {
		t.Fatal(err)
	}
	again, err := Parse("effective", b.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	c.Command.Password = ""
	for name, n := range c.Namespaces {
		c.Namespaces[name] = n.WithDefaults()
	}
	for name, s := range c.Sources {
		c.Sources[name] = s.WithDefaults()
	}
	if !reflect.DeepEqual(again, c) {
		t.Errorf("the effective configuration reads back as\n%+v\nnot\n%+v", again, c)
	}
}

// Each testdata/*.yaml beside full.yaml has what is wrong with it in the .txt
// of the same name. go test -update writes them anew; review the difference.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse("larder.yaml", data)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("Parse returned %v", err)
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestFlagsGoBeforeTheFile(t *testing.T) {
	file := []byte("memory:\n  maxmemory: 1gb\n  policy: lru\nserver:\n  listen: 127.0.0.1:1\n")
	c, err := Parse("larder.yaml", file,
		Override{"--maxmemory", "memory.maxmemory", []string{"64mb"}},
		Override{"--resp-addr", "server.listen", []string{"127.0.0.1:2", "127.0.0.1:3"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Memory.MaxBytes != 64<<20 || len(c.Server.Listen) != 2 || c.Memory.Policy != "allkeys-lru" {
		t.Errorf("got %+v %+v", c.Memory, c.Server)
	}
	_, err = Parse("", nil,
		Override{"--maxmemory", "memory.maxmemory", []string{"64 mb"}},
		Override{"--resp-addr", "server.listen", []string{":6379"}})
	want := `--maxmemory: "64 mb" is not an amount of memory
    write a size such as 512mb or 2gb, a share of the machine's memory such as
    75%, or 0 for no limit

--resp-addr: :6379 is open to other machines, and no password is set
    set auth.password (LARDER_PASSWORD), or listen on 127.0.0.1; auth.insecure:
    true (--insecure) allows it without`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestLoadFiles(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "larder.yaml")
	if _, err := Load(name); err == nil || !strings.Contains(err.Error(), "there is no such file") {
		t.Errorf("a missing file gave %v", err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory gave %v", err)
	}
	if err := os.WriteFile(name, bytes.Repeat([]byte("#"), maxFileBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(name); err == nil || !strings.Contains(err.Error(), "larger than 1 MB") {
		t.Errorf("a huge file gave %v", err)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(name)
	if err != nil || c.File != name {
		t.Errorf("an empty file gave %v, file %q", err, c.File)
	}
}

func TestParseBoundsItsWork(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("[", 1000):           "larder.yaml: brackets are nested too deep",
		"# " + strings.Repeat("-", maxLine): "larder.yaml: a line is longer than 16 KB",
	} {
		if _, err := Parse("larder.yaml", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestMemoryIsAShareOfTheMachine(t *testing.T) {
	total := MachineMemory()
	if total == 0 {
		t.Fatal("the system does not tell how much memory it has")
	}
	if got := Default().Memory.MaxBytes; got != total/4*3 && got != uint64(float64(total)*0.75) {
		t.Errorf("the default is %d of %d", got, total)
	}
}

func TestGroupLimit(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  uint64
	}{
		{"none", nil, 0},
		{"version 2", map[string]string{
			"proc/self/cgroup":                        "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max":            "max\n",
			"sys/fs/cgroup/a/memory.max":              "1000000000\n",
			"sys/fs/cgroup/memory.limit_in_bytes":     "1\n",
			"sys/fs/cgroup/memory/a/b/memory.max":     "2\n",
			"sys/fs/cgroup/memory/memory.limit_bytes": "3\n",
		}, 1000000000},
		{"version 1", map[string]string{
			"proc/self/cgroup":                                    "5:cpu,cpuacct:/x\n4:memory:/docker/1\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":          "9223372036854771712\n",
			"sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "536870912\n",
		}, 512 << 20},
		{"seen from inside", map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/1\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
		}, 512 << 20},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range test.files {
				name = filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := groupLimit(root); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}
