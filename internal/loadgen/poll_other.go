//go:build !linux

package loadgen

// poller stands for epoll where there is none; every run is a blocking one.
type poller struct{}

func newPoller([]*session) (*poller, error) { panic("loadgen: epoll on a system without it") }

func (p *poller) close() {}

func drivePolling(*worker, *phase) error { panic("loadgen: epoll on a system without it") }

const hasEpoll = false
