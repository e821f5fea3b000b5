package command

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"
)

// Configuration answers what LARDER CONFIG GET asks. It is safe for concurrent
// use.
type Configuration interface {
	// Values returns the settings of these paths: no path for all, a section for
	// those in it.
	Values(paths []string) ([]SettingValue, error)
}

// SettingValue is a setting by its path in larder.yaml, as people see it.
type SettingValue struct {
	Path  string // "limits.clients"
	Value string // as in a larder.yaml; xxxxx for a secret
	Layer string // where it comes from: "default", "cluster" or "node"
	Place string // of the node's own: "larder.yaml:3", "--maxmemory", "CONFIG SET"
	Scope string // who has it: "cluster" or "node"
	Live  bool   // changes while the node runs
}

// ClusterSettings are the settings that all nodes of a cluster have in common,
// for LARDER CONFIG. Documents and differences have no secrets in them. An error
// may have a method Code() string, the code of the reply; others are ERR. It is
// safe for concurrent use.
type ClusterSettings interface {
	// Document returns the current settings as a larder.yaml.
	Document(ctx context.Context) (revision uint64, yaml string, err error)
	// Change changes settings, all or none.
	Change(ctx context.Context, change SettingsChange) (SettingsResult, error)
	// Replace makes of a revision what a person has made of its document.
	Replace(ctx context.Context, revision uint64, yaml, author, comment string) (SettingsResult, error)
	// Rollback makes a new revision with the settings of an earlier one.
	Rollback(ctx context.Context, revision uint64, author, comment string) (SettingsResult, error)
	// History returns the last n revisions, the newest first.
	History(ctx context.Context, n int) ([]SettingsRevision, error)
	// Diff tells what makes revision b of a; b 0 is the current one, a 0 the one
	// before b.
	Diff(ctx context.Context, a, b uint64) (string, error)
}

// SettingsChange is a change of settings.
type SettingsChange struct {
	Set             []Parameter // by path
	Unset           []string    // paths that get their default
	Author, Comment string
	// Expected is the revision the author has seen, 0 for none: see IF.
	Expected uint64
}

// SettingsResult is what became of a change.
type SettingsResult struct {
	Revision uint64
	Changed  []string // paths
	Notices  []string // where it is not in force yet
}

// SettingsRevision is a line of the history.
type SettingsRevision struct {
	Revision        uint64
	Time            time.Time
	Author, Comment string
	Paths           []string // what changed
}

// errStandalone is the answer of a node that keeps its settings in its own file.
const errStandalone = "ERR this node is not part of a cluster: change larder.yaml, or start it with --cluster"

// settingsPatience is how long a change of settings may take: the store, and
// this node until it has them in force.
const settingsPatience = 10 * time.Second

// larderConfigActions are the words behind LARDER CONFIG. The numbers are the
// fewest and the most words of a request.
var larderConfigActions = map[string]struct {
	least, most int
	run         Handler
}{
	"get":      {3, math.MaxInt, larderConfigGet},
	"set":      {5, math.MaxInt, larderConfigSet},
	"unset":    {4, math.MaxInt, larderConfigUnset},
	"show":     {3, 3, larderConfigShow},
	"replace":  {5, 7, larderConfigReplace},
	"history":  {3, 4, larderConfigHistory},
	"diff":     {3, 5, larderConfigDiff},
	"rollback": {4, 6, larderConfigRollback},
}

var larderConfigHelp = []string{
	"CONFIG GET [<path> ...]",
	"    Return settings, each with path, value, layer, place, scope, live.",
	"CONFIG SET [IF <revision>] [COMMENT <text>] <path> <value> [<path> <value> ...]",
	"    Change settings of the cluster, all of these or none.",
	"CONFIG UNSET [IF <revision>] [COMMENT <text>] <path> [<path> ...]",
	"    Give settings of the cluster their defaults.",
	"CONFIG SHOW",
	"    Return the revision of the cluster's settings, and these as YAML.",
	"CONFIG REPLACE <revision> <yaml> [COMMENT <text>]",
	"    Make of a revision what the text says.",
	"CONFIG HISTORY [<count>]",
	"    Return revisions, each with number, time, author, comment, paths.",
	"CONFIG DIFF [<revision> [<revision>]]",
	"    Return what differs: in the last one, since one, between two.",
	"CONFIG ROLLBACK <revision> [COMMENT <text>]",
	"    Make a new revision with the settings of an earlier one.",
}

