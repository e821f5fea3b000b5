package command

// There are no scripts and no functions here. What is said about them is what a
// server says that has none; to add some is refused. EVAL, EVALSHA and FCALL are
// unknown commands, not ones that refuse, so that a client which asks COMMAND
// whether it can use scripts gets the right answer.
const (
	errNoScripting = "ERR scripting is not available on this server"
	errNotBusy     = "NOTBUSY No scripts in execution right now."
)

func runNoScripting(c *Context) { c.Error(errNoScripting) }

func runScriptKill(c *Context) { c.Error(errNotBusy) }

func runFunctionFlush(c *Context) {
	c.flushNothing("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
}

func runScriptFlush(c *Context) {
	c.flushNothing("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
}

func (c *Context) flushNothing(wrongOption string) {
	switch {
	case len(c.Args) == 2, len(c.Args) == 3 && (equalFold(c.Args[2], "sync") || equalFold(c.Args[2], "async")):
		c.Out.OK()
	case len(c.Args) > 3 && c.Cmd.parent.Name == "function":
		c.subcommandSyntax()
	default:
		c.Error(wrongOption)
	}
}

func runFunctionList(c *Context) {
	pattern, withCode := false, false
	for i := 2; i < len(c.Args); i++ {
		switch {
		case !withCode && equalFold(c.Args[i], "withcode"):
			withCode = true
		case !pattern && equalFold(c.Args[i], "libraryname"):
			if i++; i == len(c.Args) {
				c.Error("ERR library name argument was not given")
				return
			}
			pattern = true
		default:
			c.Error("ERR Unknown argument " + string(clip(c.Args[i], shownWords)))
			return
		}
	}
	c.Out.Array(0)
}

// runFunctionStats answers that nothing runs, and that there is no engine which
// could.
func runFunctionStats(c *Context) {
	c.Out.Map(2)
	c.Out.BulkString("running_script")
	c.Out.Null()
	c.Out.BulkString("engines")
	c.Out.Map(0)
}

func runScriptExists(c *Context) {
	c.Out.Array(len(c.Args) - 2)
	for range c.Args[2:] {
		c.Out.Int(0)
	}
}

func runFunctionHelp(c *Context) {
	c.help("FUNCTION",
		"FLUSH [ASYNC|SYNC]",
		"    Answer OK; there are no functions.",
		"KILL",
		"    Stop the function that runs; there is none.",
		"LIST [LIBRARYNAME <pattern>] [WITHCODE]",
		"    List the libraries; there are none.",
		"STATS",
		"    Describe the function that runs and the engines; there are none.")
}

func runScriptHelp(c *Context) {
	c.help("SCRIPT",
		"EXISTS <sha1> [<sha1> ...]",
		"    Tell which scripts are known; none is.",
		"FLUSH [ASYNC|SYNC]",
		"    Answer OK; there are no scripts.",
		"KILL",
		"    Stop the script that runs; there is none.")
}
