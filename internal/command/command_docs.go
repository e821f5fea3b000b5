package command

func runCommandDocs(c *Context) {
	var cmds []*Command
	if len(c.Args) == 2 {
		cmds = c.Exec.table.Commands()
	}
	for _, word := range c.Args[2:] {
		if cmd := c.Exec.table.named(word); cmd != nil {
			cmds = append(cmds, cmd)
		}
	}
	c.Out.Map(len(cmds))
	for _, cmd := range cmds {
		c.Out.BulkString(cmd.full)
		c.writeDocs(cmd)
	}
}

// docField is one pair of a map of COMMAND DOCS.
type docField struct{ name, value string }

// present leaves out the fields without a value.
func present(fields ...docField) (kept []docField) {
	for _, f := range fields {
		if f.value != "" {
			kept = append(kept, f)
		}
	}
	return kept
}

func (c *Context) writeFields(fields []docField) {
	for _, f := range fields {
		c.Out.BulkString(f.name)
		c.Out.BulkString(f.value)
	}
}

func (c *Context) writeDocs(cmd *Command) {
	fields := present(docField{"summary", cmd.Summary}, docField{"since", cmd.Since},
		docField{"group", cmd.Group}, docField{"complexity", cmd.Cost})
	deprecated := present(docField{"deprecated_since", cmd.DeprecatedSince}, docField{"replaced_by", cmd.ReplacedBy})
	var flags []string
	if len(deprecated) > 0 {
		flags = append(flags, "deprecated")
	}
	if cmd.protected {
		flags = append(flags, "syscmd")
	}
	n := len(fields) + len(deprecated)
	for _, more := range []bool{len(flags) > 0, len(cmd.Args) > 0, len(cmd.Sub) > 0} {
		if more {
			n++
		}
	}
	c.Out.Map(n)
	c.writeFields(fields)
	if len(flags) > 0 {
		c.Out.BulkString("doc_flags")
		c.statusSet(flags)
	}
	c.writeFields(deprecated)
	if len(cmd.Args) > 0 {
		c.Out.BulkString("arguments")
		c.writeArgs(cmd.Args)
	}
	if len(cmd.Sub) > 0 {
		c.Out.BulkString("subcommands")
		c.Out.Map(len(cmd.Sub))
		for _, sub := range cmd.Sub {
			c.Out.BulkString(sub.full)
			c.writeDocs(sub)
		}
	}
}

func (c *Context) writeArgs(args []Arg) {
	c.Out.Array(len(args))
	for i := range args {
		c.writeArg(&args[i])
	}
}

func (c *Context) writeArg(a *Arg) {
	composed := a.Type == "oneof" || a.Type == "block"
	display := ""
	if !composed {
		if display = a.Display; display == "" {
			display = a.Name
		}
	}
	before := present(docField{"name", a.Name}, docField{"type", a.Type}, docField{"display_text", display})
	after := present(docField{"token", a.Token}, docField{"since", a.Since}, docField{"deprecated_since", a.Deprecated})
	var flags []string
	for _, f := range []struct {
		on   bool
		name string
	}{{a.Optional, "optional"}, {a.Multiple, "multiple"}, {a.MultipleToken, "multiple_token"}} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	n := len(before) + len(after)
	for _, more := range []bool{a.KeySpec > 0, len(flags) > 0, composed} {
		if more {
			n++
		}
	}
	c.Out.Map(n)
	c.writeFields(before)
	if a.KeySpec > 0 {
		c.Out.BulkString("key_spec_index")
		c.Out.Int(int64(a.KeySpec - 1))
	}
	c.writeFields(after)
	if len(flags) > 0 {
		c.Out.BulkString("flags")
		c.statusSet(flags)
	}
	if composed {
		c.Out.BulkString("arguments")
		c.writeArgs(a.Args)
	}
}
