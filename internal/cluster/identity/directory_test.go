package identity

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/larder-cache/larder/internal/cluster"
)

func someIdentity() Identity {
	return Identity{Cluster: NewClusterID(), Node: cluster.NewNodeID(), Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func TestIdentitySurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "data")
	d := must(Open(path))(t)
	if _, err := d.Identity(); !errors.Is(err, ErrNoIdentity) {
		t.Fatalf("a fresh directory: %v", err)
	}
	want := someIdentity()
	if err := d.SetIdentity(want); err != nil {
		t.Fatal(err)
	}
	want.Coordinator, want.Member = true, "m1"
	if err := d.SetIdentity(want); err != nil {
		t.Fatalf("to become a coordinator: %v", err)
	}
	d.Close()
	d = must(Open(path))(t)
	defer d.Close()
	if got := must(d.Identity())(t); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for name, mode := range map[string]fs.FileMode{"": 0o700, tlsName: 0o700, identityName: 0o600, lockName: 0o600} {
		if info, err := os.Stat(filepath.Join(path, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%q: %v %v, want mode %v", name, info.Mode(), err, mode)
		}
	}
	other := want
	other.Cluster = NewClusterID()
	err := d.SetIdentity(other)
	wantError(t, err, "belongs to a node of cluster "+want.Cluster.Short(), "not of cluster "+other.Cluster.Short(), "empty --data-dir")
	if !errors.Is(err, ErrOtherCluster) {
		t.Errorf("%v is not ErrOtherCluster", err)
	}
	other = want
	other.Node = cluster.NewNodeID()
	wantError(t, d.SetIdentity(other), "is that of node "+want.Node.Short())
}

func TestIdentityFileIsChecked(t *testing.T) {
	id := someIdentity()
	text := string(id.Encode())
	for name, c := range map[string]struct {
		text string
		is   error
		say  []string
	}{
		"newer form":    {strings.Replace(text, `"form": 1`, `"form": 2`, 1), ErrNewerForm, []string{"form 2, this one knows 1", "start this node with that release"}},
		"cut off":       {text[:len(text)/2], ErrDamaged, []string{"restore it from a backup", "larder cluster remove"}},
		"empty":         {"", ErrDamaged, nil},
		"a changed id":  {strings.Replace(text, string(id.Node), string(cluster.NewNodeID()), 1), ErrDamaged, []string{"check sum"}},
		"a changed bit": {strings.Replace(text, `"coordinator": false`, `"coordinator": true`, 1), ErrDamaged, []string{"check sum"}},
		"form 0":        {strings.Replace(text, `"form": 1`, `"form": 0`, 1), ErrDamaged, []string{"form 0"}},
		"more":          {strings.Replace(text, `"form": 1`, `"form": 1, "x": 1`, 1), ErrDamaged, []string{"unknown field"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDir(t)
			if err := os.WriteFile(d.in(identityName), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := d.Identity()
			wantError(t, err, append(c.say, d.in(identityName))...)
			if !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			if err := d.SetIdentity(id); err == nil {
				t.Error("what was damaged is overwritten")
			}
		})
	}
}

func FuzzDecodeIdentity(f *testing.F) {
	f.Add(someIdentity().Encode())
	f.Fuzz(func(t *testing.T, text []byte) {
		id, err := DecodeIdentity(text)
		if err != nil {
			return
		}
		if again, err := DecodeIdentity(id.Encode()); err != nil || again.Node != id.Node || again.Cluster != id.Cluster {
			t.Fatalf("%+v came back as %+v, %v", id, again, err)
		}
	})
}

func TestTwoProcessesDoNotShareADirectory(t *testing.T) {
	path := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDirectory+"="+path)
	in := must(child.StdinPipe())(t)
	out := must(child.StdoutPipe())(t)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "opened\n" {
		t.Fatalf("the other process: %q %v", line, err)
	}
	_, err := Open(path)
	wantError(t, err, fmt.Sprintf("another larder, pid %d, uses this data directory", child.Process.Pid), "--data-dir")
	if !errors.Is(err, ErrInUse) {
		t.Errorf("%v is not ErrInUse", err)
	}
	// its death frees the directory
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	_ = child.Wait()
	d := must(Open(path))(t)
	defer d.Close()
	wantError(t, must2(Open(path)), fmt.Sprintf("pid %d,", os.Getpid()))
}

// must2 is the error of two results.
func must2[T any](_ T, err error) error { return err }

func TestDirectoryMustBePrivate(t *testing.T) {
	t.Run("open to others", func(t *testing.T) {
		path := t.TempDir()
		d := must(Open(path))(t)
		if err := d.SetIdentity(someIdentity()); err != nil {
			t.Fatal(err)
		}
		d.Close()
		if err := os.Chmod(path, 0o750); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		wantError(t, err, "mode 0750", "chmod go-rwx "+path)
		if !errors.Is(err, ErrPermissions) {
			t.Errorf("%v is not ErrPermissions", err)
		}
	})
	t.Run("empty and open to others", func(t *testing.T) {
		path := t.TempDir()
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		must(Open(path))(t).Close()
		if info := must(os.Stat(path))(t); info.Mode().Perm() != 0o700 {
			t.Errorf("mode %v", info.Mode())
		}
	})
	t.Run("key open to others", func(t *testing.T) {
		path := t.TempDir()
		d := must(Open(path))(t)
		must(d.Key())(t)
		d.Close()
		if err := os.Chmod(d.Files().Key, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		wantError(t, err, "node.key", "mode 0644")
	})
	t.Run("of another user", func(t *testing.T) {
		if os.Geteuid() != 0 {
			// others cannot give files away: judge one that is never ours
			info := must(os.Stat("/"))(t)
			wantError(t, judgeOwner("/", info), "belongs to user 0")
			return
		}
		path := t.TempDir()
		if err := os.Chown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		wantError(t, err, "belongs to user 12345, larder runs as user 0", "chown -R 0 "+path)
		if !errors.Is(err, ErrPermissions) {
			t.Errorf("%v is not ErrPermissions", err)
		}
	})
	t.Run("a file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		wantError(t, err, "create data directory", "--data-dir")
	})
}

func TestIncarnationRises(t *testing.T) {
	d := openDir(t)
	start := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	var last uint64
	for i, now := range []time.Time{start, start, start.Add(-24 * time.Hour), start.Add(time.Hour), time.Unix(-5, 0), start.Add(2 * time.Hour)} {
		n := must(d.NextIncarnation(now))(t)
		if n <= last {
			t.Errorf("start %d: %d after %d", i, n, last)
		}
		last = n
	}
	if want := uint64(start.Add(2 * time.Hour).UnixMilli()); last != want {
		t.Errorf("after all %d, want the time, %d", last, want)
	}
	for text, say := range map[string]string{"12x\n": "remove the file", "": "remove the file", "12": "remove the file", "18446744073709551615\n": "there is none after"} {
		if err := os.WriteFile(d.in(incarnationName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := d.NextIncarnation(start)
		wantError(t, err, say)
	}
}

func TestNextIncarnationIsGreater(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := rapid.Uint64Max(math.MaxUint64-1).Draw(t, "last")
		now := time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "now"), 0)
		if n, err := nextIncarnation(last, now); err != nil || n <= last {
			t.Fatalf("%d after %d: %v", n, last, err)
		}
	})
}

func TestWriteFileLeavesNothingBehind(t *testing.T) {
	d := openDir(t)
	if err := d.WriteFile(d.View(), []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteFile(d.View(), []byte("b")); err != nil {
		t.Fatal(err)
	}
	if got := string(must(os.ReadFile(d.View()))(t)); got != "b" {
		t.Errorf("got %q", got)
	}
	// a directory in the way: the old content stays, the temporary file goes
	if err := os.Mkdir(d.Settings(), 0o700); err != nil {
		t.Fatal(err)
	}
	wantError(t, d.WriteFile(d.Settings(), []byte("c")), "write "+d.Settings())
	entries := must(os.ReadDir(d.Path()))(t)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestUnfinishedFilesAreRemoved(t *testing.T) {
	path := t.TempDir()
	must(Open(path))(t).Close()
	var left []string
	for _, name := range []string{".identity.json.new123", ".view.last.new4", "tls/.node.key.new5", "tls/.ca.pem.new6"} {
		left = append(left, filepath.Join(path, name))
	}
	kept := filepath.Join(path, ".keep")
	for _, name := range append(left, kept) {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := must(Open(path))(t)
	defer d.Close()
	for _, name := range left {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}
