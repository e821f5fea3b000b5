package nodes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Conn is a connection that speaks RESP2. It neither retries nor reconnects:
// after an error it can only be closed. Not safe for concurrent use.
type Conn struct {
	net net.Conn
	in  *bufio.Reader
	out *bufio.Writer
}

// Reply is what a server answered.
type Reply struct {
	Kind byte    // '+', '-', ':', '$' or '*'
	Text string  // of '+', '-' and '$'
	Int  int64   // of ':'
	Null bool    // '$' or '*' without a value
	List []Reply // of '*'
}

// ErrReply is what the error of an error reply is: see [Reply.Err].
var ErrReply = errors.New("error reply")

// Err returns the error that the reply is, which wraps [ErrReply], or nil.
func (r Reply) Err() error {
	if r.Kind != '-' {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrReply, r.Text)
}

// maxReply bounds one bulk string, and the elements of one array.
const maxReply = 64 << 20

// Dial connects to address, host:port.
func Dial(ctx context.Context, address string) (*Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &Conn{net: c, in: bufio.NewReaderSize(c, 16<<10), out: bufio.NewWriterSize(c, 16<<10)}, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.net.Close() }

// Expire bounds everything that the connection does from now on; zero: no bound.
func (c *Conn) Expire(at time.Time) error { return c.net.SetDeadline(at) }

// Send writes a request to the buffer of the connection. See [Conn.Flush].
func (c *Conn) Send(args ...string) {
	c.head('*', len(args))
	for _, a := range args {
		c.head('$', len(a))
		_, _ = c.out.WriteString(a) // bufio keeps the first error for Flush
		_, _ = c.out.WriteString("\r\n")
	}
}

func (c *Conn) head(kind byte, n int) {
	var store [24]byte
	b := strconv.AppendInt(append(store[:0], kind), int64(n), 10)
	_, _ = c.out.Write(append(b, '\r', '\n')) // as in Send
}

// Flush sends what is in the buffer. Many requests may be sent before their
// replies are received, as long as those fit into the buffers of the kernel.
func (c *Conn) Flush() error { return c.out.Flush() }

// Receive waits for the next reply. An error reply is no error here.
func (c *Conn) Receive() (Reply, error) {
	line, err := c.line()
	if err != nil {
		return Reply{}, err
	}
	r := Reply{Kind: line[0], Text: line[1:]}
	if r.Kind == '+' || r.Kind == '-' {
		return r, nil
	}
	if r.Int, err = strconv.ParseInt(r.Text, 10, 64); err != nil {
		return r, fmt.Errorf("reply %.40q is not RESP2", line)
	}
	r.Text = ""
	switch n := r.Int; {
	case r.Kind == ':':
		return r, nil
	case r.Kind != '$' && r.Kind != '*' || n < -1 || n > maxReply:
		return r, fmt.Errorf("reply %.40q is not RESP2", line)
	case n == -1:
		r.Null = true
	case r.Kind == '$':
		b := make([]byte, n+2)
		if _, err := io.ReadFull(c.in, b); err != nil {
			return r, err
		}
		r.Text = string(b[:n])
	default:
		for range n {
			element, err := c.Receive()
			if err != nil {
				return r, err
			}
			r.List = append(r.List, element)
		}
	}
	r.Int = 0
	return r, nil
}

// line returns the next line without its end; it has a byte at least.
func (c *Conn) line() (string, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return "", err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return "", fmt.Errorf("line %.40q is not RESP2", line)
	}
	return line[:len(line)-2], nil
}

// Do sends a request and waits for its reply. An error reply is an error, which
// wraps [ErrReply]; the connection can be used after it.
func (c *Conn) Do(args ...string) (Reply, error) {
	c.Send(args...)
	if err := c.Flush(); err != nil {
		return Reply{}, err
	}
	r, err := c.Receive()
	if err != nil {
		return r, err
	}
	return r, r.Err()
}
