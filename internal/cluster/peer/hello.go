package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Versions of the protocol that this build speaks. A release speaks its own
// version and that of the release before it, so a cluster can be upgraded one
// node at a time; two nodes use the highest that both speak.
const (
	ProtocolMin uint16 = 1
	ProtocolMax uint16 = 1
)

// Greetings are the first bytes each way: magic, format, length of the rest, and
// the rest, whose end may grow in later releases.
const (
	helloMagic  = "LARDPEER"
	helloFormat = 1
	helloPrefix = len(helloMagic) + 3
	maxHello    = 2 << 10
)

// Identity is who a node is.
type Identity struct {
	Cluster     string // id of the cluster
	Node        string // id of the node
	Build       string // version of the program, for people
	Incarnation uint64 // of this process; a later process of the node has a higher one
}

// Info is what is known of the node at the other end of a connection.
type Info struct {
	Identity
	Version uint16 // of the protocol, as agreed
	Addr    string // its address as the network sees it
}

// hello is what the calling side says first.
type hello struct {
	Identity
	minVersion, maxVersion uint16
	lane                   string
}

// answer is what the called side says, once it knows who calls.
type answer struct {
	Identity
	refusal Refusal // zero: welcome
	version uint16
	reason  string
}

// maxName is the longest string in a greeting.
const maxName = 255

func appendName(b []byte, s string) []byte {
	s = s[:min(len(s), maxName)]
	return append(append(b, byte(len(s))), s...)
}

func (id Identity) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, id.Incarnation)
	b = appendName(b, id.Cluster)
	b = appendName(b, id.Node)
	return appendName(b, id.Build)
}

// envelope puts magic, format and length around the body of a greeting.
func envelope(body []byte) []byte {
	b := append([]byte(helloMagic), helloFormat)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

func (h *hello) encode() []byte {
	b := binary.LittleEndian.AppendUint16(nil, h.minVersion)
	b = binary.LittleEndian.AppendUint16(b, h.maxVersion)
	return envelope(appendName(h.Identity.append(b), h.lane))
}

func (a *answer) encode() []byte {
	b := binary.LittleEndian.AppendUint16([]byte{byte(a.refusal)}, a.version)
	return envelope(appendName(a.Identity.append(b), a.reason))
}

// readEnvelope reads the body of a greeting and nothing behind it.
func readEnvelope(r io.Reader) ([]byte, error) {
	var prefix [helloPrefix]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, fmt.Errorf("read greeting: %w", err)
	}
	n := int(binary.LittleEndian.Uint16(prefix[len(helloMagic)+1:]))
	switch {
	case string(prefix[:len(helloMagic)]) != helloMagic:
		return nil, errStranger
	case prefix[len(helloMagic)] != helloFormat || n > maxHello:
		return nil, fmt.Errorf("%w: greeting of format %d with %d bytes", errProtocol, prefix[len(helloMagic)], n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("read greeting: %w", err)
	}
	return body, nil
}

var errShortHello = errors.New("peer: greeting ends too early")

// fields cuts the fields of a greeting's body; err is set when it is too short.
type fields struct {
	rest []byte
	err  error
}

func (f *fields) take(n int) []byte {
	if len(f.rest) < n {
		f.rest, f.err = nil, errShortHello
		return make([]byte, n)
	}
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) u16() uint16 { return binary.LittleEndian.Uint16(f.take(2)) }
func (f *fields) u64() uint64 { return binary.LittleEndian.Uint64(f.take(8)) }
func (f *fields) name() string {
	return string(f.take(int(f.take(1)[0])))
}

func (f *fields) identity() (id Identity) {
	id.Incarnation = f.u64()
	id.Cluster = f.name()
	id.Node = f.name()
	id.Build = f.name()
	return id
}

func parseHello(body []byte) (hello, error) {
	f := fields{rest: body}
	h := hello{minVersion: f.u16(), maxVersion: f.u16(), Identity: f.identity(), lane: f.name()}
	return h, f.err
}

func parseAnswer(body []byte) (answer, error) {
	f := fields{rest: body}
	a := answer{refusal: Refusal(f.take(1)[0]), version: f.u16(), Identity: f.identity(), reason: f.name()}
	return a, f.err
}

// versions is a range of protocol versions.
type versions struct{ min, max uint16 }

// agree returns the highest version of both ranges, ok false if there is none.
func (v versions) agree(other versions) (version uint16, ok bool) {
	version = min(v.max, other.max)
	return version, version >= v.min && version >= other.min
}
