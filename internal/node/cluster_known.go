package node

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// known is what a node keeps in its data directory so that it can start while
// the configuration service is away.
type known struct {
	Seed         uint64   `json:"seed,string"`  // that all nodes hash keys with
	Coordinators []string `json:"coordinators"` // client endpoints
}

const knownName = "cluster.last"

// remember writes what is known to the data directory.
func (c *clustered) remember() error {
	text, err := json.Marshal(&c.known)
	if err != nil {
		return err
	}
	return c.dir.WriteFile(filepath.Join(c.dir.Path(), knownName), text)
}

// recall reads what remember wrote.
func (c *clustered) recall() error {
	path := filepath.Join(c.dir.Path(), knownName)
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &c.known)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w; remove the data directory and join again", path, err)
	}
	return nil
}

// seed returns what the engine hashes keys with.
func (c *clustered) seed() []byte { return binary.LittleEndian.AppendUint64(nil, c.known.Seed) }
