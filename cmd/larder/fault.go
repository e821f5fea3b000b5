package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/rueidis"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/larder-cache/larder/internal/config"
)

// The exit codes of every subcommand.
const (
	exitDone   = 0
	exitFailed = 1 // what was asked for could not be done
	exitUsage  = 2 // the command line or the configuration is wrong
	exitNo     = 3 // it was done, and the answer is no: no such key, not set
)

// fault is an error with what a person can do about it.
type fault struct {
	err  error
	hint string // the next step; may be empty
	code int    // exit code
}

// Error implements error, without the hint.
func (f *fault) Error() string { return f.err.Error() }

// Unwrap returns the error itself.
func (f *fault) Unwrap() error { return f.err }

// misuse is a wrong command line.
func misuse(hint, format string, args ...any) error {
	return &fault{fmt.Errorf(format, args...), hint, exitUsage}
}

// no is an answer that a script must be able to tell from a failure.
func no(format string, args ...any) error {
	return &fault{fmt.Errorf(format, args...), "", exitNo}
}

// report tells a person what failed and what to do next, and returns the exit
// code.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	var problems config.Problems
	if errors.As(err, &problems) {
		fmt.Fprintf(w, "larder: the configuration cannot be used: %s\n\n%v\n", plural(len(problems), "problem"), problems)
		return exitUsage
	}
	text, code, hint := err.Error(), exitFailed, ""
	var f *fault
	if errors.As(err, &f) {
		code, hint = f.code, f.hint
	}
	say(w, "larder: ", text)
	if hint != "" {
		say(w, "hint:   ", hint)
	}
	return code
}

// say writes a message for a terminal of 80 columns. Lines that the message has
// already stay.
func say(w io.Writer, label, text string) {
	if !strings.Contains(text, "\n") {
		text = strings.Join(config.Wrap(text, 80, label, strings.Repeat(" ", len(label))), "\n")
	} else {
		text = label + text
	}
	fmt.Fprintln(w, text)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// network explains why a server could not be reached or stopped answering.
func network(address string, err error) error {
	failed := fmt.Errorf("cannot reach %s: %w", address, plainNetwork(err))
	local := strings.HasPrefix(address, "127.") || strings.HasPrefix(address, "localhost:") || strings.HasPrefix(address, "/")
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) && local, errors.Is(err, syscall.ENOENT):
		return &fault{failed, "is a node running? Start one with: larder serve", exitFailed}
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &dns):
		return &fault{failed, "name the node with --addr host:port or LARDER_ADDR", exitFailed}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, rueidis.ErrClosing), isTimeout(err):
		return &fault{failed, "is it a Redis-compatible server, and not overloaded? --timeout waits longer", exitFailed}
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return &fault{failed, "the server closed the connection; its log says why", exitFailed}
	}
	return &fault{failed, "", exitFailed}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// plainNetwork strips what only repeats the address, or speaks of calls.
func plainNetwork(err error) error {
	var call *os.SyscallError
	var dns *net.DNSError
	switch {
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &dns):
		return errors.New("no such host")
	case isTimeout(err):
		return errors.New("no answer in time")
	case errors.Is(err, io.EOF):
		return errors.New("the connection was closed")
	}
	return err
}

// refused explains an error that the server answered with.
func refused(err *rueidis.RedisError) error {
	text := err.Error()
	hint := ""
	switch code, _, _ := strings.Cut(text, " "); code {
	case "NOAUTH":
		// What it says about HELLO is for authors of clients.
		text = "NOAUTH, a password is required"
		hint = "give --password, or set LARDER_PASSWORD"
	case "WRONGPASS":
		hint = "check --password and --user, or LARDER_PASSWORD"
	case "OOM":
		hint = "raise memory.maxmemory, or choose a policy that evicts"
	case "WRONGTYPE":
		hint = "the key holds no string"
	}
	if strings.Contains(text, "max number of clients") {
		hint = "raise limits.clients, or close connections"
	}
	return &fault{fmt.Errorf("the server answered: %s", text), hint, exitFailed}
}

// starting explains why a node did not start.
func starting(err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another process listens there: end it, or choose other ports with --resp-addr and --http-addr"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "this machine has no such address; 0.0.0.0 means all it has"
	case errors.Is(err, syscall.EACCES):
		hint = "ports below 1024 and foreign directories need privileges"
	}
	return &fault{fmt.Errorf("the node did not start: %w", err), hint, exitFailed}
}

// arguments accepts exactly the arguments of these names; a last name that ends
// in ... takes one or more.
func arguments(names ...string) cobra.PositionalArgs {
	many := len(names) > 0 && strings.HasSuffix(names[len(names)-1], "...")
	return func(c *cobra.Command, args []string) error {
		usage := "usage: " + c.UseLine()
		switch {
		case len(args) < len(names):
			return misuse(usage, "%s needs %s", c.CommandPath(), strings.Join(names[len(args):], " and "))
		case len(args) > len(names) && !many:
			return misuse(usage, "%s does not take %q", c.CommandPath(), args[len(names)])
		}
		return nil
	}
}

// group makes a command that only has subcommands tell which there are.
func group(c *cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var names []string
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		hint := "see " + c.CommandPath() + " --help"
		if near := config.Nearest(args[0], names); near != "" {
			hint = "did you mean " + c.CommandPath() + " " + near + "?"
		}
		return misuse(hint, "there is no command %s %s", c.CommandPath(), args[0])
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}

// wrongFlag explains an error of the flags' parser.
func wrongFlag(c *cobra.Command, err error) error {
	hint := "see " + c.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		if near := config.Nearest(unknown.GetSpecifiedName(), flagNames(c)); near != "" {
			hint = "did you mean --" + near + "?"
		}
	case errors.As(err, &value):
		f := value.GetFlag()
		switch f.Value.Type() {
		case "duration":
			hint = "write a number with a unit, such as 500ms, 30s or 5m"
		case "bool":
			hint = "write --" + f.Name + " alone, or true or false behind ="
		}
		err = fmt.Errorf("--%s cannot be %q: it is a %s", f.Name, value.GetValue(), flagKind(f))
	}
	return &fault{err, hint, exitUsage}
}

// flagKind says what a flag takes.
func flagKind(f *pflag.Flag) string {
	switch kind := f.Value.Type(); kind {
	case "int", "uint", "int64", "uint64", "uint16":
		return "whole number"
	case "float64":
		return "number"
	case "bool":
		return "switch"
	default:
		return kind
	}
}
