package loadgen

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Sizes of the machinery of a worker.
const (
	readBufferBytes = 256 << 10
	maxPieces       = 64         // pieces of one write
	maxWaitNs       = 20_000_000 // after which a worker looks whether to stop
)

// splitAddress returns network and address for net.Dial.
func splitAddress(address string) (network, target string) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "unix", path
	}
	return "tcp", address
}

// dial connects and greets: HELLO 3 or AUTH, then SELECT, as far as c asks.
func dial(ctx context.Context, c *Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	network, target := splitAddress(c.Address)
	conn, err := new(net.Dialer).DialContext(ctx, network, target)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.Address, plain(err))
	}
	deadline, _ := ctx.Deadline()
	if err = conn.SetDeadline(deadline); err == nil {
		err = greet(conn, c)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close() // the greeting's error is the one that matters
		return nil, fmt.Errorf("greet %s: %w", c.Address, err)
	}
	return conn, nil
}

func greet(conn net.Conn, c *Config) error {
	var calls [][]string
	user := c.User
	if user == "" {
		user = "default"
	}
	switch {
	case c.Protocol == RESP3 && c.Password != "":
		calls = append(calls, []string{"HELLO", "3", "AUTH", user, c.Password})
	case c.Protocol == RESP3:
		calls = append(calls, []string{"HELLO", "3"})
	case c.Password != "" && c.User == "":
		calls = append(calls, []string{"AUTH", c.Password})
	case c.Password != "":
		calls = append(calls, []string{"AUTH", c.User, c.Password})
	}
	if c.Database != 0 {
		calls = append(calls, []string{"SELECT", strconv.Itoa(c.Database)})
	}
	for _, words := range calls {
		if err := call(conn, words); err != nil {
			return fmt.Errorf("%s: %w", words[0], err)
		}
	}
	return nil
}

// call sends one command and waits for its reply, of which only an error is used.
func call(conn net.Conn, words []string) error {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := conn.Write(b); err != nil {
		return plain(err)
	}
	var r respReader
	buf := make([]byte, 4<<10)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return plain(err)
		}
		_, done, err := r.next(buf[:n])
		if err != nil {
			return err
		}
		if done != nil && done.errText != nil {
			return fmt.Errorf("the server answers %q", done.errText)
		}
		if done != nil {
			return nil
		}
	}
}
