package clients

import (
	"os"
	"testing"
)

// TestNode runs the scripts beside this file, which use clients from npm.
func TestNode(t *testing.T) {
	for _, script := range []string{"ioredis.mjs", "node-redis.mjs"} {
		t.Run(script, func(t *testing.T) {
			cmd := command(t, "node", script)
			if _, err := os.Stat("node_modules/.package-lock.json"); err != nil {
				missing(t, "%v; scripts/install-test-deps.sh node installs it", err)
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