func runLarderConfig(c *Context) {
	word := string(lowered(c.Args[2]))
	action, known := larderConfigActions[word]
	switch {
	case !known:
		c.Error("ERR unknown word '" + string(clip(c.Args[2], shownWords)) + "' behind LARDER CONFIG. Try LARDER HELP.")
	case len(c.Args) < action.least || len(c.Args) > action.most:
		c.Error("ERR wrong number of arguments for 'larder|config " + word + "'. Try LARDER HELP.")
	case word != "get" && c.Exec.shared == nil:
		c.Error(errStandalone)
	default:
		action.run(c)
	}
}

func larderConfigGet(c *Context) {
	if c.Exec.configuration == nil {
		c.Error("ERR this node does not tell its settings")
		return
	}
	var paths []string
	for _, word := range c.Args[3:] {
		paths = append(paths, string(word))
	}
	values, err := c.Exec.configuration.Values(paths)
	if err != nil {
		c.failSettings(err)
		return
	}
	c.Out.Array(len(values))
	for _, v := range values {
		c.Out.Array(6)
		for _, text := range []string{v.Path, v.Value, v.Layer, v.Place, v.Scope} {
			c.Out.BulkString(text)
		}
		c.Out.Int(int64(b2i(v.Live)))
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// larderOptions reads IF and COMMENT before or behind the words of a request and
// returns what is left of these; ok is false when the reply is an error.
func (c *Context) larderOptions(words [][]byte) (change SettingsChange, rest [][]byte, ok bool) {
	change.Author = c.author()
	for len(words) >= 2 {
		switch {
		case equalFold(words[0], "if"):
			n, isRevision := revisionOf(words[1])
			if !isRevision {
				c.Error("ERR IF takes a revision, a number from 1 on")
				return change, nil, false
			}
			change.Expected = n
		case equalFold(words[0], "comment"):
			change.Comment = string(words[1])
		default:
			return change, words, true
		}
		words = words[2:]
	}
	return change, words, true
}

func revisionOf(word []byte) (uint64, bool) {
	n, err := strconv.ParseUint(string(word), 10, 63)
	return n, err == nil && n > 0
}

// author is who a change is noted under.
func (c *Context) author() string { return c.User + "@" + c.Link.RemoteAddr() }

func larderConfigSet(c *Context) {
	change, words, ok := c.larderOptions(c.Args[3:])
	if !ok {
		return
	}
	if len(words) == 0 || len(words)%2 != 0 {
		c.Error(errSyntax)
		return
	}
	for i := 0; i < len(words); i += 2 {
		change.Set = append(change.Set, Parameter{string(words[i]), string(words[i+1])})
	}
	c.changeSettings(func(ctx context.Context) (SettingsResult, error) { return c.Exec.shared.Change(ctx, change) })
}

func larderConfigUnset(c *Context) {
	change, words, ok := c.larderOptions(c.Args[3:])
	if !ok {
		return
	}
	if len(words) == 0 {
		c.Error(errSyntax)
		return
	}
	for _, word := range words {
		change.Unset = append(change.Unset, string(word))
	}
	c.changeSettings(func(ctx context.Context) (SettingsResult, error) { return c.Exec.shared.Change(ctx, change) })
}

func larderConfigReplace(c *Context) {
	// 0 is what a cluster has before its first revision.
	revision, err := strconv.ParseUint(string(c.Args[3]), 10, 63)
	if err != nil {
		c.Error("ERR a revision is a number from 0 on")
		return
	}
	yaml := string(c.Args[4])
	change, rest, ok := c.larderOptions(c.Args[5:])
	if !ok {
		return
	}
	if len(rest) > 0 || change.Expected > 0 {
		c.Error(errSyntax)
		return
	}
	c.changeSettings(func(ctx context.Context) (SettingsResult, error) {
		return c.Exec.shared.Replace(ctx, revision, yaml, change.Author, change.Comment)
	})
}

func larderConfigRollback(c *Context) {
	revision, valid := revisionOf(c.Args[3])
	if !valid {
		c.Error("ERR a revision is a number from 1 on")
		return
	}
	change, rest, ok := c.larderOptions(c.Args[4:])
	if !ok {
		return
	}
	if len(rest) > 0 || change.Expected > 0 {
		c.Error(errSyntax)
		return
	}
	c.changeSettings(func(ctx context.Context) (SettingsResult, error) {
		return c.Exec.shared.Rollback(ctx, revision, change.Author, change.Comment)
	})
}

// changeSettings answers with what became of a change: its revision, what has
// changed, and notices.
func (c *Context) changeSettings(change func(context.Context) (SettingsResult, error)) {
	var result SettingsResult
	err := c.outside(settingsPatience, func(ctx context.Context) (err error) {
		result, err = change(ctx)
		return err
	})
	if err != nil {
		c.failSettings(err)
		return
	}
	c.Out.Array(3)
	c.Out.Int(int64(result.Revision))
	c.bulks(result.Changed)
	c.bulks(result.Notices)
}

func (c *Context) bulks(list []string) {
	c.Out.Array(len(list))
	for _, text := range list {
		c.Out.BulkString(text)
	}
}

func larderConfigShow(c *Context) {
	var revision uint64
	var yaml string
	err := c.outside(settingsPatience, func(ctx context.Context) (err error) {
		revision, yaml, err = c.Exec.shared.Document(ctx)
		return err
	})
	if err != nil {
		c.failSettings(err)
		return
	}
	c.Out.Array(2)
	c.Out.Int(int64(revision))
	c.Out.BulkString(yaml)
}

func larderConfigHistory(c *Context) {
	n := int64(20)
	if len(c.Args) > 3 {
		var ok bool
		if n, ok = c.Int(3); !ok {
			return
		}
		if n < 1 {
			c.Error("ERR a count is a number from 1 on")
			return
		}
	}
	var list []SettingsRevision
	err := c.outside(settingsPatience, func(ctx context.Context) (err error) {
		list, err = c.Exec.shared.History(ctx, int(min(n, math.MaxInt32)))
		return err
	})
	if err != nil {
		c.failSettings(err)
		return
	}
	c.Out.Array(len(list))
	for _, r := range list {
		c.Out.Array(5)
		c.Out.Int(int64(r.Revision))
		c.Out.Int(r.Time.UnixMilli())
		c.Out.BulkString(r.Author)
		c.Out.BulkString(r.Comment)
		c.bulks(r.Paths)
	}
}

func larderConfigDiff(c *Context) {
	var revisions [2]uint64
	for i, word := range c.Args[3:] {
		var ok bool
		if revisions[i], ok = revisionOf(word); !ok {
			c.Error("ERR a revision is a number from 1 on")
			return
		}
	}
	var text string
	err := c.outside(settingsPatience, func(ctx context.Context) (err error) {
		text, err = c.Exec.shared.Diff(ctx, revisions[0], revisions[1])
		return err
	})
	if err != nil {
		c.failSettings(err)
		return
	}
	c.Out.BulkString(text)
}

// failSettings answers with an error of the settings, under the code that it, or
// what it wraps, has.
func (c *Context) failSettings(err error) {
	code := "ERR"
	var coded interface {
		error
		Code() string
	}
	if errors.As(err, &coded) {
		code = coded.Code()
	}
	c.Error(code + " " + err.Error())
}

// outside runs what waits for other machines, outside of the batch, so that
// nobody waits for it but this client. Its context ends after d, and with the
// client.
//
// REQUIRES: c.MayBlock.
func (c *Context) outside(d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(lifetime{c.wait.done}, d)
	defer cancel()
	var err error
	ready := make(chan struct{})
	go func() { // ends soon after ctx has, and is waited for
		defer close(ready)
		err = f(ctx)
	}()
	if c.waitFor(c.Exec, ready, 0, false) != waitReady {
		cancel()
		<-ready
	}
	return err
}
