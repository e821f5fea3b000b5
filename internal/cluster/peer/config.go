package peer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Config says who a node is and what its network may use. Zero values mean the
// defaults that each field names.
type Config struct {
	// Self is this node. Cluster and Node are needed and have at most 255 bytes.
	Self Identity

	// Listen is the TCP address to accept nodes at; empty: none are accepted.
	Listen string
	// Listener is one that is open already, in place of Listen: what it accepts
	// are plain TCP connections. It belongs to the network from then on.
	Listener net.Listener
	// Handler serves accepted connections; needed with either.
	Handler Handler

	// ServerTLS and ClientTLS prove who the nodes are: both, or neither with
	// Plain. They must verify certificates of the other side (ClientAuth and
	// ClientCAs; RootCAs and ServerName, or VerifyConnection). They are copied per
	// connection, so their callbacks can exchange certificates while running.
	ServerTLS, ClientTLS *tls.Config
	// Identify returns the cluster and the node that a verified certificate names.
	// Needed with TLS.
	Identify func(tls.ConnectionState) (cluster, node string, err error)
	// Plain allows connections without TLS, where nodes are believed what they say.
	Plain bool

	// MaxFrame limits the payload of a frame, in bytes. Default and maximum: 1 GiB.
	MaxFrame int
	// MaxOutstandingBytes and MaxOutstanding limit the unanswered requests of a
	// link; one that is accepted below the limit may exceed it. Defaults: 16 MiB,
	// 65536; at most 1048576 requests.
	MaxOutstandingBytes int
	MaxOutstanding      int
	// MaxOutput limits the replies, in bytes, that wait in an accepted connection
	// for a node that does not read them; beyond it the connection is closed. At a
	// sixteenth of it no more requests are served until the node reads. Default 64 MiB.
	MaxOutput int

	// HandshakeTimeout limits dialing and the handshake. Default 5 s.
	HandshakeTimeout time.Duration
	// MaxHandshakes limits the accepted connections that have not yet proved who
	// they are; more are closed at once. Default 64.
	MaxHandshakes int

	// Heartbeat is the silence after which a link asks for a sign of life, if it is
	// watched or has requests outstanding. Default 100 ms.
	Heartbeat time.Duration
	// DeadAfter is the silence after which a link is dead, with the time before the
	// question. All that is outstanding is lost then, so on machines whose
	// processors are short it wants to be longer. Default and least: 3 heartbeats.
	DeadAfter time.Duration
	// IdleHeartbeat is the same for links that are not watched and have nothing
	// outstanding; they are dead after three of theirs, or DeadAfter if that is
	// longer. Default 1 s, at least Heartbeat.
	IdleHeartbeat time.Duration
	// IdleTimeout closes accepted connections without a sign of life, and those
	// whose node takes nothing of what is sent to it. Default 10 s.
	IdleTimeout time.Duration
	// BackoffMin and BackoffMax bound the pause between attempts to connect; the
	// first attempt is made at once, the pauses double and vary by half. Defaults
	// 20 ms, 1 s.
	BackoffMin, BackoffMax time.Duration

	// Clock is the time; the default is the system's.
	Clock Clock
}

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// After delivers once, when d has passed.
	After(d time.Duration) <-chan time.Time
}

type systemClock struct{}

func (systemClock) Now() time.Time                         { return time.Now() }
func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// orDefault sets what is zero.
func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// withDefaults fills zero fields and returns the first contradiction.
func (c Config) withDefaults() (Config, error) {
	orDefault(&c.MaxFrame, frameLimit)
	orDefault(&c.MaxOutstandingBytes, 16<<20)
	orDefault(&c.MaxOutstanding, 65536)
	orDefault(&c.MaxOutput, 64<<20)
	orDefault(&c.HandshakeTimeout, 5*time.Second)
	orDefault(&c.MaxHandshakes, 64)
	orDefault(&c.Heartbeat, 100*time.Millisecond)
	orDefault(&c.DeadAfter, 3*c.Heartbeat)
	orDefault(&c.IdleHeartbeat, max(time.Second, c.Heartbeat))
	orDefault(&c.IdleTimeout, 10*time.Second)
	orDefault(&c.BackoffMin, 20*time.Millisecond)
	orDefault(&c.BackoffMax, max(time.Second, c.BackoffMin))
	orDefault(&c.Clock, Clock(systemClock{}))
	return c, c.validate()
}

func (c *Config) validate() error {
	tlsSides := 0
	for _, t := range []*tls.Config{c.ServerTLS, c.ClientTLS} {
		if t != nil {
			tlsSides++
		}
	}
	switch {
	case c.Self.Cluster == "" || c.Self.Node == "":
		return errors.New("peer: the node needs a cluster id and a node id")
	case len(c.Self.Cluster) > maxName || len(c.Self.Node) > maxName:
		return fmt.Errorf("peer: ids have at most %d bytes", maxName)
	case c.Listen != "" && c.Listener != nil:
		return errors.New("peer: an address to listen at and a listener exclude each other")
	case (c.Listen != "" || c.Listener != nil) && c.Handler == nil:
		return errors.New("peer: a listener needs a handler")
	case c.Plain && tlsSides > 0:
		return errors.New("peer: TLS and plain connections exclude each other")
	case !c.Plain && tlsSides != 2:
		return errors.New("peer: TLS needs configurations for both sides (or say plain)")
	case !c.Plain && c.Identify == nil:
		return errors.New("peer: TLS needs a way to tell whose a certificate is")
	case c.MaxFrame < 0 || c.MaxFrame > frameLimit:
		return fmt.Errorf("peer: frames are limited to at most %d bytes", frameLimit)
	case c.MaxOutstanding < 0 || c.MaxOutstanding > maxPlaces:
		return fmt.Errorf("peer: at most %d requests may be outstanding", maxPlaces)
	case c.MaxOutstandingBytes < 0 || c.MaxOutput < 0 || c.MaxHandshakes < 0:
		return errors.New("peer: limits are positive")
	case c.Heartbeat < 0 || c.HandshakeTimeout < 0 || c.IdleTimeout < 0 || c.BackoffMin < 0:
		return errors.New("peer: durations are positive")
	case c.DeadAfter < 3*c.Heartbeat:
		return errors.New("peer: a link is not dead before three heartbeats")
	case c.IdleHeartbeat < c.Heartbeat:
		return errors.New("peer: idle links send no more heartbeats than others")
	case c.IdleTimeout < 3*c.IdleHeartbeat:
		return errors.New("peer: the idle time-out is at least three idle heartbeats")
	case c.BackoffMax < c.BackoffMin:
		return errors.New("peer: the longest back-off is not below the shortest")
	}
	return nil
}
