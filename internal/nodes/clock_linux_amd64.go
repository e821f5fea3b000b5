package nodes

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The wall clock of one process
//
// A Go program reads the time through the vDSO, which the kernel maps into every
// process. Each process may be given a copy of its own by writing to it: before the
// program has run a single instruction its clock_gettime is replaced by one that
// asks the kernel, and adds a number of seconds to what it says of the wall clock.
// The number is in the copy as well, and can be changed at any time. The monotonic
// clock is left alone, as a jump leaves it alone.

// clockCode is that function:
//
//	mov    $228, %eax        clock_gettime(clock %edi, time %rsi)
//	syscall
//	test   %edi, %edi        the wall clock?
//	jne    1f
//	mov    shift(%rip), %rcx
//	add    %rcx, (%rsi)
//	1: ret
//	.balign 8
//	shift: .quad 0
var clockCode = []byte{
	0xb8, 0xe4, 0, 0, 0,
	0x0f, 0x05,
	0x85, 0xff,
	0x75, 0x0a,
	0x48, 0x8b, 0x0d, 6, 0, 0, 0,
	0x48, 0x01, 0x0e,
	0xc3,
	0, 0,
	0, 0, 0, 0, 0, 0, 0, 0,
}

// shiftAt is the place of the number in clockCode.
const shiftAt = 24

// clock is the wall clock of a process.
type clock struct {
	mem   string // its memory, as a file
	shift int64  // address of the number
}

// startWithClock starts cmd, which may become another program first, and gives the
// process that runs binary a wall clock of its own.
func startWithClock(cmd *exec.Cmd, binary string) (*clock, error) {
	binary, err := filepath.EvalSymlinks(binary)
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread() // who traces is a thread
	defer runtime.UnlockOSThread()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	pid := cmd.Process.Pid
	c, err := takeClock(pid, binary)
	if err == nil {
		err = unix.PtraceDetach(pid)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("a wall clock of its own: %w", err)
	}
	return c, nil
}

// takeClock waits until the traced process has begun to run binary, and replaces its
// clock_gettime. The process stands still at the return.
func takeClock(pid int, binary string) (*clock, error) {
	if err := awaitExec(pid, binary); err != nil {
		return nil, err
	}
	first, last, err := vdso(pid)
	if err != nil {
		return nil, err
	}
	mem := filepath.Join("/proc", strconv.Itoa(pid), "mem")
	f, err := os.OpenFile(mem, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	at, size, err := clockFunction(io.NewSectionReader(f, first, last-first))
	if err != nil {
		return nil, err
	}
	if int(size) < len(clockCode) || at%8 != 0 {
		return nil, fmt.Errorf("clock_gettime of the vDSO has %d bytes at %#x", size, at)
	}
	if _, err := f.WriteAt(clockCode, first+at); err != nil {
		return nil, err
	}
	return &clock{mem, first + at + shiftAt}, nil
}

// awaitExec waits for the traced process to begin to run binary.
func awaitExec(pid int, binary string) error {
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
			return err
		}
		if !status.Stopped() {
			return errors.New("the process has ended")
		}
		path, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
		if err != nil {
			return err
		}
		if path == binary {
			return nil
		}
		pass := 0
		if s := status.StopSignal(); s != unix.SIGTRAP {
			pass = int(s)
		}
		if err := unix.PtraceCont(pid, pass); err != nil {
			return err
		}
	}
}

// vdso returns where the vDSO of a process is.
func vdso(pid int) (first, last int64, err error) {
	maps, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "maps"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, "[vdso]") {
			_, err = fmt.Sscanf(line, "%x-%x", &first, &last)
			return first, last, err
		}
	}
	return 0, 0, errors.New("the process has no vDSO")
}

// clockFunction finds clock_gettime in an image of the vDSO.
func clockFunction(image io.ReaderAt) (at int64, size uint64, err error) {
	f, err := elf.NewFile(image)
	if err != nil {
		return 0, 0, err
	}
	list, err := f.DynamicSymbols()
	if err != nil {
		return 0, 0, err
	}
	i := slices.IndexFunc(list, func(s elf.Symbol) bool { return s.Name == "__vdso_clock_gettime" })
	if i < 0 {
		return 0, 0, errors.New("the vDSO has no clock_gettime")
	}
	return int64(list[i].Value), list[i].Size, nil
}

// CheckClocks tells why processes cannot have clocks of their own here, nil when they
// can.
func CheckClocks() error {
	binary, err := exec.LookPath("true")
	if err != nil {
		return err
	}
	cmd := exec.Command(binary)
	if _, err := startWithClock(cmd, binary); err != nil {
		return err
	}
	return cmd.Wait()
}

// set has the wall clock differ from that of the machine.
func (c *clock) set(by time.Duration) error {
	f, err := os.OpenFile(c.mem, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(int64(by/time.Second))), c.shift)
	return err
}
