package config

import (
	"errors"
	"fmt"
	"math/bits"
	"net"
	"strings"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/source"
)

// judge returns what is wrong with the configuration as a whole. Settings whose
// value could not be read are not mentioned again.
func (l *loader) judge() Problems {
	return l.judgeBy(l.judgeServer, l.judgeHTTP, l.judgeExposure, l.judgeMemory, l.judgeLimits, l.judgeCluster, l.judgeClusterExposure, l.judgeReplication, l.judgeSources)
}

// judgeNode returns what is wrong with what a node has to itself: what the
// settings of a cluster have no part in.
func (l *loader) judgeNode() Problems {
	return l.judgeBy(l.judgeServer, l.judgeHTTP, l.judgeMemory, l.judgeCluster)
}

func (l *loader) judgeBy(judges ...func()) Problems {
	before := l.problems
	l.problems = nil
	for _, judge := range judges {
		judge()
	}
	found := l.problems
	l.problems = before
	return found
}

func (l *loader) judgeSources() {
	for _, name := range sortedNames(l.config.Sources) {
		l.adopt("sources."+name, l.config.Sources[name].Validate())
	}
	for _, name := range sortedNames(l.config.Namespaces) {
		l.adopt("namespaces."+name, l.config.Namespaces[name].Validate(l.config.Sources))
	}
	l.judgePrefixes()
}

// objection reports a contradiction, unless the setting could not be read.
func (l *loader) objection(path, text, hint string) {
	for at := path; at != ""; at = parent(at) {
		if l.failed[at] {
			return
		}
	}
	l.report(path, text, hint)
}

// adopt reports what a package says about its own settings, which stand below
// base.
func (l *loader) adopt(base string, err error) {
	for _, e := range flatten(err) {
		var f *source.FieldError
		if errors.As(e, &f) {
			l.objection(join(base, f.Field), f.Problem, f.Hint)
			continue
		}
		field, text, _ := strings.Cut(e.Error(), ": ")
		field, _, _ = strings.Cut(field, "[") // listen[1]
		text, hint, _ := strings.Cut(text, "; ")
		l.objection(join(base, field), text, hint)
	}
}

// flatten returns the errors that [errors.Join] has joined.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}

func (l *loader) judgeServer() { l.adopt("server", l.config.Server.Validate()) }

func (l *loader) judgeHTTP() {
	address := l.config.HTTP.Listen
	if address == "" {
		return
	}
	if err := checkAddress(address, "8080"); err != nil {
		l.objection("http.listen", err.problem, err.hint)
		return
	}
	for _, other := range l.config.Server.Listen {
		if _, port, _ := net.SplitHostPort(address); address == other && port != "0" {
			l.objection("http.listen", address+" is also in server.listen", "write another port")
		}
	}
}

// checkAddress checks the form host:port.
func checkAddress(address, port string) *fault {
	_, number, err := net.SplitHostPort(address)
	if err != nil {
		example := "127.0.0.1:" + port
		switch {
		case strings.Trim(address, "0123456789") == "":
			example = "127.0.0.1:" + address
		case !strings.Contains(address, ":"):
			example = net.JoinHostPort(address, port)
		}
		return wrong(address, "host:port", "write for example "+example)
	}
	if n, ok := ParseBytes(number); !ok || n > 65535 || strings.Trim(number, "0123456789") != "" {
		return &fault{fmt.Sprintf("%q is not a port between 0 and 65535", number), "write for example " + port}
	}
	return nil
}

// judgeExposure refuses to serve strangers.
func (l *loader) judgeExposure() {
	c := &l.config
	if c.Auth.Insecure || c.Command.Password != "" {
		return
	}
	const hint = "set auth.password (LARDER_PASSWORD), or listen on 127.0.0.1; auth.insecure: true (--insecure) allows it without"
	for _, address := range c.Server.Listen {
		if !loopback(address) {
			l.objection("server.listen", address+" is open to other machines, and no password is set", hint)
			return
		}
	}
	if c.HTTP.Listen != "" && !loopback(c.HTTP.Listen) {
		l.objection("http.listen", c.HTTP.Listen+" is open to other machines, and no password is set", hint)
	}
}

// loopback reports whether only this machine can reach an address. A host name
// other than localhost might be anything. What is no address passes: it is
// reported as such.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (l *loader) judgeMemory() {
	if n := l.config.Memory.Shards; n&(n-1) != 0 {
		up := 1 << bits.Len(uint(n))
		l.objection("memory.shards", fmt.Sprintf("%d is not a power of two", n), fmt.Sprintf("write %d or %d", up/2, up))
	}
}

func (l *loader) judgeLimits() {
	o := &l.config.Command
	if o.QueryBuffer > 0 && o.QueryBuffer < o.MaxValue {
		// The one that was written is at fault, not the one that has its default.
		path := "limits.query_buffer"
		if _, written := l.places[path]; !written {
			path = "limits.max_value_bytes"
		}
		l.objection(path, fmt.Sprintf("a value of max_value_bytes (%s) does not fit into query_buffer (%s)",
			FormatBytes(uint64(o.MaxValue)), FormatBytes(uint64(o.QueryBuffer))),
			"raise query_buffer, or lower max_value_bytes")
	}
	for name, class := range map[string]command.Class{
		"normal": command.ClassNormal, "replica": command.ClassReplica, "pubsub": command.ClassPubSub,
	} {
		out := o.Output[class]
		if out.Hard > 0 && out.Soft > out.Hard {
			l.objection("limits.output."+name+".soft", fmt.Sprintf("%s is above hard (%s) and would never be reached",
				FormatBytes(uint64(out.Soft)), FormatBytes(uint64(out.Hard))), "write less than hard, or 0 for no soft limit")
		}
	}
}

// judgePrefixes refuses two namespaces for the same keys.
func (l *loader) judgePrefixes() {
	owner := map[string]string{}
	for _, name := range sortedNames(l.config.Namespaces) {
		if l.config.Namespaces[name].Validate(l.config.Sources) != nil {
			continue // its prefix may be what is wrong with it
		}
		prefix := l.config.Namespaces[name].WithDefaults().Prefix
		path := "namespaces." + name
		if other, taken := owner[prefix]; taken {
			if l.config.Namespaces[name].Prefix != "" {
				path += ".prefix"
			}
			l.objection(path, fmt.Sprintf("has the prefix %q, as the namespace %s has", prefix, other),
				"give each namespace a prefix of its own; a longer one goes before a shorter one")
			continue
		}
		owner[prefix] = name
	}
}
