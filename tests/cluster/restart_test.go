package cluster

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
	"github.com/larder-cache/larder/internal/nodes/history"
)

// TestRollingRestart restarts all nodes of a cluster with one command, under load,
// and ends one in order. No request fails but those that a client had under way at
// the very node that was being restarted; nothing that was acknowledged is lost.
func TestRollingRestart(t *testing.T) {
	c := growCopied(t, 3, "  rebalance:", "    moves: 256")
	before := starts(t, c)
	record := history.NewRecorder(nil)
	clients, err := history.Start(history.Config{Addresses: c.Addresses, Recorder: record, Seed: 7, Think: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer clients.Stop()
	worked(t, record, 400)
	away := restartAll(t, c, record)
	for name, since := range starts(t, c) {
		if since == before[name] {
			t.Errorf("%s runs as before", name)
		}
	}
	worked(t, record, 400)
	last, stopped := choose(t, c, true), record.Now()
	if err := last.Stop(within(t)); err != nil {
		t.Error(err)
	}
	worked(t, record, 400)
	clients.Stop()
	if err := clients.ReadAll(within(t)); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes() {
		if span, ok := away[n.Name]; !ok {
			t.Errorf("nothing was said of %s", n.Name)
		} else {
			t.Logf("%s was away for %s", n.Name, (span.To - span.From).Round(time.Millisecond))
		}
	}
	ops := record.Ops()
	for _, o := range ops {
		spans := away
		if o.End >= stopped {
			spans = map[string]history.Span{last.Name: {From: stopped, To: record.Now()}}
		}
		if o.Outcome != history.OK && !excused(c, spans, o) {
			t.Errorf("%s of %s through %s, %s to %s: %s", o.Kind, o.Key, o.Node, o.Start, o.End, o.Error)
		}
	}
	if v := history.Judge(ops, 20*time.Second); !v.Right() {
		t.Errorf("%d acknowledged writes lost, %d stale reads, %d keys not linearizable: %q", v.Lost, v.Stale, v.Not, v.Examples)
	}
	t.Logf("%d operations", len(ops))
}

// starts returns since when each node's process runs.
func starts(t *testing.T, c *nodes.Cluster) map[string]string {
	t.Helper()
	since := map[string]string{}
	for _, n := range c.Nodes() {
		r, err := n.Do(within(t), "INFO", "server")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(r.Text) {
			if id, ok := strings.CutPrefix(line, "run_id:"); ok {
				since[n.Name] = strings.TrimSpace(id)
			}
		}
	}
	return since
}

// restartAll runs the command and returns when each node was being restarted, by
// what the command says.
func restartAll(t *testing.T, c *nodes.Cluster, record *history.Recorder) map[string]history.Span {
	t.Helper()
	cmd := exec.CommandContext(within(t), binary, "cluster", "restart", "--addr", c.Nodes()[0].RESP)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	away := map[string]history.Span{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		t.Log(lines.Text())
		name, text, _ := strings.Cut(lines.Text(), ": ")
		span := away[name]
		switch {
		case strings.HasPrefix(text, "restarts"):
			span.From = record.Now() - 100*time.Millisecond // the line is written before it is asked for
		case strings.HasPrefix(text, "is back"):
			span.To = record.Now()
		default:
			continue
		}
		away[name] = span
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return away
}

// excused reports whether an operation met the end of the process that it was
// sent to: its connection ended, or there was none to be had.
func excused(c *nodes.Cluster, away map[string]history.Span, o history.Op) bool {
	for _, n := range c.Nodes() {
		if span := away[n.Name]; n.RESP == o.Node && o.End >= span.From && o.Start <= span.To {
			return !strings.HasPrefix(o.Error, "-") && !strings.Contains(o.Error, nodes.ErrReply.Error())
		}
	}
	return false
}
