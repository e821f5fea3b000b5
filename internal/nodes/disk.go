package nodes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Disk is a small file system in a file of this machine. Linux, as root, with
// e2fsprogs and util-linux. Its methods may be called by one goroutine.
type Disk struct {
	dir, image string
}

// NewDisk makes and mounts a disk of so many bytes at dir, which it creates. An
// error is most often that this process may not. Its Close must be called.
func NewDisk(dir string, size int64) (*Disk, error) {
	d := &Disk{dir: dir, image: dir + ".img"}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		return nil, err
	}
	err := os.Truncate(d.image, size)
	if err == nil {
		err = run(exec.Command("mkfs.ext4", "-q", "-F", "-m", "0", d.image))
	}
	if err == nil {
		err = run(exec.Command("mount", "-o", "loop", d.image, dir))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("disks are not permitted here: %w", err), os.Remove(d.image))
	}
	return d, nil
}

// ballast takes the room.
func (d *Disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// Fill leaves no room on the disk. What is written from now on fails.
func (d *Disk) Fill() error {
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // Sync has told of errors
	for size := 1 << 20; size > 0; size >>= 1 {
		block := make([]byte, size)
		for err == nil {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		err = nil
	}
	return nil
}

// Empty gives the room back.
func (d *Disk) Empty() error { return os.Remove(d.ballast()) }

// Freeze has every write wait until Thaw: the processes that write hang, and do
// not even end.
func (d *Disk) Freeze() error { return run(exec.Command("fsfreeze", "-f", d.dir)) }

// Thaw ends Freeze.
func (d *Disk) Thaw() error { return run(exec.Command("fsfreeze", "-u", d.dir)) }

// Close removes the disk, on which no process may work any more.
func (d *Disk) Close() error {
	return errors.Join(run(exec.Command("umount", d.dir)), os.Remove(d.image))
}
