package command

// scriptingTable are the rows of the commands about scripts and functions, of
// which there are none.
var scriptingTable = []*Command{
	{
		Name: "function", Arity: -2,
		Group: "scripting", Since: "7.0.0", Cost: "Depends on subcommand.",
		Summary: "Subcommands about functions, of which there are none.",
		Sub: []*Command{
			{
				Name: "delete", Arity: 3, Flags: NoScript | Write, Category: CatScripting,
				Group: "scripting", Since: "7.0.0", Cost: "O(1)",
				Summary: "Not available.",
				Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
				Args: []Arg{
					{Name: "library-name", Type: "string"},
				},
				Run: runNoScripting,
			},
			{
				Name: "dump", Arity: 2, Flags: NoScript, Category: CatScripting,
				Group: "scripting", Since: "7.0.0", Cost: "O(N) where N is the number of functions",
				Summary: "Not available.",
				Run:     runNoScripting,
			},
			{
				Name: "flush", Arity: -2, Flags: NoScript | Write, Category: CatScripting,
				Group: "scripting", Since: "7.0.0", Cost: "O(N) where N is the number of functions deleted",
				Summary: "Deletes all libraries; there are none.",
				Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
				Args: []Arg{
					{Name: "flush-type", Type: "oneof", Optional: true, Args: []Arg{
						{Name: "async", Type: "pure-token", Token: "ASYNC"},
						{Name: "sync", Type: "pure-token", Token: "SYNC"},
					}},
				},
				Run: runFunctionFlush,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale, Category: CatScripting,
				Group: "scripting", Since: "7.0.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runFunctionHelp,
			},
			{
				Name: "kill", Arity: 2, Flags: NoScript | AllowBusy, Category: CatScripting,
				Group: "scripting", Since: "7.0.0", Cost: "O(1)",
				Summary: "Stops the function that runs; there is none.",
				Tips:    []string{"request_policy:all_shards", "response_policy:one_succeeded"},
				Run:     runScriptKill,
			},
			{
				Name: "list", Arity: -2, Flags: NoScript, Category: CatScripting,
				Group: "scripting", Since: "7.0.0", Cost: "O(N) where N is the number of functions",
				Summary: "Lists the libraries; there are none.",
				Tips:    []string{"nondeterministic_output_order"},
				Args: []Arg{
					{Name: "library-name-pattern", Type: "string", Token: "LIBRARYNAME", Optional: true},
					{Name: "withcode", Type: "pure-token", Token: "WITHCODE", Optional: true},
				},
				Run: runFunctionList,
			},
			{
				Name: "load", Arity: -3, Flags: NoScript | Write | DenyOOM, Category: CatScripting,
				Group: "scripting", Since: "7.0.0", Cost: "O(1) (considering compilation time is redundant)",
				Summary: "Not available.",
				Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
				Args: []Arg{
					{Name: "replace", Type: "pure-token", Token: "REPLACE", Optional: true},
					{Name: "function-code", Type: "string"},
				},
				Run: runNoScripting,
			},
			{
				Name: "restore", Arity: -3, Flags: NoScript | Write | DenyOOM, Category: CatScripting,
				Group: "scripting", Since: "7.0.0", Cost: "O(N) where N is the number of functions on the payload",
				Summary: "Not available.",
				Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
				Args: []Arg{
					{Name: "serialized-value", Type: "string"},
					{Name: "policy", Type: "oneof", Optional: true, Args: []Arg{
						{Name: "flush", Type: "pure-token", Token: "FLUSH"},
						{Name: "append", Type: "pure-token", Token: "APPEND"},
						{Name: "replace", Type: "pure-token", Token: "REPLACE"},
					}},
				},
				Run: runNoScripting,
			},
			{
				Name: "stats", Arity: 2, Flags: NoScript | AllowBusy, Category: CatScripting,
				Group: "scripting", Since: "7.0.0", Cost: "O(1)",
				Summary: "Describes the function that runs; there is none.",
				Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
				Run:     runFunctionStats,
			},
		},
	},
	{
		Name: "script", Arity: -2,
		Group: "scripting", Since: "2.6.0", Cost: "Depends on subcommand.",
		Summary: "Subcommands about scripts, of which there are none.",
		Sub: []*Command{
			{
				Name: "debug", Arity: 3, Flags: NoScript, Category: CatScripting,
				Group: "scripting", Since: "3.2.0", Cost: "O(1)",
				Summary: "Not available.",
				Args: []Arg{
					{Name: "mode", Type: "oneof", Args: []Arg{
						{Name: "yes", Type: "pure-token", Token: "YES"},
						{Name: "sync", Type: "pure-token", Token: "SYNC"},
						{Name: "no", Type: "pure-token", Token: "NO"},
					}},
				},
				Run: runNoScripting,
			},
			{
				Name: "exists", Arity: -3, Flags: NoScript, Category: CatScripting,
				Group: "scripting", Since: "2.6.0", Cost: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
				Summary: "Tells which scripts are known; none is.",
				Tips:    []string{"request_policy:all_shards", "response_policy:agg_logical_and"},
				Args: []Arg{
					{Name: "sha1", Type: "string", Multiple: true},
				},
				Run: runScriptExists,
			},
			{
				Name: "flush", Arity: -2, Flags: NoScript, Category: CatScripting,
				Group: "scripting", Since: "2.6.0", Cost: "O(N) with N being the number of scripts in cache",
				Summary: "Forgets all scripts; there are none.",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Args: []Arg{
					{Name: "flush-type", Type: "oneof", Since: "6.2.0", Optional: true, Args: []Arg{
						{Name: "async", Type: "pure-token", Token: "ASYNC"},
						{Name: "sync", Type: "pure-token", Token: "SYNC"},
					}},
				},
				Run: runScriptFlush,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale, Category: CatScripting,
				Group: "scripting", Since: "5.0.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runScriptHelp,
			},
			{
				Name: "kill", Arity: 2, Flags: NoScript | AllowBusy, Category: CatScripting,
				Group: "scripting", Since: "2.6.0", Cost: "O(1)",
				Summary: "Stops the script that runs; there is none.",
				Tips:    []string{"request_policy:all_shards", "response_policy:one_succeeded"},
				Run:     runScriptKill,
			},
			{
				Name: "load", Arity: 3, Flags: NoScript | Stale, Category: CatScripting,
				Group: "scripting", Since: "2.6.0", Cost: "O(N) with N being the length in bytes of the script body.",
				Summary: "Not available.",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Args: []Arg{
					{Name: "script", Type: "string"},
				},
				Run: runNoScripting,
			},
		},
	},
}
