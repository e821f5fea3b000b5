//go:build !linux

package server

import "errors"

// haveLoops tells whether the system has what event loops need.
const haveLoops = false

func newLoops(*Server) (backend, error) {
	return nil, errors.New("mode loops: this system has no epoll; use auto or goroutines")
}
