package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/command"
)

// watchEvery is how often a status is asked for that somebody watches.
const watchEvery = 500 * time.Millisecond

func newClusterStatusCommand() *cobra.Command {
	f := &clientFlags{}
	watch := false
	c := &cobra.Command{
		Use:   "status",
		Short: "Show nodes, their partitions, and what is moving",
		Long: `Show the nodes of the cluster: state, role, partitions, memory, the revision of the
settings in force; and what is moving.

Role: «ctl» is the controller, which decides what moves; «co» is a coordinator,
which runs the configuration service. A state of «down» comes before any other.`,
		Example: `  larder cluster status
  larder cluster status --watch
  larder cluster status --json | jq '.nodes[] | {name, partitions}'`,
		Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := orBackground(c.Context())
			o, err := f.operate(ctx)
			if err != nil {
				return err
			}
			defer o.Close()
			if watch {
				return watchStatus(ctx, o, f, c.OutOrStdout())
			}
			s, err := o.status(ctx)
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), s)
			}
			_, err = io.WriteString(c.OutOrStdout(), statusText(&s, time.Now()))
			return err
		},
	}
	f.bindCluster(c)
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it again and again until nothing moves any more")
	return c
}

// watchStatus shows the state until nothing is to be moved: in place on a
// terminal; else, and in JSON, one behind the other.
func watchStatus(ctx context.Context, o *operator, f *clientFlags, out io.Writer) error {
	live, shown := onTerminal(out) && !f.json, 0
	last := ""
	for {
		s, err := o.status(ctx)
		if err != nil {
			return err
		}
		if f.json {
			if err := writeJSON(out, s); err != nil {
				return err
			}
		} else if text := statusText(&s, time.Now()); live {
			if shown > 0 {
				fmt.Fprintf(out, "\x1b[%dA\x1b[J", shown)
			}
			fmt.Fprint(out, text)
			shown = strings.Count(text, "\n")
		} else if line := progressText(&s); line != last {
			fmt.Fprintln(out, line)
			last = line
		}
		if rests(&s) {
			if !live && !f.json {
				_, err = fmt.Fprint(out, "\n"+statusText(&s, time.Now()))
			}
			return err
		}
		if err := pause(ctx, watchEvery); err != nil {
			return err
		}
	}
}

// rests reports whether nothing moves, nor is about to.
func rests(s *command.ClusterStatus) bool { return len(s.Moves) == 0 && s.Done >= s.All }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// statusText writes the state for a terminal of 80 columns.
func statusText(s *command.ClusterStatus, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %.8s: %s, controller %s, view %d", s.Cluster, plural(len(s.Nodes), "node"), nodeName(s, s.Controller), s.View)
	if s.Settings > 0 {
		fmt.Fprintf(&b, ", settings %d", s.Settings)
	}
	b.WriteString("\n\n")
	writeColumns(&b, nodeColumns(s, now), 80)
	for i, line := range remarksOn(s) {
		if i == 0 {
			b.WriteString("\n")
		}
		say(&b, "", line)
	}
	if !rests(s) {
		writeMoves(&b, s)
	}
	return b.String()
}

// remarksOn says in words what a person has to know.
func remarksOn(s *command.ClusterStatus) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	switch {
	case s.Away:
		add("The configuration service cannot be reached: this node serves by what was known last (view %d). Who is up is not known.", s.View)
	case s.Service == "no quorum":
		add("The configuration service has no quorum: data is served, changes are refused. larder cluster coordinators shows who is missing.")
	case s.Service != "ok" && s.Service != "unknown":
		add("The configuration service is not well: %s", s.Service)
	}
	for _, n := range s.Nodes {
		if !n.Alive && n.Partitions > 0 {
			add("%s is down and holds %s.", nameOf(&n), plural(n.Partitions, "partition"))
		}
		if n.Alive && n.Aside {
			add("%s has stepped aside, until it is restarted or larder cluster activate %s.", nameOf(&n), nameOf(&n))
		}
	}
	for _, u := range s.Unavailable {
		what := plural(len(u.Partitions), "partition")
		if len(u.For) == 0 {
			add("%s cannot be served: every process that had all of it has ended. larder cluster accept-loss lets it begin empty.", what)
			continue
		}
		add("%s cannot be served until one of these is back: %s. If none comes back: larder cluster accept-loss.", what, namesOf(s, u.For))
	}
	if s.Undercopied > 0 {
		add("%s with fewer copies in sync than are wanted.", plural(s.Undercopied, "partition"))
	}
	if s.Unowned > 0 {
		add("Nobody owns %s.", plural(s.Unowned, "partition"))
	}
	if s.Paused {
		add("Rebalancing is paused by %s; larder cluster resume lets it go on.", s.PausedBy)
	} else if s.Held != "" {
		add("Moves are held: %s.", s.Held)
	}
	if s.Pinned > 0 {
		add("%s by hand; larder cluster release gives them back.", wasSent(s.Pinned))
	}
	if rests(s) {
		add("Nothing is moving.")
	}
	return lines
}

func wasSent(n int) string {
	if n == 1 {
		return "1 partition was sent to its node"
	}
	return fmt.Sprintf("%d partitions were sent to their nodes", n)
}

