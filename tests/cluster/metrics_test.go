package cluster

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestMetrics reads what two nodes count of each other.
func TestMetrics(t *testing.T) {
	c := grow(t, 2)
	r, err := http.Get("http://" + c.Nodes()[0].HTTP + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", r.Status, err, text)
	}
	for _, want := range []string{"larder_peer_links_up ", `larder_peer_failures_total{reason="dial"} `, "larder_replication_copies_begun_total 512\n"} {
		if !strings.Contains(string(text), "\n"+want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}
