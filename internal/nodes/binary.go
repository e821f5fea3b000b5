package nodes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build compiles larder of the module that the working directory is in, and
// returns the path of the binary, below dir. The variable LARDER may name another
// build, which is taken instead.
func Build(ctx context.Context, dir string) (string, error) {
	if given := os.Getenv("LARDER"); given != "" {
		return filepath.Abs(given)
	}
	binary := filepath.Join(dir, "larder")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, module+"/cmd/larder")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build larder: %w: %s", err, out)
	}
	return binary, nil
}

const module = "github.com/larder-cache/larder"
