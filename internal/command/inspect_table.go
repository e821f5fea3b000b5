package command

// inspectTable are the rows of the commands that look into the server.
var inspectTable = []*Command{
	{
		Name: "command", Arity: -1, Flags: Loading | Stale, Category: CatConnection,
		Group: "server", Since: "2.8.13", Cost: "O(N) with N the total number of Redis commands",
		Summary: "Describes the commands.",
		Tips:    []string{"nondeterministic_output_order"},
		Sub: []*Command{
			{
				Name: "count", Arity: 2, Flags: Loading | Stale, Category: CatConnection,
				Group: "server", Since: "2.8.13", Cost: "O(1)",
				Summary: "Returns the number of commands.",
				Run:     runCommandCount,
			},
			{
				Name: "docs", Arity: -2, Flags: Loading | Stale, Category: CatConnection,
				Group: "server", Since: "7.0.0", Cost: "O(N) with N the number of commands to look up",
				Summary: "Returns the documentation of commands.",
				Tips:    []string{"nondeterministic_output_order"},
				Args: []Arg{
					{Name: "command-name", Type: "string", Optional: true, Multiple: true},
				},
				Run: runCommandDocs,
			},
			{
				Name: "getkeys", Arity: -3, Flags: Loading | Stale, Category: CatConnection,
				Group: "server", Since: "2.8.13", Cost: "O(N) with N the number of arguments to the command",
				Summary: "Finds the keys in a request.",
				Args: []Arg{
					{Name: "command", Type: "string"},
					{Name: "arg", Type: "string", Optional: true, Multiple: true},
				},
				Run: runCommandGetkeys,
			},
			{
				Name: "getkeysandflags", Arity: -3, Flags: Loading | Stale, Category: CatConnection,
				Group: "server", Since: "7.0.0", Cost: "O(N) with N the number of arguments to the command",
				Summary: "Finds the keys in a request and tells what happens to each.",
				Args: []Arg{
					{Name: "command", Type: "string"},
					{Name: "arg", Type: "string", Optional: true, Multiple: true},
				},
				Run: runCommandGetkeysandflags,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale, Category: CatConnection,
				Group: "server", Since: "5.0.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runCommandHelp,
			},
			{
				Name: "info", Arity: -2, Flags: Loading | Stale, Category: CatConnection,
				Group: "server", Since: "2.8.13", Cost: "O(N) with N the number of commands to look up",
				Summary: "Describes some commands, or all.",
				Tips:    []string{"nondeterministic_output_order"},
				Args: []Arg{
					{Name: "command-name", Type: "string", Optional: true, Multiple: true},
				},
				Run: runCommandInfo,
			},
			{
				Name: "list", Arity: -2, Flags: Loading | Stale, Category: CatConnection,
				Group: "server", Since: "7.0.0", Cost: "O(N) with N the total number of Redis commands",
				Summary: "Lists the names of commands.",
				Tips:    []string{"nondeterministic_output_order"},
				Args: []Arg{
					{Name: "filterby", Type: "oneof", Token: "FILTERBY", Optional: true, Args: []Arg{
						{Name: "module-name", Type: "string", Token: "MODULE"},
						{Name: "category", Type: "string", Token: "ACLCAT"},
						{Name: "pattern", Type: "pattern", Token: "PATTERN"},
					}},
				},
				Run: runCommandList,
			},
		},
		Run: runCommand,
	},
	{
		Name: "latency", Arity: -2,
		Group: "server", Since: "2.8.13", Cost: "Depends on subcommand",
		Summary: "Subcommands about what took long.",
		Sub: []*Command{
			{
				Name: "doctor", Arity: 2, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "2.8.13", Cost: "O(1)",
				Summary: "Explains in words what was slow.",
				Tips:    []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
				Run:     runLatencyDoctor,
			},
			{
				Name: "graph", Arity: 3, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "2.8.13", Cost: "O(1)",
				Summary: "Draws the spikes of an event.",
				Tips:    []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
				Args: []Arg{
					{Name: "event", Type: "string"},
				},
				Run: runLatencyGraph,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale,
				Group: "server", Since: "2.8.13", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runLatencyHelp,
			},
			{
				Name: "histogram", Arity: -2, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "7.0.0", Cost: "O(N) with N the number of commands with latency information being retrieved",
				Summary: "Counts how many calls of commands took how long.",
				Tips:    []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
				Args: []Arg{
					{Name: "COMMAND", Type: "string", Optional: true, Multiple: true},
				},
				Run: runLatencyHistogram,
			},
			{
				Name: "history", Arity: 3, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "2.8.13", Cost: "O(1)",
				Summary: "Lists the spikes of an event.",
				Tips:    []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
				Args: []Arg{
					{Name: "event", Type: "string"},
				},
				Run: runLatencyHistory,
			},
			{
				Name: "latest", Arity: 2, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "2.8.13", Cost: "O(1)",
				Summary: "Lists the last spike of every event.",
				Tips:    []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
				Run:     runLatencyLatest,
			},
			{
				Name: "reset", Arity: -2, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "2.8.13", Cost: "O(1)",
				Summary: "Forgets the spikes of some events, or of all.",
				Tips:    []string{"request_policy:all_nodes", "response_policy:agg_sum"},
				Args: []Arg{
					{Name: "event", Type: "string", Optional: true, Multiple: true},
				},
				Run: runLatencyReset,
			},
		},
	},
	{
		Name: "memory", Arity: -2,
		Group: "server", Since: "4.0.0", Cost: "Depends on subcommand",
		Summary: "Subcommands about the use of memory.",
		Sub: []*Command{
			{
				Name: "doctor", Arity: 2,
				Group: "server", Since: "4.0.0", Cost: "O(1)",
				Summary: "Explains in words what is unusual about memory.",
				Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
				Run:     runMemoryDoctor,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale,
				Group: "server", Since: "4.0.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runMemoryHelp,
			},
			{
				Name: "malloc-stats", Arity: 2,
				Group: "server", Since: "4.0.0", Cost: "Depends on how much memory is allocated, could be slow",
				Summary: "Returns the allocator's own statistics.",
				Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
				Run:     runMemoryMallocStats,
			},
			{
				Name: "purge", Arity: 2, Flags: Slow,
				Group: "server", Since: "4.0.0", Cost: "Depends on how much memory is allocated, could be slow",
				Summary: "Gives memory that is free back to the system.",
				Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
				Run:     runMemoryPurge,
			},
			{
				Name: "stats", Arity: 2,
				Group: "server", Since: "4.0.0", Cost: "O(1)",
				Summary: "Tells what memory is used for.",
				Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
				Run:     runMemoryStats,
			},
			{
				Name: "usage", Arity: -3, Flags: ReadOnly,
				Group: "server", Since: "4.0.0", Cost: "O(N) with N the number of samples",
				Summary: "Returns the bytes a key takes.",
				Keys: []KeySpec{
					{First: 2, Step: 1, Flags: KeyRO},
				},
				Args: []Arg{
					{Name: "key", Type: "key", KeySpec: 1},
					{Name: "count", Type: "integer", Token: "SAMPLES", Optional: true},
				},
				Run: runMemoryUsage,
			},
		},
	},
	{
		Name: "module", Arity: -2,
		Group: "server", Since: "4.0.0", Cost: "Depends on subcommand",
		Summary: "Subcommands about modules, of which there are none.",
		Sub: []*Command{
			{
				Name: "help", Arity: 2, Flags: Loading | Stale,
				Group: "server", Since: "5.0.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runModuleHelp,
			},
			{
				Name: "list", Arity: 2, Flags: Admin | NoScript,
				Group: "server", Since: "4.0.0", Cost: "O(N) with N the number of loaded modules",
				Summary: "Lists the modules loaded: none.",
				Tips:    []string{"nondeterministic_output_order"},
				Run:     runModuleList,
			},
		},
	},
	{
		Name: "slowlog", Arity: -2,
		Group: "server", Since: "2.2.12", Cost: "Depends on subcommand",
		Summary: "Subcommands about commands that took long.",
		Sub: []*Command{
			{
				Name: "get", Arity: -2, Flags: Admin | Loading | Stale,
				Group: "server", Since: "2.2.12", Cost: "O(N) with N the number of entries returned",
				Summary: "Returns the newest entries of the slow log.",
				Tips:    []string{"request_policy:all_nodes", "nondeterministic_output"},
				Args: []Arg{
					{Name: "count", Type: "integer", Optional: true},
				},
				Run: runSlowlogGet,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale,
				Group: "server", Since: "6.2.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runSlowlogHelp,
			},
			{
				Name: "len", Arity: 2, Flags: Admin | Loading | Stale,
				Group: "server", Since: "2.2.12", Cost: "O(1)",
				Summary: "Returns the number of entries in the slow log.",
				Tips:    []string{"request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"},
				Run:     runSlowlogLen,
			},
			{
				Name: "reset", Arity: 2, Flags: Admin | Loading | Stale,
				Group: "server", Since: "2.2.12", Cost: "O(N) with N the number of entries in the slowlog",
				Summary: "Empties the slow log.",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Run:     runSlowlogReset,
			},
		},
	},
}
