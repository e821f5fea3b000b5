package monitoring

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var update = flag.Bool("update", false, "write the table of metrics in docs/monitoring.md")

const (
	docs       = "../../docs/monitoring.md"
	tableBegin = "<!-- metrics: written by go test ./internal/monitoring -update -->\n"
	tableEnd   = "<!-- end of metrics -->\n"
)

var described = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]+)".*variableLabels: \{([^}]*)\}`)

// TestDocs keeps the table of metrics in the documentation complete.
func TestDocs(t *testing.T) {
	rows := map[string]bool{}
	for _, c := range newBench(t).collectors() {
		ch := make(chan *prometheus.Desc, 256)
		c.Describe(ch)
		close(ch)
		for d := range ch {
			m := described.FindStringSubmatch(d.String())
			if m == nil {
				t.Fatalf("cannot read %s", d)
			}
			rows[fmt.Sprintf("| `%s` | %s | %s |\n", m[1], strings.ReplaceAll(m[3], ",", ", "), m[2])] = true
		}
	}
	list := make([]string, 0, len(rows))
	for row := range rows {
		list = append(list, row)
	}
	slices.Sort(list)
	table := "\n| metric | labels | what it is |\n|---|---|---|\n" + strings.Join(list, "") + "\n"
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), tableBegin)
	have, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the table of metrics", docs)
	}
	if *update {
		if err := os.WriteFile(docs, []byte(before+tableBegin+table+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have != table {
		t.Errorf("the table of metrics in %s is old; run this test with -update", docs)
	}
}
