package clients

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
)

// clusterCLI runs redis-cli against a node of the cluster.
func clusterCLI(t *testing.T, address string, args ...string) string {
	t.Helper()
	host, port := apart(t, address)
	out, err := commandAt(t, address, "redis-cli", append([]string{"-h", host, "-p", port}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestRedisCLICluster lets redis-cli -c follow redirects, and check the cluster.
func TestRedisCLICluster(t *testing.T) {
	n := cluster(t).Nodes()[1]
	for i := range 20 {
		key := fmt.Sprint("cc:", i)
		if got := clusterCLI(t, n.RESPCluster, "-c", "SET", key, "one"); got != "OK\n" {
			t.Errorf("SET: %q", got)
		}
		if got := clusterCLI(t, n.RESPCluster, "-c", "GET", key); got != "one\n" {
			t.Errorf("GET: %q", got)
		}
	}
	host, port := apart(t, n.RESPCluster)
	at := host + ":" + port
	if got := clusterCLI(t, n.RESPCluster, "--cluster", "check", at); !strings.Contains(got, "All 16384 slots covered") ||
		!strings.Contains(got, "All nodes agree about slots configuration") {
		t.Errorf("redis-cli --cluster check: %s", got)
	}
	if got := clusterCLI(t, n.RESPCluster, "--cluster", "info", at); strings.Count(got, "5461 slots")+strings.Count(got, "slots |") < 3 {
		t.Errorf("redis-cli --cluster info: %s", got)
	}
	if got := clusterCLI(t, n.RESPCluster, "--cluster", "call", at, "PING"); strings.Count(got, "PONG") != 3 {
		t.Errorf("redis-cli --cluster call: %s", got)
	}
}

func TestRedisBenchmarkCluster(t *testing.T) {
	c := cluster(t)
	address := c.Nodes()[2].RESPCluster
	host, port := apart(t, address)
	cmd := commandAt(t, address, "redis-benchmark", "--cluster", "-h", host, "-p", port,
		"-t", "set,get,incr", "-n", "20000", "-c", "20", "-P", "8", "-r", "1000", "--csv")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, table, ok := strings.Cut(string(out), `"test",`)
	rows, err := csv.NewReader(strings.NewReader(`"test",` + table)).ReadAll()
	if !ok || err != nil || len(rows) != 4 {
		t.Errorf("%v, %d rows:\n%s", err, len(rows), out)
	}
}
