package server

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller is the epoll of one loop, and what wakes it.
//
// An epoll descriptor is itself pollable, and so it is given to Go's own
// poller: a loop that has nothing to do waits as an ordinary goroutine, without
// a thread in a blocking system call and without handing its processor over.
// Events are collected by an epoll_wait that never blocks.
type poller struct {
	epfd    int
	wakefd  int // eventfd, edge triggered, so that it need not be read
	file    *os.File
	raw     syscall.RawConn
	events  [128]unix.EpollEvent
	got     []unix.EpollEvent  // by arrived
	arrived func(uintptr) bool // collects; false when there is nothing

	// sleeping is set before the loop looks for mail a last time and waits: who
	// puts mail in and reads true has to wake it.
	sleeping atomic.Bool
}

// Slots of events that are no connection's.
const (
	slotWake   = -1
	slotListen = -2 // and below: the index of the listener
)

func newPoller() (*poller, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	if err := unix.SetNonblock(epfd, true); err != nil {
		unix.Close(epfd)
		return nil, fmt.Errorf("set up epoll: %w", err)
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epfd)
		return nil, fmt.Errorf("create eventfd: %w", err)
	}
	p := &poller{epfd: epfd, wakefd: wakefd, file: os.NewFile(uintptr(epfd), "epoll")}
	p.arrived = func(uintptr) bool {
		p.got = p.collect()
		return len(p.got) > 0
	}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.add(wakefd, unix.EPOLLIN|unix.EPOLLET, slotWake, 0)
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("set up epoll: %w", err)
	}
	return p, nil
}

func (p *poller) close() {
	p.file.Close()
	unix.Close(p.wakefd)
}

// add makes events of a descriptor appear with that slot and generation. May
// be called from any goroutine, as change.
func (p *poller) add(fd int, events uint32, slot, gen int32) error {
	return unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: slot, Pad: gen})
}

func (p *poller) change(fd int, events uint32, slot, gen int32) error {
	return unix.EpollCtl(p.epfd, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: slot, Pad: gen})
}

func (p *poller) remove(fd int) error {
	return unix.EpollCtl(p.epfd, unix.EPOLL_CTL_DEL, fd, nil)
}

// collect returns the events there are.
func (p *poller) collect() []unix.EpollEvent {
	n, errno := rawEpollWait(p.epfd, p.events[:])
	if errno != 0 {
		return nil // EINTR: the next call will tell
	}
	return p.events[:n]
}

// wait returns events, waiting for them when there are none.
func (p *poller) wait() []unix.EpollEvent {
	p.got = nil
	p.raw.Read(p.arrived)
	return p.got
}

// one is what is added to the eventfd.
var one = binary.NativeEndian.AppendUint64(nil, 1)

// wake ends the waiting, if the loop waits.
func (p *poller) wake() {
	if p.sleeping.Load() && p.sleeping.CompareAndSwap(true, false) {
		rawWrite(p.wakefd, one)
	}
}
