package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/nodes"
)

// etcd is one process of an etcd cluster of the operator's.
type etcd struct {
	args []string
	log  string
	cmd  *exec.Cmd
}

// missing ends a test whose counterpart is not there.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("LARDER_TEST_COMPLETE") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// startEtcd runs an etcd cluster of three processes, and returns the addresses
// for clients.
func startEtcd(t *testing.T) (list []*etcd, endpoints []string) {
	t.Helper()
	program, err := exec.LookPath("etcd")
	if err != nil {
		missing(t, "%v; scripts/install-test-deps.sh etcd installs it", err)
	}
	free := claim(t)
	var peers []string
	at := func(place int) string { return "http://" + free.Address(place) }
	for i := range 3 {
		peers = append(peers, fmt.Sprintf("e%d=%s", i, at(3+i)))
		endpoints = append(endpoints, at(i))
	}
	dir := t.TempDir()
	for i := range 3 {
		e := &etcd{log: filepath.Join(dir, fmt.Sprintf("e%d.log", i)), args: []string{
			program, "--name", fmt.Sprintf("e%d", i), "--data-dir", filepath.Join(dir, fmt.Sprintf("e%d", i)),
			"--listen-client-urls", at(i), "--advertise-client-urls", at(i),
			"--listen-peer-urls", at(3 + i), "--initial-advertise-peer-urls", at(3 + i),
			"--initial-cluster", strings.Join(peers, ","), "--initial-cluster-token", dir,
		}}
		e.start(t)
		t.Cleanup(func() {
			e.kill()
			if said, _ := os.ReadFile(e.log); t.Failed() {
				t.Logf("%s:\n%s", e.log, said[max(0, len(said)-4<<10):])
			}
		})
		list = append(list, e)
	}
	for _, endpoint := range endpoints {
		eventually(t, "etcd", func(ctx context.Context) error { return healthy(ctx, endpoint) })
	}
	return list, endpoints
}

// healthy asks an etcd whether it takes part in decisions.
func healthy(ctx context.Context, endpoint string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/health", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", endpoint, answer.Status)
	}
	return nil
}

func (e *etcd) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(e.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the process has its own
	e.cmd = exec.Command(e.args[0], e.args[1:]...)
	e.cmd.Stdout, e.cmd.Stderr = log, log
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (e *etcd) kill() {
	_ = e.cmd.Process.Kill() // it may have ended
	_ = e.cmd.Wait()
}

// TestExternalEtcd uses an etcd cluster of the operator's: nodes form and join,
// none is a coordinator, and one etcd after the other may be restarted.
func TestExternalEtcd(t *testing.T) {
	processes, endpoints := startEtcd(t)
	c := grow(t, 3, configured(t, "cluster:", "  replicas: 0", "  etcd:", "    endpoints: ["+strings.Join(endpoints, ", ")+"]")...)
	n := c.Nodes()
	put(t, n[0], "k", 1000)
	for _, node := range n {
		if _, err := os.Stat(filepath.Join(node.Dir, "etcd")); !os.IsNotExist(err) {
			t.Errorf("node %s has an etcd of its own: %v", node.Name, err)
		}
	}
	if out := mustLarder(t, n[1], "cluster", "coordinators"); !strings.Contains(out, "e0") || strings.Count(out, "well") != 3 {
		t.Errorf("coordinators:\n%s", out)
	}
	if out, err := larder(t, n[1], "cluster", "coordinator", "replace", "n1"); err == nil || !strings.Contains(strings.Join(strings.Fields(out), " "), "with its own tools") {
		t.Errorf("replace: %v\n%s", err, out)
	}
	set := func(value string) {
		t.Helper()
		eventually(t, "CONFIG SET", func(ctx context.Context) error {
			_, err := n[2].Do(ctx, "CONFIG", "SET", "slowlog-max-len", value)
			return err
		})
		applied(t, c, "slowlog-max-len", value)
	}
	for i, e := range processes {
		e.kill()
		set(fmt.Sprint(200 + i))
		e.start(t)
		set(fmt.Sprint(300 + i))
		// The next may be lost only when this one counts again.
		eventually(t, "three members", func(ctx context.Context) error {
			if out, err := larder(t, n[1], "cluster", "coordinators"); err != nil || strings.Count(out, "well") != 3 {
				return fmt.Errorf("%v: %s", err, out)
			}
			return nil
		})
	}
	n[0].Kill()
	if err := n[0].Start(within(t)); err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(3), nodes.Still)
	put(t, n[0], "k", 1000)
	check(t, n[2], "k", 1000)
}
