package identity

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// Step is what a node has to do at its start.
type Step string

// The steps.
const (
	// Form: begin a new cluster of one ([Dir.Found]).
	Form Step = "form"
	// Ask: join at a member ([Joiner]).
	Ask Step = "join"
	// Resume: go on as the member that the data directory says.
	Resume Step = "resume"
)

// Start is what an operator asked for.
type Start struct {
	Form  bool   // --cluster
	Join  bool   // --join
	Token *Token // --token, nil when none was given
}

// Decide returns what to do at the start. have is what the data directory says,
// err the error of [Dir.Identity]. A node that is in a cluster resumes, also
// with --join, so that the same command line starts it for ever; a token of
// another cluster than the data directory's is refused. When it resumes,
// [SameCluster] tells whether --join names another cluster's member; and when
// [Dir.Member] fails with [ErrCredentials] and there is a token, it has to Ask
// after all.
func Decide(s Start, have Identity, err error) (Step, error) {
	switch {
	case s.Form && s.Join:
		return "", errors.New("--cluster and --join contradict each other: the first node begins a cluster, the others join it")
	case errors.Is(err, ErrNoIdentity) && s.Join:
		return Ask, nil
	case errors.Is(err, ErrNoIdentity):
		return Form, nil
	case err != nil:
		return "", err
	case s.Token != nil && !s.Token.Of(have.Cluster):
		return "", fmt.Errorf("%w: the data directory belongs to node %s of cluster %s, the token is for cluster %s: start with an empty --data-dir, or use a token of the former",
			ErrOtherCluster, have.Node.Short(), have.Cluster.Short(), s.Token.Short())
	}
	return Resume, nil
}

// Key returns the node's key, and makes it when there is none yet. A node that
// joins again keeps its key.
func (d *Dir) Key() (crypto.Signer, error) {
	path := d.Files().Key
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err := NewKey()
		if err != nil {
			return nil, err
		}
		if text, err = encodeKey(key); err != nil {
			return nil, err
		}
		return key, writeFile(path, text)
	}
	if err != nil {
		return nil, fmt.Errorf("key of the node: %w", err)
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: restore it from a backup; or remove it and join again with a token (larder serve --join)", path, err)
	}
	return key, nil
}

// Settle writes down that the node is in a cluster: authority and certificate
// (PEM; both nil when they come from elsewhere), and the identity last.
//
// Invariant: a directory with an identity has had everything else before.
func (d *Dir) Settle(id Identity, ca, certificate []byte) error {
	have, err := d.Identity()
	if err == nil && have.Cluster != id.Cluster {
		return otherCluster(d.path, have.Cluster, id.Cluster.Short())
	}
	if err := d.writeCertificates(ca, certificate); err != nil {
		return err
	}
	return d.SetIdentity(id)
}

func (d *Dir) writeCertificates(ca, certificate []byte) error {
	f := d.Files()
	if ca != nil {
		if err := writeFile(f.CA, ca); err != nil {
			return err
		}
	}
	if certificate != nil {
		return writeFile(f.Certificate, certificate)
	}
	return nil
}

// Founding is a cluster that has just begun.
type Founding struct {
	// Identity is not in the data directory yet: a [Dir.SetIdentity] with it, once
	// the configuration service keeps Authority, makes the cluster last. When the
	// process dies before that, the next start founds another; what is in
	// [Dir.Etcd] then belongs to nobody.
	Identity    Identity
	Credentials *Credentials
	// Authority has to be kept by the configuration service, certificate and key;
	// nil when certificates come from elsewhere.
	Authority *Authority
}

// Found begins a cluster: its id, the node's, the authority that t gives or a
// new one, and the node's certificate for hosts (see [Hosts]). The directory
// must have no identity.
func (d *Dir) Found(t TLSConfig, hosts []string, now func() time.Time) (Founding, error) {
	if have, err := d.Identity(); !errors.Is(err, ErrNoIdentity) {
		if err == nil {
			err = fmt.Errorf("data directory %s belongs to node %s of cluster %s already: start it without --cluster, or with an empty --data-dir", d.path, have.Node.Short(), have.Cluster.Short())
		}
		return Founding{}, err
	}
	id := Identity{Cluster: NewClusterID(), Node: cluster.NewNodeID(), Created: now().UTC().Truncate(time.Second)}
	if t.External() {
		c, err := LoadExternal(t, id.Node, id.Cluster, now)
		return Founding{Identity: id, Credentials: c}, err
	}
	authority, err := t.Authority()
	if err == nil && authority == nil {
		authority, err = NewAuthority(id.Cluster, now())
	}
	if err != nil {
		return Founding{}, err
	}
	key, err := d.Key()
	if err != nil {
		return Founding{}, err
	}
	request, err := NewRequest(key, id.Node)
	if err != nil {
		return Founding{}, err
	}
	certificate, err := authority.Sign(request, Holder{Node: id.Node, Cluster: id.Cluster, Hosts: hosts}, now())
	if err != nil {
		return Founding{}, err
	}
	if err := d.writeCertificates(authority.CertificatePEM(), certificate); err != nil {
		return Founding{}, err
	}
	c, err := Load(d.Files(), id, now)
	return Founding{Identity: id, Credentials: c, Authority: authority}, err
}

// Applicant returns the credentials of a node that is about to join, and the id
// it joins with: that of the directory, or a new one.
func (d *Dir) Applicant(t TLSConfig, now func() time.Time) (*Credentials, cluster.NodeID, error) {
	node := cluster.NewNodeID()
	switch have, err := d.Identity(); {
	case err == nil:
		node = have.Node
	case !errors.Is(err, ErrNoIdentity):
		return nil, "", err
	}
	if t.External() {
		c, err := LoadExternal(t, node, "", now)
		return c, node, err
	}
	key, err := d.Key()
	if err != nil {
		return nil, "", err
	}
	c, err := Provisional(node, key, d.Files(), now)
	return c, node, err
}

// Member returns the credentials of a node that is in a cluster.
func (d *Dir) Member(t TLSConfig, id Identity, now func() time.Time) (*Credentials, error) {
	if t.External() {
		return LoadExternal(t, id.Node, id.Cluster, now)
	}
	return Load(d.Files(), id, now)
}
