package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/durable"
)

// DefaultDirectory is the data directory when none is given.
const DefaultDirectory = "larder-data"

// Names in a data directory.
const (
	lockName        = "lock"
	identityName    = "identity.json"
	incarnationName = "incarnation"
	tlsName         = "tls"
	caName          = "ca.pem"
	certName        = "node.pem"
	keyName         = "node.key"
	etcdName        = "etcd"
	viewName        = "view.last"
	settingsName    = "settings.last"
)

// Errors of a data directory.
var (
	// ErrInUse: another process has the directory.
	ErrInUse = errors.New("data directory in use")
	// ErrNoIdentity: the directory is fresh; the node has never been in a cluster.
	ErrNoIdentity = errors.New("the data directory has no identity yet")
	// ErrPermissions: others could read or replace what is in the directory, or it
	// is not this user's.
	ErrPermissions = errors.New("data directory not private")
)

// Dir is an open data directory. This process alone uses it until Close. Its
// methods must not be called concurrently, but for those that return paths, and
// for WriteFile and SetIdentity, which concern different files.
type Dir struct {
	path string
	lock *os.File
}

// Open opens a data directory and takes its lock. One that does not exist is
// created with permissions 0700, and an empty one is given these. Errors wrap
// [ErrInUse] or [ErrPermissions] where these are the cause, and say what to do.
func Open(path string) (*Dir, error) {
	if path == "" {
		path = DefaultDirectory
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := prepare(path); err != nil {
		return nil, err
	}
	d := &Dir{path: path}
	if err := d.takeLock(); err != nil {
		return nil, err
	}
	if err := d.prepareInside(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// prepare makes the directory, or judges the one that is there.
func prepare(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("create data directory: %w; choose another with --data-dir", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := judgeOwner(path, info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if entries, err := os.ReadDir(path); err == nil && len(entries) == 0 {
		if err := os.Chmod(path, 0o700); err == nil {
			return nil
		}
	}
	return judgeMode(path, info)
}

func judgeOwner(path string, info fs.FileInfo) error {
	if yes, owner, self := foreign(info); yes {
		return fmt.Errorf("%w: %s belongs to user %d, larder runs as user %d: start it as user %[3]d, or chown -R %[4]d %[2]s",
			ErrPermissions, path, owner, self)
	}
	return nil
}

func judgeMode(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%w: other users have access to %s (mode %04o): chmod go-rwx %[2]s; if they are not to be trusted, remove this node and join anew",
			ErrPermissions, path, mode)
	}
	return nil
}

func (d *Dir) takeLock() error {
	name := filepath.Join(d.path, lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock data directory: %w", err)
	}
	got, err := tryLock(f)
	if err == nil && !got {
		err = inUse(f, d.path)
	} else if err != nil {
		err = fmt.Errorf("lock %s: %w", name, err)
	} else if err = f.Truncate(0); err == nil {
		// the number is for people: it is the lock that counts
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return err
	}
	d.lock = f
	return nil
}

func inUse(f *os.File, path string) error {
	var text [32]byte
	n, _ := f.ReadAt(text[:], 0)
	who := "another larder"
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n]))); err == nil {
		who += fmt.Sprintf(", pid %d,", pid)
	}
	return fmt.Errorf("%w: %s uses this data directory (%s): stop it first, or give this node its own with --data-dir", ErrInUse, who, path)
}

