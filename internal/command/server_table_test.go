package command

import (
	"reflect"
	"strings"
	"testing"
)

// serverCommandNames returns the names of all commands about connections, the server and messages,
// the
// full ones.
func serverCommandNames(table *Table) (names []string) {
	data := map[string]bool{}
	for _, name := range dataCommands() {
		data[name] = true
	}
	for _, c := range table.All() {
		if name, _, _ := strings.Cut(c.full, "|"); !data[name] {
			names = append(names, c.full)
		}
	}
	return names
}

// changedIn72 are the columns of COMMAND INFO and the documentation that Redis
// 7.2, whose rows these are, has changed since 7.0.
var changedIn72 = map[string]string{
	"hello": "docs", "quit": "docs", "client|kill": "docs", "client|list": "docs", "client|pause": "docs",
	"client|reply": "docs", "client|setname": "tips", "client|tracking": "docs", "client|unblock": "docs",
	"shutdown": "docs", "wait": "flags", "command|getkeys": "arity docs", "command|getkeysandflags": "arity docs",
	"latency|histogram": "docs", "latency|reset": "tips", "config|get": "docs", "config|resetstat": "tips",
	"config|rewrite": "tips", "config|set": "docs", "acl|cat": "docs", "psubscribe": "docs",
	"function|flush": "docs", "script|flush": "docs",
	"cluster|shards": "flags", "cluster|slots": "flags",
}

// The rows of the table say what Redis says of its commands.
func TestServerTableOfRedis(t *testing.T) {
	p := startPeer(t)
	r := newTester(t)
	p.do("HELLO", "3")
	r.do("HELLO", "3")
	columns := []string{"name", "arity", "flags", "first key", "last key", "step", "categories", "tips", "keys"}
	for _, name := range serverCommandNames(r.x.Table()) {
		cmd := r.x.Table().FindFull(name)
		theirs, _ := decode(t, p.do("COMMAND", "INFO", name))
		ours, _ := decode(t, r.do("COMMAND", "INFO", name))
		their := theirs.([]any)[0]
		if their == nil {
			if cmd.Group != "larder" && !notInRedis7(cmd.Since) {
				t.Errorf("%s is since %s but redis does not know it", name, cmd.Since)
			}
			continue
		}
		our := plain(ours.([]any)[0]).([]any)
		their = plain(their)
		for i, column := range columns {
			if !strings.Contains(changedIn72[name], column) && !reflect.DeepEqual(our[i], their.([]any)[i]) {
				t.Errorf("%s, %s: %v, redis says %v", name, column, our[i], their.([]any)[i])
			}
		}
		docs, _ := decode(t, r.do("COMMAND", "DOCS", name))
		theirDocs, _ := decode(t, p.do("COMMAND", "DOCS", name))
		ourDoc, theirDoc := plain(docs).(map[string]any)[name], plain(theirDocs).(map[string]any)[name]
		for _, doc := range []any{ourDoc, theirDoc} {
			delete(doc.(map[string]any), "subcommands")
		}
		if !strings.Contains(changedIn72[name], "docs") && !reflect.DeepEqual(ourDoc, theirDoc) {
			t.Errorf("documentation of %s\n   ours %v\n theirs %v", name, ourDoc, theirDoc)
		}
	}
}
