package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/larder-cache/larder/internal/nodes"
)

// smallDisk mounts a file system of so many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("larder-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size)); err != nil {
		t.Skipf("mounting is not permitted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size >>= 1 {
		block := make([]byte, size)
		for err = error(nil); err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// TestCoordinatorDiskFull fills the disk of one coordinator of three, and writes
// to the configuration until its member cannot go on: the node serves data all the
// same, the others decide, and with room again it is well after a restart.
func TestCoordinatorDiskFull(t *testing.T) {
	disk := smallDisk(t, 80<<20) // the log of etcd takes 64 MB at once
	c := grow(t, 2)
	n, err := c.Add(within(t), "--data-dir", filepath.Join(disk, "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill) // before the disk goes
	await(t, c, nodes.Members(3), nodes.Balanced(3))
	put(t, n, "k", 1000)
	fill(t, filepath.Join(disk, "ballast"))
	first := c.Nodes()[0]
	eventually(t, "the end of the member on the full disk", func(ctx context.Context) error {
		for i := range 50 {
			if _, err := first.Do(ctx, "CONFIG", "SET", "slowlog-max-len", fmt.Sprint(100+i)); err != nil {
				t.Fatalf("CONFIG SET while one of three coordinators has no room: %v", err)
			}
		}
		if !n.Running() {
			t.Fatalf("the node has ended:\n%s", n.Tail(20))
		}
		if said := n.Tail(1000); strings.Contains(said, "no space left") {
			return nil
		}
		return errors.New("it goes on")
	})
	check(t, n, "k", 1000)
	put(t, n, "k", 1000)
	if out := mustLarder(t, first, "cluster", "coordinators"); strings.Count(out, "well") < 2 {
		t.Errorf("coordinators:\n%s", out)
	}
	if err := os.Remove(filepath.Join(disk, "ballast")); err != nil {
		t.Fatal(err)
	}
	n.Kill()
	if err := n.Start(within(t)); err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(3), nodes.Still)
	eventually(t, "three coordinators", func(context.Context) error {
		if out := mustLarder(t, first, "cluster", "coordinators"); strings.Count(out, "well") != 3 {
			return errors.New(out)
		}
		return nil
	})
}