// column is one of a table. One that is not wanted is left out when nothing in it
// is worth reading.
type column struct {
	title string
	cells []string
	right bool
	limit int // characters; 0: none
}

func nodeColumns(s *command.ClusterStatus, now time.Time) []column {
	cols := []column{
		{title: "NODE", limit: 16}, {title: "ID"}, {title: "ZONE", limit: 10}, {title: "WEIGHT", right: true}, {title: "STATE"}, {title: "ROLE"},
		{title: "PART", right: true}, {title: "OUT", right: true}, {title: "IN", right: true}, {title: "MEMORY", right: true},
		{title: "SET", right: true}, {title: "UP", right: true},
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		for k, cell := range []string{
			nameOf(n), n.ID.Short(), n.Zone, strconv.Itoa(int(n.Weight)), stateOf(n), roleOf(n),
			strconv.Itoa(n.Partitions), dashed(n.Leaving), dashed(n.Coming), memoryOf(n), revisionOf(n), upOf(n, now),
		} {
			cols[k].cells = append(cols[k].cells, cell)
		}
	}
	plain := map[string]string{"ZONE": "", "WEIGHT": strconv.Itoa(cluster.DefaultWeight), "OUT": "-", "IN": "-", "SET": "-"}
	return slices.DeleteFunc(cols, func(c column) bool {
		boring, optional := plain[c.title]
		return optional && !slices.ContainsFunc(c.cells, func(cell string) bool { return cell != boring })
	})
}

func nameOf(n *command.ClusterNode) string { return cmp.Or(n.Name, n.ID.Short()) }

func nodeName(s *command.ClusterStatus, id cluster.NodeID) string {
	for i := range s.Nodes {
		if s.Nodes[i].ID == id {
			return nameOf(&s.Nodes[i])
		}
	}
	return cmp.Or(id.Short(), "none")
}

// namesOf lists nodes as people know them.
func namesOf(s *command.ClusterStatus, ids []cluster.NodeID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = nodeName(s, id)
	}
	return strings.Join(names, ", ")
}

func stateOf(n *command.ClusterNode) string {
	switch {
	case !n.Alive:
		return "down"
	case n.State == cluster.Draining && n.Node.Leaving:
		return "leaving"
	case n.State == cluster.Draining && n.Partitions == 0:
		return "drained"
	case n.State == cluster.Active && n.Aside:
		return "aside"
	}
	return string(n.State)
}

func roleOf(n *command.ClusterNode) string {
	switch {
	case n.Controller && n.Coordinator:
		return "ctl,co"
	case n.Controller:
		return "ctl"
	case n.Coordinator:
		return "co"
	}
	return "-"
}

func dashed(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func memoryOf(n *command.ClusterNode) string {
	switch {
	case !n.Answers:
		return "-"
	case n.MemoryMax == 0:
		return shortBytes(n.MemoryUsed)
	}
	return fmt.Sprintf("%s %d%%", shortBytes(n.MemoryUsed), 100*n.MemoryUsed/n.MemoryMax)
}

// shortBytes writes a number of bytes in at most five characters.
func shortBytes(n uint64) string {
	f, unit := float64(n), 0
	units := []string{"b", "kb", "mb", "gb", "tb"}
	for f >= 999.5 && unit < len(units)-1 {
		f /= 1024
		unit++
	}
	if unit > 0 && f < 9.95 {
		return strconv.FormatFloat(f, 'f', 1, 64) + units[unit]
	}
	return strconv.FormatFloat(f, 'f', 0, 64) + units[unit]
}

func revisionOf(n *command.ClusterNode) string {
	if n.Settings == 0 {
		return "-"
	}
	return strconv.FormatInt(n.Settings, 10)
}

// upOf is for how long the process has run, in its two largest units at most.
func upOf(n *command.ClusterNode, now time.Time) string {
	if !n.Alive || n.Since.IsZero() {
		return "-"
	}
	d := max(0, now.Sub(n.Since))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// writeColumns writes a table at most so wide: when it must, with less between
// the columns, and then with shorter names.
func writeColumns(b *strings.Builder, cols []column, width int) {
	widths, sum := make([]int, len(cols)), 0
	for i, c := range cols {
		widths[i] = len(c.title)
		for k, cell := range c.cells {
			c.cells[k] = shortened(cell, c.limit)
			widths[i] = max(widths[i], utf8.RuneCountInString(c.cells[k]))
		}
		sum += widths[i]
	}
	gap := 2
	if sum+gap*(len(cols)-1) > width {
		gap = 1
	}
	for i := range cols {
		if over := sum + gap*(len(cols)-1) - width; over > 0 && cols[i].limit > 0 {
			to := max(4, widths[i]-over)
			sum, widths[i] = sum-widths[i]+to, to
		}
	}
	for row := -1; row < len(cols[0].cells); row++ {
		var line strings.Builder
		for i, c := range cols {
			text := c.title
			if row >= 0 {
				text = shortened(c.cells[row], widths[i])
			}
			fill := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if c.right {
				text, fill = fill+text, ""
			}
			line.WriteString(text + fill + strings.Repeat(" ", gap))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// shortened cuts a text to a number of characters, 0 for as many as it has.
func shortened(text string, limit int) string {
	if runes := []rune(text); limit > 0 && len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}
