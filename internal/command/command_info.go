package command

var flagNames = []struct {
	flag Flags
	name string
}{
	{Write, "write"}, {ReadOnly, "readonly"}, {DenyOOM, "denyoom"}, {Admin, "admin"}, {PubSub, "pubsub"},
	{NoScript, "noscript"}, {Blocking, "blocking"}, {Loading, "loading"}, {Stale, "stale"},
	{SkipMonitor, "skip_monitor"}, {SkipSlowLog, "skip_slowlog"}, {Fast, "fast"}, {NoAuth, "no_auth"},
	{NoMandatoryKeys, "no_mandatory_keys"}, {NoAsyncLoading, "no_async_loading"}, {NoMulti, "no_multi"},
	{MovableKeys, "movablekeys"}, {AllowBusy, "allow_busy"},
}

var keyFlagNames = []struct {
	flag KeyFlags
	name string
}{
	{KeyRO, "RO"}, {KeyRW, "RW"}, {KeyOW, "OW"}, {KeyRM, "RM"}, {KeyAccess, "access"}, {KeyUpdate, "update"},
	{KeyInsert, "insert"}, {KeyDelete, "delete"}, {KeyNotKey, "not_key"}, {KeyIncomplete, "incomplete"},
	{KeyVariable, "variable_flags"},
}

// statusSet writes words as a set of statuses.
func (c *Context) statusSet(words []string) {
	c.Out.Set(len(words))
	for _, w := range words {
		c.Out.Simple(w)
	}
}

func (c *Command) flagWords() (words []string) {
	for _, f := range flagNames {
		if c.Flags&f.flag != 0 {
			words = append(words, f.name)
		}
	}
	return words
}

func (c *Command) categoryWords() (words []string) {
	cat := c.categories()
	for i, name := range categoryNames {
		if cat&(1<<i) != 0 {
			words = append(words, "@"+name)
		}
	}
	return words
}

func keyFlagWords(flags KeyFlags) (words []string) {
	for _, f := range keyFlagNames {
		if flags&f.flag != 0 {
			words = append(words, f.name)
		}
	}
	return words
}

// legacyKeys returns first key, last key and step as clients knew them before
// there were key specifications; zeros when they do not say it.
func (c *Command) legacyKeys() (first, last, step int) {
	plain := func(k *KeySpec) bool { return !k.Unknown && k.Keyword == "" && k.NumAt == 0 }
	if len(c.Keys) == 1 && plain(&c.Keys[0]) {
		k := &c.Keys[0]
		last = k.Last
		if last >= 0 {
			last += k.First
		}
		return k.First, last, max(1, k.Step)
	}
	for i := range c.Keys {
		k := &c.Keys[i]
		if !plain(k) || k.Step > 1 || last < 0 || first != 0 && k.First != last+1 {
			continue
		}
		if first == 0 {
			first = k.First
		}
		if last = k.Last; last >= 0 {
			last += k.First
		}
		step = 1
	}
	return first, last, step
}

// writeInfo answers with the ten elements of COMMAND INFO; null for no command.
func (c *Context) writeInfo(cmd *Command) {
	if cmd == nil {
		c.Out.Null()
		return
	}
	first, last, step := cmd.legacyKeys()
	c.Out.Array(10)
	c.Out.BulkString(cmd.full)
	c.Out.Int(int64(cmd.Arity))
	c.statusSet(cmd.flagWords())
	c.Out.Int(int64(first))
	c.Out.Int(int64(last))
	c.Out.Int(int64(step))
	c.statusSet(cmd.categoryWords())
	c.Out.Set(len(cmd.Tips))
	for _, tip := range cmd.Tips {
		c.Out.BulkString(tip)
	}
	c.Out.Set(len(cmd.Keys))
	for i := range cmd.Keys {
		c.writeKeySpec(&cmd.Keys[i])
	}
	c.Out.Array(len(cmd.Sub))
	for _, sub := range cmd.Sub {
		c.writeInfo(sub)
	}
}

