package clients

import (
	"os"
	"os/exec"
	"testing"
)

// script returns a Node.js program beside this file, which uses clients from npm.
func script(t *testing.T, address, name string) *exec.Cmd {
	t.Helper()
	cmd := commandAt(t, address, "node", name)
	if _, err := os.Stat("node_modules/.package-lock.json"); err != nil {
		missing(t, "%v; scripts/install-test-deps.sh node installs it", err)
	}
	return cmd
}

// scripts are those that talk to one node.
var scripts = []string{"ioredis.mjs", "node-redis.mjs"}

func TestNode(t *testing.T) {
	for _, name := range scripts {
		t.Run(name, func(t *testing.T) {
			if out, err := script(t, address, name).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
