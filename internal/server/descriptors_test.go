//go:build linux

package server_test

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/larder-cache/larder/internal/server"
)

// TestDescriptorsExhausted runs in a process of its own, whose limit is low.
func TestDescriptorsExhausted(t *testing.T) {
	if os.Getenv(descriptorChild) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDescriptorsExhausted$", "-test.v")
		cmd.Env = append(os.Environ(), descriptorChild+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) { exhaustDescriptors(t, newHarness(t, mode)) })
	}
}

func exhaustDescriptors(t *testing.T, h *harness) {
	h.start()
	first := h.dial()
	first.send(request("PING"))
	first.expect("+PONG\r\n")

	// Sockets are made before the limit is lowered, and connected afterwards.
	waiting := make([]int, 8)
	for i := range waiting {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(fd)
		waiting[i] = fd
	}
	var former syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &former)
	low := former
	low.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	for {
		fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		defer syscall.Close(fd)
	}
	to := h.Addrs()[0].(*net.TCPAddr)
	for _, fd := range waiting {
		if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}); err != nil {
			t.Fatal(err)
		}
	}
	h.eventually("a client is refused", func() bool { return h.Stats().RefusedDescriptors > 0 })
	if h.cfg.Mode == server.ModeLoops {
		h.eventually("all are refused", func() bool { return h.Stats().RefusedDescriptors == uint64(len(waiting)) })
		var text [100]byte
		n, err := syscall.Read(waiting[0], text[:])
		if want := "-ERR no file descriptor left for another client\r\n"; err != nil || string(text[:n]) != want {
			t.Errorf("a refused client gets %q, %v", text[:max(n, 0)], err)
		}
	}
	first.send(request("PING"))
	first.expect("+PONG\r\n")
	if n := h.Stats().Total.Wakeups; n > 1000 {
		t.Errorf("%d wake-ups: the listener spins", n)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &former); err != nil {
		t.Fatal(err)
	}
	c := h.dial()
	c.send(request("PING"))
	c.expect("+PONG\r\n")
}
