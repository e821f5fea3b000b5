package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/eviction/trace"
)

// loopTrace writes a directory with one trace: ten keys in a loop.
func loopTrace(t *testing.T) string {
	t.Helper()
	tr := &trace.Trace{Distinct: 10}
	for i := range 200 {
		tr.Keys = append(tr.Keys, uint32(i%10))
	}
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "loop"+trace.Extension))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if err := trace.Write(z, tr); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func runHitratio(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := newBenchHitratioCommand()
	c.SilenceUsage = true
	c.SetOut(&out)
	c.SetErr(&bytes.Buffer{})
	c.SetArgs(args)
	err := c.ExecuteContext(context.Background())
	return out.String(), err
}

func TestBenchHitratio(t *testing.T) {
	dir := loopTrace(t)
	text, err := runHitratio(t, dir, "--policy", "adaptive,lru", "--size", "50", "--shards", "2")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"loop", "200", "adaptive", "allkeys-lru", "2 shards"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	doc, err := runHitratio(t, dir, "--policy", "s3-fifo", "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	var table trace.Table
	if err := json.Unmarshal([]byte(doc), &table); err != nil || len(table.Cells) != 6 {
		t.Fatalf("%d cells, %v, in %s", len(table.Cells), err, doc)
	}
}

func TestBenchHitratioRefuses(t *testing.T) {
	dir := loopTrace(t)
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{t.TempDir()}, "no *.dct.gz files"},
		{[]string{dir, "--policy", "clairvoyant"}, "unknown eviction policy"},
		{[]string{dir, "--policy", "allkeys-random"}, "cannot be simulated"},
		{[]string{dir, "--size", "0"}, "above 0"},
		{[]string{dir, "--format", "pdf"}, "unknown format"},
		{[]string{dir, "--bytes"}, "none of the traces has sizes"},
		{[]string{dir, "--trace", "other"}, "no trace \"other\""},
	} {
		if _, err := runHitratio(t, row.args...); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%v: %v, want %q", row.args, err, row.want)
		}
	}
}
