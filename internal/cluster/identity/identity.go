package identity

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// ClusterID names a cluster for ever: 32 hexadecimal digits.
type ClusterID string

// NewClusterID returns an id that no other cluster has.
func NewClusterID() ClusterID {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return ClusterID(hex.EncodeToString(b[:]))
}

// ParseClusterID checks the form of an id.
func ParseClusterID(s string) (ClusterID, error) {
	if b, err := hex.DecodeString(s); err != nil || len(b) != 16 || s != strings.ToLower(s) {
		return "", fmt.Errorf("cluster id %q: want 32 hexadecimal digits in lower case", s)
	}
	return ClusterID(s), nil
}

func isClusterID(s string) bool {
	_, err := ParseClusterID(s)
	return err == nil
}

// Short returns the first eight digits, which stand in tokens and in messages.
func (id ClusterID) Short() string { return string(id[:min(8, len(id))]) }

// Identity is what makes a process the same node again after a restart.
//
// Invariant: Cluster and Node of a data directory never change.
type Identity struct {
	Cluster ClusterID
	Node    cluster.NodeID
	// Created is when the node joined or formed the cluster.
	Created time.Time
	// Coordinator: the node runs a member of the configuration service, whose
	// name there is Member.
	Coordinator bool
	Member      string
}

// identityForm is the version of the form of identity.json.
const identityForm = 1

// Errors of an identity that was read.
var (
	// ErrDamaged: a file of the data directory is not as it was written.
	ErrDamaged = errors.New("damaged")
	// ErrNewerForm: a newer release has written the file.
	ErrNewerForm = errors.New("written by a newer release of larder")
)

// document is the form of identity.json.
type document struct {
	Form        int            `json:"form"`
	Cluster     ClusterID      `json:"cluster"`
	Node        cluster.NodeID `json:"node"`
	Created     time.Time      `json:"created"`
	Coordinator bool           `json:"coordinator"`
	Member      string         `json:"member,omitempty"`
	// Check is the CRC-32C of the rest, in eight hexadecimal digits.
	Check string `json:"check"`
}

func (d document) sum() string {
	d.Check = ""
	text, err := json.Marshal(d)
	if err != nil {
		panic("identity: encode: " + err.Error()) // a time in the year 10000
	}
	return fmt.Sprintf("%08x", crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)))
}

// Encode returns the text of identity.json.
func (id Identity) Encode() []byte {
	d := document{
		Form: identityForm, Cluster: id.Cluster, Node: id.Node, Created: id.Created.UTC().Truncate(time.Second),
		Coordinator: id.Coordinator, Member: id.Member,
	}
	d.Check = d.sum()
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		panic("identity: encode: " + err.Error())
	}
	return append(text, '\n')
}

// DecodeIdentity reads identity.json. What is wrong wraps [ErrDamaged] or
// [ErrNewerForm].
func DecodeIdentity(text []byte) (Identity, error) {
	var form struct {
		Form int `json:"form"`
	}
	if err := json.Unmarshal(text, &form); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if form.Form > identityForm {
		return Identity{}, fmt.Errorf("%w (form %d, this one knows %d)", ErrNewerForm, form.Form, identityForm)
	}
	var d document
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if d.Form != identityForm {
		return Identity{}, fmt.Errorf("%w: form %d", ErrDamaged, d.Form)
	}
	if year := d.Created.UTC().Year(); year < 1 || year > 9998 {
		return Identity{}, fmt.Errorf("%w: created in the year %d", ErrDamaged, year)
	}
	if d.sum() != d.Check {
		return Identity{}, fmt.Errorf("%w: the check sum is not that of the content", ErrDamaged)
	}
	if _, err := ParseClusterID(string(d.Cluster)); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if _, err := cluster.ParseNodeID(string(d.Node)); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return Identity{Cluster: d.Cluster, Node: d.Node, Created: d.Created, Coordinator: d.Coordinator, Member: d.Member}, nil
}