func (c *Context) writeKeySpec(k *KeySpec) {
	field := func(name, value string) {
		c.Out.BulkString(name)
		c.Out.BulkString(value)
	}
	number := func(name string, v int) {
		c.Out.BulkString(name)
		c.Out.Int(int64(v))
	}
	spec := func(kind string, fields int) {
		c.Out.Map(2)
		field("type", kind)
		c.Out.BulkString("spec")
		c.Out.Map(fields)
	}
	if k.Notes != "" {
		c.Out.Map(4)
		field("notes", k.Notes)
	} else {
		c.Out.Map(3)
	}
	c.Out.BulkString("flags")
	c.statusSet(keyFlagWords(k.Flags))
	c.Out.BulkString("begin_search")
	switch {
	case k.Unknown:
		spec("unknown", 0)
	case k.Keyword != "":
		spec("keyword", 2)
		field("keyword", k.Keyword)
		number("startfrom", k.StartFrom)
	case k.NumAt > 0:
		spec("index", 1)
		number("index", k.NumAt)
	default:
		spec("index", 1)
		number("index", k.First)
	}
	c.Out.BulkString("find_keys")
	switch {
	case k.Unknown:
		spec("unknown", 0)
	case k.NumAt > 0:
		spec("keynum", 3)
		number("keynumidx", 0)
		number("firstkey", k.First-k.NumAt)
		number("keystep", max(1, k.Step))
	default:
		spec("range", 3)
		number("lastkey", k.Last)
		number("keystep", max(1, k.Step))
		number("limit", 0)
	}
}

// named finds a command or subcommand by a word such as "GET" or "config|get".
func (t *Table) named(word []byte) *Command { return t.FindFull(string(lowered(word))) }

func runCommand(c *Context) {
	cmds := c.Exec.table.Commands()
	c.Out.Array(len(cmds))
	for _, cmd := range cmds {
		c.writeInfo(cmd)
	}
}

func runCommandInfo(c *Context) {
	if len(c.Args) == 2 {
		runCommand(c)
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, word := range c.Args[2:] {
		c.writeInfo(c.Exec.table.named(word))
	}
}

func runCommandCount(c *Context) { c.Out.Int(int64(len(c.Exec.table.Commands()))) }

// runCommandList lists full names: all, or those of a category or matching a
// pattern. There are no modules, so that filter finds nothing.
func runCommandList(c *Context) {
	keep := func(*Command) bool { return true }
	switch {
	case len(c.Args) == 2:
	case len(c.Args) == 5 && equalFold(c.Args[2], "filterby") && equalFold(c.Args[3], "module"):
		keep = func(*Command) bool { return false }
	case len(c.Args) == 5 && equalFold(c.Args[2], "filterby") && equalFold(c.Args[3], "aclcat"):
		cat, _ := categoryByName(c.Args[4])
		keep = func(cmd *Command) bool { return cmd.categories()&cat != 0 }
	case len(c.Args) == 5 && equalFold(c.Args[2], "filterby") && equalFold(c.Args[3], "pattern"):
		pattern := c.Args[4]
		keep = func(cmd *Command) bool { return globMatch(pattern, []byte(cmd.full), true) }
	default:
		c.Error(errSyntax)
		return
	}
	var names []string
	for _, cmd := range c.Exec.table.All() {
		if keep(cmd) {
			names = append(names, cmd.full)
		}
	}
	c.Out.Array(len(names))
	for _, name := range names {
		c.Out.BulkString(name)
	}
}

func runCommandGetkeys(c *Context)         { c.requestKeys(false) }
func runCommandGetkeysandflags(c *Context) { c.requestKeys(true) }

// requestKeys answers with the keys of the request that is the argument.
func (c *Context) requestKeys(flags bool) {
	args := c.Args[2:]
	cmd, _ := resolve(c.Exec.table.Find(args[0]), args)
	switch {
	case cmd == nil:
		c.Error("ERR Invalid command specified")
		return
	case len(cmd.Keys) == 0:
		c.Error("ERR The command has no key arguments")
		return
	case !cmd.takes(len(args)):
		c.Error("ERR Invalid number of arguments specified for command")
		return
	}
	uses := cmd.keyUses(args)
	if len(uses) == 0 && cmd.Flags&NoMandatoryKeys == 0 {
		c.Error("ERR Invalid arguments specified for command")
		return
	}
	c.Out.Array(len(uses))
	for _, use := range uses {
		if !flags {
			c.Out.Bulk(args[use.At])
			continue
		}
		c.Out.Array(2)
		c.Out.Bulk(args[use.At])
		c.statusSet(keyFlagWords(use.Flags))
	}
}

func runCommandHelp(c *Context) {
	c.help("COMMAND",
		"(no subcommand)",
		"    Describe all commands.",
		"COUNT",
		"    Return the number of commands.",
		"DOCS [<command-name> ...]",
		"    Return the documentation of these commands, or of all.",
		"GETKEYS <full-command>",
		"    Find the keys in a request.",
		"GETKEYSANDFLAGS <full-command>",
		"    Find the keys in a request and tell what happens to each.",
		"INFO [<command-name> ...]",
		"    Describe these commands, or all.",
		"LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
		"    List the names of commands.")
}
