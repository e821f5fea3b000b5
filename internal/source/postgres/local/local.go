//go:build unix

// Package local runs a PostgreSQL server of its own: for tests, and for a
// demonstration on a machine where PostgreSQL is installed and none is to be
// set up. The server listens on a Unix socket in its own directory only, so no
// port can collide and nobody else can connect; it trades durability for speed.
// On Linux it ends with the process that started it, however that ends.
package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotInstalled: no PostgreSQL server was found. Its text says how to install
// one.
var ErrNotInstalled = errors.New("PostgreSQL's server programs were not found; install them (Debian, Ubuntu: apt-get install -y postgresql; macOS: brew install postgresql@17) or put initdb and postgres on the PATH")

// Server is a running PostgreSQL. Its methods are safe for concurrent use.
type Server struct {
	dir   string
	owned bool // dir was made by Start and goes with Stop
	cmd   *exec.Cmd
	// exited is closed once the process has ended and exitErr is written.
	exited  chan struct{}
	exitErr error
	log     *logBuffer
	stop    func() error
}

// Start makes a database cluster in dir, unless one is there, and starts a
// server on it; it returns when the server answers. An empty dir is a new
// temporary directory that Stop removes. Otherwise Stop keeps dir, and a later
// Start continues with its data.
//
// PostgreSQL refuses to run as root: then the server runs as the user postgres
// or nobody, who is given dir. The path must be short enough for a Unix socket
// (about 90 bytes). Cancelling ctx ends the starting, not the server.
func Start(ctx context.Context, dir string) (*Server, error) {
	programs, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, log: &logBuffer{}, exited: make(chan struct{})}
	if dir == "" {
		if s.dir, err = os.MkdirTemp("", "larder-postgres-"); err != nil {
			return nil, err
		}
		s.owned = true
	}
	s.stop = sync.OnceValue(s.shutDown)
	if err := s.start(ctx, programs); err != nil {
		s.removeOwned()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, programs string) error {
	account, err := unprivileged()
	if err != nil {
		return err
	}
	if err := s.giveDir(account); err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		initdb := exec.CommandContext(ctx, filepath.Join(programs, "initdb"), "--pgdata", data, "--username", "postgres",
			"--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
		s.prepare(initdb, account)
		if out, err := initdb.CombinedOutput(); err != nil {
			return fmt.Errorf("initdb in %q: %w: %s", s.dir, err, bytes.TrimSpace(out))
		}
	}
	s.cmd = exec.Command(filepath.Join(programs, "postgres"), "-D", data, "-k", s.dir,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		"-c", "max_connections=100")
	s.prepare(s.cmd, account)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	dieWithParent(s.cmd.SysProcAttr)
	if err := s.run(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	if err := s.waitReady(ctx); err != nil {
		return errors.Join(err, s.stop())
	}
	return nil
}

// giveDir makes dir the account's own, so that its server can use it.
func (s *Server) giveDir(account *syscall.Credential) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if account == nil {
		return nil
	}
	return os.Chown(s.dir, int(account.Uid), int(account.Gid))
}

// prepare makes cmd run as account, in a process group of its own: a Ctrl-C in
// the terminal is for its parent, which then stops the server in good order.
func (s *Server) prepare(cmd *exec.Cmd, account *syscall.Credential) {
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account, Setpgid: true}
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PG") }), "TZ=UTC")
}

// run starts the server and a goroutine that ends with it. Both start and wait
// are on one locked thread, since Linux takes the end of the thread that started
// a process for the end of its parent.
func (s *Server) run() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.exitErr = s.cmd.Wait()
			close(s.exited)
		}
	}()
	return <-started
}

// waitReady returns when the server answers, has ended, or ctx is done.
func (s *Server) waitReady(ctx context.Context) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := pgconn.Connect(ctx, s.DSN())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-again.C:
		case <-s.exited:
			return fmt.Errorf("postgres ended at once: %v: %s", s.exitErr, s.log)
		case <-ctx.Done():
			return fmt.Errorf("wait for postgres: %w (last: %v)", context.Cause(ctx), err)
		}
	}
}

// DSN returns how to connect, as superuser postgres to the database postgres.
func (s *Server) DSN() string {
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s.dir)
	return fmt.Sprintf("host='%s' port=5432 user=postgres database=postgres sslmode=disable", quoted)
}

// Log returns the last part of what the server wrote.
func (s *Server) Log() string { return s.log.String() }

// Stop ends the server, cutting its connections, and returns after it has ended.
// Calling it again returns the same.
func (s *Server) Stop() error { return s.stop() }

// patience is how long an orderly end may take before it is forced.
const patience = 10 * time.Second

func (s *Server) shutDown() error {
	defer s.removeOwned()
	// SIGINT is PostgreSQL's fast shutdown.
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop postgres: %w", err)
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-s.exited:
	case <-limit.C:
		// SIGQUIT ends its children too; SIGKILL would leave them behind.
		if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
			return fmt.Errorf("stop postgres: %w", err)
		}
		<-s.exited
	}
	if s.exitErr != nil {
		return fmt.Errorf("postgres: %w: %s", s.exitErr, s.log)
	}
	return nil
}

func (s *Server) removeOwned() {
	if s.owned {
		os.RemoveAll(s.dir)
	}
}

// unprivileged returns whom to run the server as; nil when this process will do.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: true}, nil
	}
	return nil, errors.New("postgres does not run as root and there is neither a user postgres nor nobody; run this as an ordinary user")
}

// find returns the directory of the newest initdb and postgres.
func find() (string, error) {
	var candidates []string
	if path, err := exec.LookPath("postgres"); err == nil {
		candidates = append(candidates, filepath.Dir(path))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin", "/usr/local/pgsql/bin",
	} {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		slices.SortFunc(found, byVersion)
		candidates = append(candidates, found...)
	}
	for _, dir := range candidates {
		if isProgram(filepath.Join(dir, "initdb")) && isProgram(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", ErrNotInstalled
}

// byVersion orders directories that differ in a number: highest first.
func byVersion(a, b string) int {
	return version(b) - version(a)
}

func version(dir string) int {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, dir)
	n, _ := strconv.Atoi(digits) // none: 0, the oldest
	return n
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
