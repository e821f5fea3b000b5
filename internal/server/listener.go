package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// listen opens all listeners of the settings, or none.
//
// SO_REUSEPORT is not used: with it a second server started by mistake on the
// same port would take half of the clients without an error, and the kernel
// spreads few connections unevenly over the loops, since it goes by a hash. One
// loop accepts and deals instead.
func listen(cfg Config) (all []net.Listener, err error) {
	defer func() {
		if err != nil {
			closeAll(all)
			all = nil
		}
	}()
	for _, address := range cfg.Listen {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return all, fmt.Errorf("listen on %s: %w", address, cause(err))
		}
		all = append(all, l)
	}
	if cfg.Unix != "" {
		l, err := listenUnix(cfg.Unix, fs.FileMode(cfg.UnixMode))
		if err != nil {
			return all, err
		}
		all = append(all, l)
	}
	return all, nil
}

func closeAll(all []net.Listener) {
	for _, l := range all {
		l.Close()
	}
}

// listenUnix opens a Unix socket. A socket file that a dead process has left
// is removed; one that somebody answers on, or a file of another kind, is not.
func listenUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, cause(err))
	}
	if mode != 0 {
		if err := os.Chmod(path, mode); err != nil {
			l.Close()
			return nil, fmt.Errorf("listen on %s: %w", path, err)
		}
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return errors.New("a file that is no socket is in the way")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		c.Close()
		return syscall.EADDRINUSE
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("somebody may be using the socket: %w", cause(err))
	}
	return os.Remove(path)
}

// cause strips what net adds and the caller says better.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
