package command

import (
	"fmt"
	"strings"
)

// infoSection is one section of INFO.
type infoSection struct {
	name  string // as asked for
	title string
	// extra sections are left out unless asked for, or with all and everything.
	extra bool
	write func(x *Executor, w *infoWriter)
}

// infoSections are the sections in the order shown.
var infoSections = []infoSection{
	{"server", "Server", false, (*Executor).infoServer},
	{"clients", "Clients", false, (*Executor).infoClients},
	{"memory", "Memory", false, (*Executor).infoMemory},
	{"persistence", "Persistence", false, (*Executor).infoPersistence},
	{"stats", "Stats", false, (*Executor).infoStats},
	{"replication", "Replication", false, (*Executor).infoReplication},
	{"cpu", "CPU", false, (*Executor).infoCPU},
	{"modules", "Modules", false, func(*Executor, *infoWriter) {}},
	{"commandstats", "Commandstats", true, (*Executor).infoCommands},
	{"errorstats", "Errorstats", false, (*Executor).infoErrors},
	{"latencystats", "Latencystats", true, (*Executor).infoLatency},
	{"cluster", "Cluster", false, (*Executor).infoCluster},
	{"keyspace", "Keyspace", false, (*Executor).infoKeyspace},
	{"larder", "Larder", true, (*Executor).infoLarder},
}

// infoWriter writes the lines of INFO.
type infoWriter struct {
	strings.Builder
	redirects bool // it is for a client of the protocol of Redis Cluster
}

func (w *infoWriter) title(s string) {
	if w.Len() > 0 {
		w.WriteString("\r\n")
	}
	w.WriteString("# " + s + "\r\n")
}

// field writes one line: integers and strings as they are, floats with two
// decimals.
func (w *infoWriter) field(name string, value any) {
	switch v := value.(type) {
	case float64:
		fmt.Fprintf(w, "%s:%.2f\r\n", name, v)
	case bool:
		n := 0
		if v {
			n = 1
		}
		fmt.Fprintf(w, "%s:%d\r\n", name, n)
	default:
		fmt.Fprintf(w, "%s:%v\r\n", name, v)
	}
}

// zeros writes fields of features that are not here.
func (w *infoWriter) zeros(names ...string) {
	for _, name := range names {
		w.field(name, 0)
	}
}

func runInfo(c *Context) {
	words := make([]string, 0, len(c.Args)-1)
	for _, word := range c.Args[1:] {
		words = append(words, string(lowered(word)))
	}
	c.Out.Verbatim("txt", c.Exec.info(c.Redirects, words))
}

// Info returns the text of INFO for the sections named, for none the default
// ones. all, everything and default stand for several. Safe for concurrent use.
func (x *Executor) Info(sections ...string) string { return x.info(false, sections) }

func (x *Executor) info(redirects bool, sections []string) string {
	wanted := map[string]bool{}
	ordinary, extra := len(sections) == 0, false
	for _, s := range sections {
		switch s {
		case "default":
			ordinary = true
		case "all", "everything":
			ordinary, extra = true, true
		default:
			wanted[s] = true
		}
	}
	w := infoWriter{redirects: redirects}
	for _, s := range infoSections {
		if wanted[s.name] || ordinary && !s.extra || extra {
			w.title(s.title)
			s.write(x, &w)
		}
	}
	if x.hooks.Sections == nil {
		return w.String()
	}
	for _, s := range x.hooks.Sections() {
		if wanted[s.Name] || extra {
			w.title(s.Title)
			for _, f := range s.Fields {
				w.field(f.Name, f.Value)
			}
		}
	}
	return w.String()
}

// human writes a number of bytes as Redis does: 1.50M.
func human(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1024 && unit < len(units)-1 {
		v /= 1024
		unit++
	}
	return fmt.Sprintf("%.2f%c", v, units[unit])
}
