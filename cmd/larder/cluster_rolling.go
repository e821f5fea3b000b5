package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/command"
)

// status asks a node, or when that does not answer any of the others.
func (r *rolling) status(ctx context.Context) (*command.ClusterStatus, error) {
	s, err := r.o.status(ctx)
	if err != nil && ctx.Err() == nil && r.connect(ctx, "") == nil {
		s, err = r.o.status(ctx)
	}
	if err != nil {
		return nil, err
	}
	r.known = s.Nodes
	return &s, nil
}

// connect connects to another node than one.
func (r *rolling) connect(ctx context.Context, not cluster.NodeID) error {
	last := errors.New("no other node serves clients on server.listen")
	for i := range r.known {
		n := &r.known[i]
		if n.ID == not || n.RESP == "" || n.RESP == r.o.address {
			continue
		}
		f := *r.flags
		f.addr = n.RESP
		o, err := f.operate(ctx)
		if err != nil {
			last = err
			continue
		}
		r.o, r.also = o, append(r.also, o)
		return nil
	}
	return last
}

// leave makes another node the one that is asked, when it is this one.
func (r *rolling) leave(ctx context.Context, id cluster.NodeID) error {
	s, err := r.status(ctx)
	if err != nil || s.Self != id {
		return err
	}
	return r.connect(ctx, id)
}

func (r *rolling) name(id cluster.NodeID) string {
	for i := range r.known {
		if r.known[i].ID == id {
			return nameOf(&r.known[i])
		}
	}
	return id.Short()
}

// say writes what happens to a node.
func (r *rolling) say(name, text string) {
	r.clear()
	say(r.out, name+": ", text)
	r.said = ""
}

// clear removes what is waited for from a terminal.
func (r *rolling) clear() {
	if r.said != "" && onTerminal(r.out) {
		fmt.Fprint(r.out, "\r\x1b[K")
	}
}

// sayEvery is how often it is written what is waited for, where lines stay.
const sayEvery = 5 * time.Second

// await waits until nothing is missing any more, and shows what is; until a
// deadline, unless that is zero. A look that fails is made again.
func (r *rolling) await(ctx context.Context, name string, deadline time.Time, missing func(*command.ClusterStatus) string) error {
	told := time.Now().Add(time.Second - sayEvery) // what takes a moment only is not written
	for {
		s, err := r.status(ctx)
		what := ""
		if err != nil {
			what = "no node answers"
		} else {
			what = missing(s)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case what == "":
			return nil
		case !deadline.IsZero() && time.Now().After(deadline):
			r.clear()
			return &fault{fmt.Errorf("%s: %s, after %v", name, what, r.within), "", exitFailed}
		case onTerminal(r.out):
			r.clear()
			r.said = what
			fmt.Fprint(r.out, shortened(name+": waiting: "+what, 79))
		case what != r.said && time.Since(told) >= sayEvery:
			r.say(name, "waiting: "+what)
			r.said, told = what, time.Now()
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// end makes a node's process end and another one begin.
func (r *rolling) end(ctx context.Context, n *command.ClusterNode) error {
	if r.command == "" {
		_, err := r.o.change(ctx, "RESTART", string(n.ID))
		return err
	}
	host, _, err := net.SplitHostPort(n.Peer)
	if err != nil {
		return fmt.Errorf("%s: address for other nodes: %w", nameOf(n), err)
	}
	line := strings.NewReplacer("{name}", quoted(nameOf(n)), "{host}", quoted(host), "{id}", quoted(string(n.ID))).Replace(r.command)
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Stdout, cmd.Stderr = r.out, r.out
	if err := cmd.Run(); err != nil {
		return &fault{fmt.Errorf("%s: %s: %w", nameOf(n), line, err), "", exitFailed}
	}
	return nil
}

// quoted makes a text one word for sh.
func quoted(text string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-._:", c)
	}
	if text != "" && !strings.ContainsFunc(text, func(c rune) bool { return !plain(c) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// interrupted says with an error how to go on.
func (r *rolling) interrupted(err error, left []cluster.NodeID) error {
	r.clear()
	names := make([]string, len(left))
	for i, id := range left {
		names[i] = r.name(id)
	}
	hint := "to go on: larder cluster restart " + strings.Join(names, " ")
	for i := range r.known {
		if n := &r.known[i]; n.ID == left[0] && n.Alive && n.Aside {
			hint += "; or larder cluster activate " + names[0] + ", which has stepped aside"
		}
	}
	text := err.Error()
	var f *fault
	switch {
	case errors.Is(err, context.Canceled):
		text = "interrupted"
	case errors.As(err, &f) && f.hint != "":
		hint = f.hint + "; " + hint
	}
	return &fault{errors.New(text), hint, exitFailed}
}
