package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/redis/rueidis"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// clientFlags are the flags of every command that talks to a server.
type clientFlags struct {
	addr, user, password string
	db                   int
	timeout              time.Duration
	json                 bool
}

// bind adds the flags to a command.
func (f *clientFlags) bind(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVarP(&f.addr, "addr", "a", "", "`address` of the server: host:port or the path of a Unix socket (default LARDER_ADDR, else 127.0.0.1:6379)")
	flags.StringVar(&f.user, "user", "", "`name` of the user")
	flags.StringVar(&f.password, "password", "", "`password` (default LARDER_PASSWORD, which others cannot see)")
	flags.IntVar(&f.db, "db", 0, "`number` of the database")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Second, "longest wait for the server")
	flags.BoolVar(&f.json, "json", false, "print JSON; what is not UTF-8 in base64")
}

// environment fills in what no flag has set.
func (f *clientFlags) environment() {
	if f.addr == "" {
		f.addr = os.Getenv("LARDER_ADDR")
	}
	if f.addr == "" {
		f.addr = "127.0.0.1:6379"
	}
	if f.password == "" {
		f.password = os.Getenv("LARDER_PASSWORD")
	}
}

// endpoint returns the network and address that addr means.
func (f *clientFlags) endpoint() (network, address string, err error) {
	addr := strings.TrimPrefix(f.addr, "unix:")
	if addr != f.addr || strings.HasPrefix(addr, "/") || strings.HasPrefix(addr, ".") {
		return "unix", addr, nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		if !strings.Contains(addr, ":") {
			return "tcp", net.JoinHostPort(addr, "6379"), nil
		}
		return "", "", misuse("an address is host:port, such as 127.0.0.1:6379, or the path of a Unix socket", "%q is not an address", f.addr)
	}
	return "tcp", addr, nil
}

// client is a connection to a server.
type client struct {
	rueidis.Client
	address string
}

// open connects to the server. The caller closes the client.
func (f *clientFlags) open(ctx context.Context) (*client, error) {
	f.environment()
	if f.timeout <= 0 {
		return nil, misuse("write for example --timeout 5s", "--timeout %v is not a duration above 0", f.timeout)
	}
	if f.user != "" && f.password == "" {
		return nil, misuse("give --password, or set LARDER_PASSWORD", "--user needs a password")
	}
	network, address, err := f.endpoint()
	if err != nil {
		return nil, err
	}
	c := &client{address: address}
	c.Client, err = rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{address},
		DialCtxFn: func(ctx context.Context, address string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return d.DialContext(ctx, network, address)
		},
		Dialer:   net.Dialer{Timeout: f.timeout},
		Username: f.user, Password: f.password, SelectDB: f.db,
		ConnWriteTimeout:  f.timeout,
		ForceSingleClient: true, DisableCache: true, DisableRetry: true,
		PipelineMultiplex: -1, ClientSetInfo: rueidis.DisableClientSetInfo,
		ReadBufferEachConn: 64 << 10, WriteBufferEachConn: 64 << 10,
	})
	if err != nil {
		return nil, c.explain(err)
	}
	return c, nil
}

// do sends one command. The error is meant for a person; a null reply is none.
func (c *client) do(ctx context.Context, words ...string) (rueidis.RedisMessage, error) {
	reply, err := c.Do(ctx, c.B().Arbitrary(words[0]).Args(words[1:]...).Build()).ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		return reply, c.explain(err)
	}
	return reply, nil
}

func (c *client) explain(err error) error {
	var answer *rueidis.RedisError
	if errors.As(err, &answer) {
		return refused(answer)
	}
	return network(c.address, err)
}

// onTerminal reports whether a person reads what is written to w.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// jsonBytes is text in JSON where it is UTF-8; otherwise an object with the
// bytes in base64, since JSON has no bytes.
type jsonBytes string

// MarshalJSON implements [json.Marshaler].
func (b jsonBytes) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(b)) {
		return json.Marshal(string(b))
	}
	return json.Marshal(struct {
		Base64 []byte `json:"base64"`
	}{[]byte(b)})
}

// completeKeys completes keys of the server, as far as it answers quickly.
func (f *clientFlags) completeKeys(c *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	const most, patience, steps = 100, 500 * time.Millisecond, 20
	f.timeout = min(f.timeout, patience)
	ctx, cancel := context.WithTimeout(orBackground(c.Context()), patience)
	defer cancel()
	server, err := f.open(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer server.Close()
	var found []string
	cursor := uint64(0)
	for range steps {
		page, err := server.Do(ctx, server.B().Scan().Cursor(cursor).Match(escapePattern(prefix)+"*").Count(1000).Build()).AsScanEntry()
		if err != nil {
			break
		}
		for _, key := range page.Elements {
			if printable(key) {
				found = append(found, key)
			}
		}
		if cursor = page.Cursor; cursor == 0 || len(found) >= most {
			break
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// escapePattern makes a pattern that matches a text literally.
func escapePattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}

// printable reports whether a key can be shown in a line as it is.
func printable(key string) bool {
	return utf8.ValidString(key) && !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f })
}
