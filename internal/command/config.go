package command

import "context"

func runConfigGet(c *Context) {
	patterns := make([]string, 0, len(c.Args)-2)
	for _, word := range c.Args[2:] {
		patterns = append(patterns, string(word))
	}
	found := c.Exec.settings.Get(patterns)
	c.Out.Map(len(found))
	for _, p := range found {
		c.Out.BulkString(p.Name)
		c.Out.BulkString(p.Value)
	}
}

func runConfigSet(c *Context) {
	if len(c.Args)%2 != 0 {
		c.Error(errSyntax)
		return
	}
	changes := make([]Parameter, 0, len(c.Args)/2)
	for i := 2; i < len(c.Args); i += 2 {
		changes = append(changes, Parameter{string(c.Args[i]), string(c.Args[i+1])})
	}
	if err := c.setParameters(changes); err != nil {
		c.failSettings(err)
		return
	}
	c.Out.OK()
}

// setParameters changes settings where they are kept: here, or in the cluster.
func (c *Context) setParameters(changes []Parameter) error {
	authored, elsewhere := c.Exec.settings.(AuthoredSettings)
	switch {
	case !elsewhere:
		return c.Exec.settings.Set(changes)
	case c.tx.running:
		return refusal("CONFIG SET is for all nodes of the cluster and can not be part of a transaction")
	}
	return c.outside(settingsPatience, func(ctx context.Context) error {
		return authored.SetAs(ctx, c.author(), changes)
	})
}

// waitingSettings tells that CONFIG SET has to wait for other machines.
func waitingSettings(x *Executor, _ *Session, _ [][]byte) bool {
	_, elsewhere := x.settings.(AuthoredSettings)
	return elsewhere
}

func runConfigRewrite(c *Context) {
	if err := c.Exec.settings.Rewrite(); err != nil {
		c.Error("ERR " + err.Error())
		return
	}
	c.Out.OK()
}

func runConfigResetstat(c *Context) {
	c.Exec.ResetCounters()
	c.Out.OK()
}

func runConfigHelp(c *Context) {
	c.help("CONFIG",
		"GET <pattern> [<pattern> ...]",
		"    Return the settings whose names match one of the patterns.",
		"SET <parameter> <value> [<parameter> <value> ...]",
		"    Change settings, all of these or none.",
		"RESETSTAT",
		"    Set the counters of INFO to zero.",
		"REWRITE",
		"    Write the settings in force to the configuration file.")
}