// prepareInside makes the directory of certificates, removes what a death in the
// middle of writing has left, and judges secrets.
func (d *Dir) prepareInside() error {
	if err := os.Mkdir(d.in(tlsName), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("data directory: %w", err)
	}
	for _, name := range []string{identityName, incarnationName, viewName, settingsName, filepath.Join(tlsName, "*")} {
		if err := durable.RemoveUnfinished(d.in(name)); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	for _, name := range []string{tlsName, identityName, filepath.Join(tlsName, keyName)} {
		info, err := os.Stat(d.in(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		if err := errors.Join(judgeOwner(d.in(name), info), judgeMode(d.in(name), info)); err != nil {
			return err
		}
	}
	return nil
}

// Close gives the directory up. It must be called once.
func (d *Dir) Close() error { return d.lock.Close() }

func (d *Dir) in(name string) string { return filepath.Join(d.path, name) }

// Path returns the directory, absolute.
func (d *Dir) Path() string { return d.path }

// Etcd returns where the configuration service keeps its data. The directory
// may not exist yet.
func (d *Dir) Etcd() string { return d.in(etcdName) }

// View returns the path of the last known view, which may not exist yet.
func (d *Dir) View() string { return d.in(viewName) }

// Settings returns the path of the last known settings, which may not exist yet.
func (d *Dir) Settings() string { return d.in(settingsName) }

// Files returns the paths of the certificates; they may not exist yet.
func (d *Dir) Files() Files {
	tls := d.in(tlsName)
	return Files{CA: filepath.Join(tls, caName), Certificate: filepath.Join(tls, certName), Key: filepath.Join(tls, keyName)}
}

// WriteFile puts data into a file of the directory, atomically and durably:
// what View and Settings are written with. The path must be in the directory.
func (d *Dir) WriteFile(path string, data []byte) error {
	if !strings.HasPrefix(path, d.path+string(filepath.Separator)) {
		panic("identity: " + path + " is not in the data directory")
	}
	return writeFile(path, data)
}

// Identity returns who the node is, [ErrNoIdentity] when it has never been in a
// cluster. Other errors say what to do about the file.
func (d *Dir) Identity() (Identity, error) {
	path := d.in(identityName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Identity{}, ErrNoIdentity
	}
	if err != nil {
		return Identity{}, fmt.Errorf("data directory: %w", err)
	}
	id, err := DecodeIdentity(text)
	switch {
	case errors.Is(err, ErrNewerForm):
		return Identity{}, fmt.Errorf("%s: %w: start this node with that release", path, err)
	case err != nil:
		return Identity{}, fmt.Errorf("%s: %w: restore it from a backup; or remove the node on a member (larder cluster remove), empty %s, and join anew",
			path, err, d.path)
	}
	return id, nil
}

// SetIdentity writes who the node is. Cluster and node of a directory that has
// an identity must stay what they are.
func (d *Dir) SetIdentity(id Identity) error {
	old, err := d.Identity()
	switch {
	case errors.Is(err, ErrNoIdentity):
	case err != nil:
		return err
	case old.Cluster != id.Cluster:
		return otherCluster(d.path, old.Cluster, id.Cluster.Short())
	case old.Node != id.Node:
		return fmt.Errorf("data directory %s is that of node %s, not of %s", d.path, old.Node.Short(), id.Node.Short())
	}
	return writeFile(d.in(identityName), id.Encode())
}

// otherCluster is the error of a data directory that belongs elsewhere.
func otherCluster(path string, has ClusterID, wanted string) error {
	return fmt.Errorf("%w: data directory %s belongs to a node of cluster %s, not of cluster %s: start with an empty --data-dir, or join the cluster it belongs to",
		ErrOtherCluster, path, has.Short(), wanted)
}

// ErrOtherCluster: the data directory, the token or the member belong to
// different clusters.
var ErrOtherCluster = errors.New("another cluster")

// NextIncarnation returns the number of this process start, and remembers it
// before. It must be called once per start.
//
// Invariant: each is greater than all before, whatever the clock does.
func (d *Dir) NextIncarnation(now time.Time) (uint64, error) {
	path := d.in(incarnationName)
	var last uint64
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return 0, fmt.Errorf("data directory: %w", err)
	default:
		if last, err = decodeIncarnation(text); err != nil {
			return 0, fmt.Errorf("%s: %w: if the clock of this machine is right, remove the file and start again", path, err)
		}
	}
	next, err := nextIncarnation(last, now)
	if err != nil {
		return 0, err
	}
	if err := writeFile(path, encodeIncarnation(next)); err != nil {
		return 0, err
	}
	return next, nil
}
