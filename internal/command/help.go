package command

import "strings"

// help answers a HELP subcommand: what the subcommands of a command are, two
// kinds of lines, syntax and indented explanation. HELP itself is added.
func (c *Context) help(command string, lines ...string) {
	c.Out.Array(len(lines) + 3)
	c.Out.Simple(command + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, line := range lines {
		c.Out.Simple(line)
	}
	c.Out.Simple("HELP")
	c.Out.Simple("    Print this help.")
}

// subcommandSyntax answers that a subcommand exists but not with these words.
func (c *Context) subcommandSyntax() {
	name := c.Cmd.Name
	if c.Cmd.parent != nil {
		name = c.Cmd.parent.Name
	}
	word := ""
	if len(c.Args) > 1 {
		word = string(clip(c.Args[1], shownWords))
	}
	c.Error("ERR unknown subcommand or wrong number of arguments for '" + word + "'. Try " + strings.ToUpper(name) + " HELP.")
}
