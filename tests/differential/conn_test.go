package differential

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"
)

// conn speaks RESP and returns replies as the bytes that came.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, addr string) *conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &conn{c, bufio.NewReader(c)}
}

// do sends a request and returns its reply.
func (c *conn) do(args ...string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := c.Write(b.Bytes()); err != nil {
		return nil, err
	}
	return c.reply(nil)
}

// reply appends the next reply to raw.
func (c *conn) reply(raw []byte) ([]byte, error) {
	line, err := c.r.ReadBytes('\n')
	raw = append(raw, line...)
	if err != nil || len(line) < 3 {
		return raw, err
	}
	switch line[0] {
	case '$', '=':
		n, _ := strconv.Atoi(string(line[1 : len(line)-2]))
		if n < 0 {
			return raw, nil
		}
		body := make([]byte, n+2)
		_, err := io.ReadFull(c.r, body)
		return append(raw, body...), err
	case '*', '~', '>', '%':
		n, _ := strconv.Atoi(string(line[1 : len(line)-2]))
		if line[0] == '%' {
			n *= 2
		}
		for range n {
			if raw, err = c.reply(raw); err != nil {
				return raw, err
			}
		}
	}
	return raw, nil
}
