package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/nodes"
)

// smallDisk makes a disk of so many bytes, and returns where it is.
func smallDisk(t *testing.T, size int64) (*nodes.Disk, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	d, err := nodes.NewDisk(dir, size)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, dir
}

// TestCoordinatorDiskFull fills the disk of one coordinator of three, and writes
// to the configuration until its member cannot go on: the node serves data all the
// same, the others decide, and with room again it is well after a restart.
func TestCoordinatorDiskFull(t *testing.T) {
	disk, dir := smallDisk(t, 256<<20) // the log of etcd takes 64 MB twice
	c := grow(t, 2)
	n, err := c.Add(within(t), "--data-dir", filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill) // before the disk goes
	await(t, c, nodes.Members(3), nodes.Balanced(3))
	put(t, n, "k", 1000)
	if err := disk.Fill(); err != nil {
		t.Fatal(err)
	}
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
	if err := disk.Empty(); err != nil {
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
