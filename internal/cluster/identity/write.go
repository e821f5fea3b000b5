package identity

import (
	"fmt"

	"github.com/larder-cache/larder/internal/durable"
)

// writeFile puts data under path, whole or not at all. Only the owner may read
// it.
func writeFile(path string, data []byte) error {
	if err := durable.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
