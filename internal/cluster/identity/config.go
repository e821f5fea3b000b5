package identity

import (
	"errors"
	"fmt"
	"os"
)

// Config says where a node keeps what makes it that node, and whose
// certificates it uses. All of it needs a restart.
type Config struct {
	// DataDir is the data directory. Default and empty: larder-data in the
	// working directory.
	DataDir string `yaml:"data_dir"`
	// TLS says where certificates come from. Default: the first node makes an
	// authority for the cluster, which signs for the others.
	TLS TLSConfig `yaml:"tls"`
}

// TLSConfig has paths of PEM files. None: the cluster makes its own authority.
// CA and CAKey: that authority is the cluster's; needed by the first node alone.
// CA, Cert and Key: every node gets its certificate from elsewhere; CAKey
// contradicts that.
type TLSConfig struct {
	CA    string `yaml:"ca"`     // certificate of the authority, or several of them
	CAKey string `yaml:"ca_key"` // its key
	Cert  string `yaml:"cert"`   // of this node, for clients and servers, followed by intermediate ones
	Key   string `yaml:"key"`    // its key
	// ServerName is the DNS name that every node's certificate from elsewhere has,
	// and no certificate of anybody else: it is what makes its holder a node.
	// Default and empty: larder-node. Of no meaning without Cert.
	ServerName string `yaml:"server_name"`
}

// Validate returns everything that is wrong with the settings, nil when they
// can be used.
func (c Config) Validate() error {
	t := c.TLS
	var errs []error
	if (t.Cert == "") != (t.Key == "") {
		errs = append(errs, errors.New("tls: cert and key go together"))
	}
	if t.Cert != "" && t.CA == "" {
		errs = append(errs, errors.New("tls.ca: missing: who signed the certificates of the other nodes?"))
	}
	if t.Cert != "" && t.CAKey != "" {
		errs = append(errs, errors.New("tls.ca_key: contradicts tls.cert: either the cluster signs, or certificates come from elsewhere"))
	}
	if t.Cert == "" && (t.CA == "") != (t.CAKey == "") {
		errs = append(errs, errors.New("tls: ca and ca_key go together when there is no cert"))
	}
	if t.ServerName != "" && t.Cert == "" {
		errs = append(errs, errors.New("tls.server_name: of no meaning without tls.cert"))
	}
	if t.ServerName != "" && !isHostName(t.ServerName) {
		errs = append(errs, fmt.Errorf("tls.server_name: %q is no DNS name", t.ServerName))
	}
	return errors.Join(errs...)
}

// External reports whether this node's certificate comes from elsewhere.
func (t TLSConfig) External() bool { return t.Cert != "" }

// Authority reads the authority that was given, nil when there is none.
func (t TLSConfig) Authority() (*Authority, error) {
	if t.External() || t.CA == "" {
		return nil, nil
	}
	cert, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("tls.ca: %w", err)
	}
	key, err := os.ReadFile(t.CAKey)
	if err != nil {
		return nil, fmt.Errorf("tls.ca_key: %w", err)
	}
	a, err := ParseAuthority(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tls.ca %s, tls.ca_key %s: %w", t.CA, t.CAKey, err)
	}
	return a, nil
}

func (t TLSConfig) serverName() string {
	if t.ServerName != "" {
		return t.ServerName
	}
	return ServerName
}

// Files are the paths of what a node authenticates with, PEM. etcd reads them
// too: see the package's documentation.
type Files struct {
	CA, Certificate, Key string
}

// Files returns the paths of certificates that come from elsewhere.
func (t TLSConfig) Files() Files { return Files{CA: t.CA, Certificate: t.Cert, Key: t.Key} }
