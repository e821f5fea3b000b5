package node

import (
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
)

// given connects CONFIG SET and CONFIG REWRITE with the log and with the
// file the node was configured from.
type given struct {
	mu  sync.Mutex // one rewriting at a time
	cfg config.Config
}

// changed tells the log what a client has changed, but no secrets.
func (n *Node) changed(name, value string) {
	if strings.Contains(name, "pass") || strings.Contains(name, "auth") {
		value = "(not shown)"
	}
	n.log.Info("setting changed by a client", "name", name, "value", value)
}

// rewrite writes what has changed since the start to the configuration file.
func (n *Node) rewrite(changed map[string]string) error {
	n.settings.mu.Lock()
	defer n.settings.mu.Unlock()
	now := n.current()
	if err := config.Rewrite(now, slices.Collect(maps.Keys(changed))); err != nil {
		n.log.Error("rewriting the configuration file failed", "file", now.File, "reason", err)
		return err
	}
	n.log.Info("configuration file rewritten", "file", now.File)
	return nil
}

// current returns the configuration as it is now. Called from any goroutine.
func (n *Node) current() config.Config {
	now := n.settings.cfg
	now.Command = *n.executor.Options()
	now.Memory.MaxBytes, now.Memory.Policy = n.store.MaxBytes(), n.store.Policy()
	return now
}

// describe tells INFO and CONFIG GET where the node listens, once the system
// has chosen the ports.
func (n *Node) describe() {
	n.executor.Describe(func(s *command.ServerInfo) {
		for _, a := range n.Addrs() {
			tcp, ok := a.(*net.TCPAddr)
			if !ok {
				continue
			}
			if s.Port == 0 {
				s.Port = tcp.Port
			}
			if host := tcp.IP.String(); tcp.Port == s.Port && !slices.Contains(s.Bind, host) {
				s.Bind = append(s.Bind, host)
			}
		}
	})
}
