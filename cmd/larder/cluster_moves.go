package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/command"
)

// barWidth is the width of a progress bar, in characters.
const barWidth = 24

// bar draws how much of a whole is done.
func bar(done, whole float64) string {
	full := 0
	if whole > 0 {
		full = min(barWidth, int(barWidth*done/whole))
	}
	return "[" + strings.Repeat("=", full) + strings.Repeat("-", barWidth-full) + "]"
}

// route is the moves from one node to another.
type route struct {
	from, to     cluster.NodeID // from is empty for those that have arrived but for the last writes
	count        int
	bytes, total uint64
}

// routes sums up moves, the largest number first.
func routes(s *command.ClusterStatus) (list []route) {
	for _, m := range s.Moves {
		i := slices.IndexFunc(list, func(r route) bool { return r.from == m.From && r.to == m.To })
		if i < 0 {
			i = len(list)
			list = append(list, route{from: m.From, to: m.To})
		}
		list[i].count++
		list[i].bytes += m.Bytes
		list[i].total += max(m.Total, m.Bytes)
	}
	slices.SortStableFunc(list, func(a, b route) int { return cmp.Compare(b.count, a.count) })
	return list
}

// shownRoutes is how many pairs of nodes are shown one by one.
const shownRoutes = 10

// writeMoves draws the whole rebalance, and the moves between each two nodes.
func writeMoves(b *strings.Builder, s *command.ClusterStatus) {
	b.WriteString("\n" + barLine("rebalance", float64(s.Done), float64(s.All), fmt.Sprintf("%d of %s", s.Done, plural(s.All, "partition"))))
	list := routes(s)
	for i, r := range list {
		if i == shownRoutes {
			fmt.Fprintf(b, "and between %d more pairs of nodes\n", len(list)-i)
			break
		}
		from := shortened(nodeName(s, r.from), 11)
		what := fmt.Sprintf("%d, %s of %s", r.count, shortBytes(r.bytes), shortBytes(r.total))
		if r.from == "" {
			from, what = "(arriving)", fmt.Sprintf("%d, last writes", r.count)
			r.bytes, r.total = 1, 1
		}
		b.WriteString(barLine(from+" -> "+shortened(nodeName(s, r.to), 11), float64(r.bytes), float64(r.total), what))
	}
}

func barLine(label string, done, whole float64, what string) string {
	return fmt.Sprintf("%-26s  %s  %s\n", label, bar(done, whole), what)
}

// progressText is the rebalance in one line.
func progressText(s *command.ClusterStatus) string {
	if rests(s) {
		return "nothing is moving"
	}
	return fmt.Sprintf("%d of %s moved, %d under way", s.Done, plural(s.All, "partition"), len(s.Moves))
}

// waitFor shows progress on a terminal until done says so; left is how many
// partitions are still to be moved.
func (o *operator) waitFor(ctx context.Context, w io.Writer, what string, left func(*command.ClusterStatus) (count int, done bool, err error)) error {
	var b *progressbar.ProgressBar
	most := 0
	for {
		s, err := o.status(ctx)
		if err != nil {
			return err
		}
		count, done, err := left(&s)
		if most = max(most, count); onTerminal(w) && most > 0 {
			if b == nil {
				b = progressbar.NewOptions(most, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(barWidth),
					progressbar.OptionSetDescription(shortened(what, 30)), progressbar.OptionClearOnFinish(),
					progressbar.OptionSetPredictTime(false), progressbar.OptionShowCount())
			}
			b.ChangeMax(most)
			_ = b.Set(most - count) // a terminal that refuses is no reason to stop
		}
		if err != nil || done {
			if b != nil {
				_ = b.Clear()
			}
			return err
		}
		if s.Paused && strings.HasPrefix(what, "rebalancing") {
			return &fault{fmt.Errorf("rebalancing is paused by %s", s.PausedBy), "larder cluster resume lets it go on", exitFailed}
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}
