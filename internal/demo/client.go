package demo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Client is a connection to the node that sends one command at a time. It
// belongs to one goroutine.
type Client struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

// Reply is the answer to a command of a [Client].
type Reply struct {
	Absent bool   // a null
	Err    string // an error's text, without the dash
	Data   []byte // a string or the text of a number; valid until the next command
	List   []Reply
}

// Dial connects to a node. bufferBytes is for reading; small ones suit crowds.
func Dial(ctx context.Context, addr string, bufferBytes int) (*Client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to the node: %w", err)
	}
	return &Client{conn: conn, in: bufio.NewReaderSize(conn, bufferBytes)}, nil
}

// Expire bounds what the client does from now on; the zero time is no bound.
func (c *Client) Expire(at time.Time) error { return c.conn.SetDeadline(at) }

// Do sends a command and waits for its reply. An error is one of the connection.
func (c *Client) Do(args ...string) (Reply, error) {
	if err := c.send(args...); err != nil {
		return Reply{}, err
	}
	return c.receive(true)
}

// Get asks for a key and drops the value.
func (c *Client) Get(key string) (Reply, error) {
	if err := c.send("GET", key); err != nil {
		return Reply{}, err
	}
	return c.receive(false)
}

func (c *Client) send(args ...string) error {
	c.out = append(c.out[:0], '*')
	c.out = strconv.AppendInt(c.out, int64(len(args)), 10)
	for _, a := range args {
		c.out = append(c.out, "\r\n$"...)
		c.out = strconv.AppendInt(c.out, int64(len(a)), 10)
		c.out = append(c.out, "\r\n"...)
		c.out = append(c.out, a...)
	}
	c.out = append(c.out, "\r\n"...)
	_, err := c.conn.Write(c.out)
	return err
}

// receive reads one reply of RESP2; keep says whether a string is wanted.
func (c *Client) receive(keep bool) (Reply, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return Reply{}, err
	}
	if len(line) < 3 {
		return Reply{}, fmt.Errorf("reply %q is too short", line)
	}
	kind, text := line[0], line[1:len(line)-2]
	switch kind {
	case '+', ':':
		return Reply{Data: text}, nil
	case '-':
		return Reply{Err: string(text)}, nil
	case '$':
		n, err := strconv.Atoi(string(text))
		if err != nil {
			return Reply{}, fmt.Errorf("length of a reply: %w", err)
		}
		if n < 0 {
			return Reply{Absent: true}, nil
		}
		return c.bulk(n, keep)
	case '*':
		n, err := strconv.Atoi(string(text))
		if err != nil {
			return Reply{}, fmt.Errorf("length of a reply: %w", err)
		}
		return c.list(n, keep)
	}
	return Reply{}, fmt.Errorf("reply %q is of a kind that was not asked for", line)
}

// list reads the elements of a reply. Their text is their own.
func (c *Client) list(n int, keep bool) (Reply, error) {
	r := Reply{Absent: n < 0}
	for range n {
		element, err := c.receive(keep)
		if err != nil {
			return r, err
		}
		element.Data = bytes.Clone(element.Data)
		r.List = append(r.List, element)
	}
	return r, nil
}

func (c *Client) bulk(n int, keep bool) (Reply, error) {
	if !keep {
		_, err := c.in.Discard(n + 2)
		return Reply{}, err
	}
	data := make([]byte, n+2)
	_, err := io.ReadFull(c.in, data)
	return Reply{Data: data[:n]}, err
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }
