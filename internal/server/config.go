package server

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Mode says who serves the connections.
type Mode string

// The modes.
const (
	// ModeAuto takes event loops where the system has epoll, goroutines elsewhere.
	ModeAuto Mode = "auto"
	// ModeLoops takes event loops and fails where there are none.
	ModeLoops Mode = "loops"
	// ModeGoroutines gives each connection a goroutine of its own.
	ModeGoroutines Mode = "goroutines"
)

// Config has the settings of the server that need a restart. Limits that may
// change while it runs (clients, buffers, time-outs) are the executor's; see
// [command.Limits].
type Config struct {
	// Listen are the TCP addresses to listen on, each "host:port"; an empty host
	// means all addresses of the machine, an IPv6 address stands in brackets,
	// port 0 takes a free one. Default 127.0.0.1:6379. Empty: no TCP; then Unix
	// is required.
	Listen []string `yaml:"listen"`
	// Unix is the path of a Unix socket. Default and empty: none.
	Unix string `yaml:"unix"`
	// UnixMode has the permission bits of the Unix socket, 0o600 for instance.
	// Default 0o700. Zero leaves them to the umask.
	UnixMode uint32 `yaml:"unix_mode"`
	// Mode says who serves the connections: auto, loops or goroutines. Default
	// and empty: auto.
	Mode Mode `yaml:"mode"`
	// Loops is the number of event loops. Default and zero: one for each thread
	// Go may run at once (GOMAXPROCS). Of no meaning in mode goroutines.
	Loops int `yaml:"loops"`
	// MaxParked is the number of clients whose command may wait at once, for a
	// source for instance; a further one is answered with -BUSY. Default 4096.
	// Zero: no command may wait. Of no meaning in mode goroutines.
	MaxParked int `yaml:"max_parked"`
}

// Default returns the settings of a server that is reachable on this machine
// alone.
func Default() Config {
	return Config{
		Listen:    []string{"127.0.0.1:6379"},
		UnixMode:  0o700,
		Mode:      ModeAuto,
		MaxParked: 4096,
	}
}

// maxUnixPath is the length of the longest path a Unix socket may have on every
// system served.
const maxUnixPath = 103

// Validate returns everything that is wrong with the settings, nil when they
// can be used.
func (c Config) Validate() error {
	var errs []error
	if len(c.Listen) == 0 && c.Unix == "" {
		errs = append(errs, errors.New("listen: no address and no unix socket: nobody could connect"))
	}
	for i, address := range c.Listen {
		if err := validAddress(address); err != nil {
			errs = append(errs, fmt.Errorf("listen[%d]: %w", i, err))
		}
	}
	if len(c.Unix) > maxUnixPath {
		errs = append(errs, fmt.Errorf("unix: path has %d bytes, at most %d are possible", len(c.Unix), maxUnixPath))
	}
	if c.UnixMode > 0o777 {
		errs = append(errs, fmt.Errorf("unix_mode: %#o has more than permission bits", c.UnixMode))
	}
	switch c.Mode {
	case "", ModeAuto, ModeLoops, ModeGoroutines:
	default:
		errs = append(errs, fmt.Errorf("mode: %q is none of auto, loops, goroutines", c.Mode))
	}
	if c.Loops < 0 || c.Loops > 1024 {
		errs = append(errs, fmt.Errorf("loops: %d is not between 0 and 1024", c.Loops))
	}
	if c.MaxParked < 0 {
		errs = append(errs, fmt.Errorf("max_parked: %d is negative", c.MaxParked))
	}
	return errors.Join(errs...)
}

func validAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		if !strings.Contains(address, ":") {
			return fmt.Errorf("%q has no port; write %q", address, net.JoinHostPort(address, "6379"))
		}
		return fmt.Errorf("%q is not host:port: %w", address, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return fmt.Errorf("%q: port %q is not between 0 and 65535", address, port)
	}
	return nil
}
