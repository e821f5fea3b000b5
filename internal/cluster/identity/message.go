package identity

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// The handshake of joining, over TLS 1.3 with ALPN larder-join/1. Each message
// is four bytes of length, big-endian, and JSON; unknown members are ignored, so
// that releases next to each other understand each other.
//
//	member -> joiner  greeting: the time
//	joiner -> member  [JoinRequest]
//	member -> joiner  verdict: [JoinAnswer] or [Refusal]
const joinForm = 1

// largest messages, against memory taken for nonsense
const (
	maxRequest = 64 << 10
	maxVerdict = 1 << 20
)

// errMessage: bytes that are no message.
var errMessage = errors.New("not a message of the join handshake")

// greeting is all that a stranger gets.
type greeting struct {
	Form int       `json:"form"`
	Time time.Time `json:"time"`
}

// JoinRequest is what a node says of itself to get in.
type JoinRequest struct {
	Form int `json:"form"`
	// Cluster is that of the joiner's data directory, empty when it is fresh.
	Cluster ClusterID `json:"cluster,omitempty"`
	// Secret is the token's, empty when there is none.
	Secret []byte `json:"secret,omitempty"`
	// Node has the id, name, zone, weight, addresses and release. State and
	// Coordinator are the cluster's to say.
	Node        cluster.Node `json:"node"`
	Incarnation uint64       `json:"incarnation"`
	// CSR is the certificate request (PEM), empty when the joiner has a
	// certificate from elsewhere.
	CSR []byte `json:"csr,omitempty"`
	// Time is the joiner's clock.
	Time time.Time `json:"time"`
}

// JoinAnswer is what a node that was let in needs to begin. The [Registrar]
// fills all but Cluster, CA and Certificate.
type JoinAnswer struct {
	Cluster ClusterID `json:"cluster"`
	// CA and Certificate are PEM; empty when certificates come from elsewhere.
	CA          []byte `json:"ca,omitempty"`
	Certificate []byte `json:"certificate,omitempty"`
	// HashSeed is the seed that all nodes of the cluster hash keys with.
	HashSeed uint64 `json:"hash_seed,string"`
	// Coordinators are the client endpoints of the configuration service.
	Coordinators []string `json:"coordinators"`
	// SettingsRevision is that of the settings now in force.
	SettingsRevision int64 `json:"settings_revision"`
	// BecomeCoordinator: the node shall run a member of the configuration
	// service, under the name Member.
	BecomeCoordinator bool   `json:"become_coordinator,omitempty"`
	Member            string `json:"member,omitempty"`
	// State is what the node begins as.
	State cluster.State `json:"state,omitempty"`
}

// verdict has one of both.
type verdict struct {
	Answer  *JoinAnswer `json:"answer,omitempty"`
	Refusal *Refusal    `json:"refusal,omitempty"`
}

// writeMessage sends one message.
func writeMessage(w io.Writer, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	frame := make([]byte, 4, 4+len(body))
	binary.BigEndian.PutUint32(frame, uint32(len(body)))
	_, err = w.Write(append(frame, body...))
	return err
}

// readMessage receives one message of at most limit bytes. What is no message
// wraps errMessage. Memory is taken as the bytes arrive.
func readMessage(r io.Reader, limit uint32, message any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > limit {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", errMessage, size, limit)
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err == nil && len(body) < int(size) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, message); err != nil {
		return fmt.Errorf("%w: %w", errMessage, err)
	}
	return nil
}
