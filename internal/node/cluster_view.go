package node

import (
	"errors"
	"io/fs"
	"os"

	"github.com/larder-cache/larder/internal/cluster"
)

// lastView returns the view that was in force when this node stopped, nil when
// there is none that can be used.
func (c *clustered) lastView() *cluster.View {
	data, err := os.ReadFile(c.dir.View())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	v, decodeErr := cluster.DecodeView(data)
	if err = errors.Join(err, decodeErr); err != nil {
		c.log.Warn("the last known view cannot be used", "file", c.dir.View(), "reason", err)
		return nil
	}
	return v
}

// keepView stores a view for the next start.
func (c *clustered) keepView(view []byte) error { return c.dir.WriteFile(c.dir.View(), view) }
