package command

// serverTable are the rows of the commands about the server.
var serverTable = []*Command{
	{
		Name: "bgrewriteaof", Arity: 1, Flags: Admin | NoScript | NoAsyncLoading,
		Group: "server", Since: "1.0.0", Cost: "O(1)",
		Summary: "Rewrites the append-only file in the background; refused, there is none.",
		Run:     runBgrewriteaof,
	},
	{
		Name: "bgsave", Arity: -1, Flags: Admin | NoScript | NoAsyncLoading,
		Group: "server", Since: "1.0.0", Cost: "O(1)",
		Summary: "Saves the data in the background; refused, no persistence is configured.",
		Args: []Arg{
			{Name: "schedule", Type: "pure-token", Token: "SCHEDULE", Since: "3.2.2", Optional: true},
		},
		Run: runBgsave,
	},
	{
		Name: "debug", Arity: -2, Flags: Admin | NoScript | Loading | Stale | Slow,
		Group: "server", Since: "1.0.0", Cost: "Depends on subcommand",
		Summary: "Subcommands for tests.",
		Run:     runDebug,
	},
	{
		Name: "failover", Arity: -1, Flags: Admin | NoScript | Stale,
		Group: "server", Since: "6.2.0", Cost: "O(1)",
		Summary: "Hands over to a replica; refused, there is none.",
		Args: []Arg{
			{Name: "target", Type: "block", Token: "TO", Optional: true, Args: []Arg{
				{Name: "host", Type: "string"},
				{Name: "port", Type: "integer"},
				{Name: "force", Type: "pure-token", Token: "FORCE", Optional: true},
			}},
			{Name: "abort", Type: "pure-token", Token: "ABORT", Optional: true},
			{Name: "milliseconds", Type: "integer", Token: "TIMEOUT", Optional: true},
		},
		Run: runFailover,
	},
	{
		Name: "info", Arity: -1, Flags: Loading | Stale, Category: CatDangerous,
		Group: "server", Since: "1.0.0", Cost: "O(1)",
		Summary: "Describes the server and counts what it has done.",
		Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
		Args: []Arg{
			{Name: "section", Type: "string", Optional: true, Multiple: true},
		},
		Run: runInfo,
	},
	{
		Name: "lastsave", Arity: 1, Flags: Loading | Stale | Fast, Category: CatAdmin | CatDangerous,
		Group: "server", Since: "1.0.0", Cost: "O(1)",
		Summary: "Returns the time of the last save.",
		Tips:    []string{"nondeterministic_output"},
		Run:     runLastsave,
	},
	{
		Name: "lolwut", Arity: -1, Flags: ReadOnly | Fast,
		Group: "server", Since: "5.0.0",
		Summary: "Draws something, and tells the version.",
		Args: []Arg{
			{Name: "version", Type: "integer", Token: "VERSION", Optional: true},
		},
		Run: runLolwut,
	},
	{
		Name: "monitor", Arity: 1, Flags: Admin | NoScript | Loading | Stale,
		Group: "server", Since: "1.0.0",
		Summary: "Shows all requests as they come in.",
		Run:     runMonitor,
	},
	{
		Name: "replicaof", Arity: 3, Flags: Admin | NoScript | Stale | NoAsyncLoading,
		Group: "server", Since: "5.0.0", Cost: "O(1)",
		Summary: "Makes the server a replica; refused.",
		Args: []Arg{
			{Name: "args", Type: "oneof", Args: []Arg{
				{Name: "host-port", Type: "block", Args: []Arg{
					{Name: "host", Type: "string"},
					{Name: "port", Type: "integer"},
				}},
				{Name: "no-one", Type: "block", Args: []Arg{
					{Name: "no", Type: "pure-token", Token: "NO"},
					{Name: "one", Type: "pure-token", Token: "ONE"},
				}},
			}},
		},
		Run: runReplicaof,
	},
	{
		Name: "role", Arity: 1, Flags: NoScript | Loading | Stale | Fast, Category: CatAdmin | CatDangerous,
		Group: "server", Since: "2.8.12", Cost: "O(1)",
		Summary: "Tells the role in replication.",
		Run:     runRole,
	},
	{
		Name: "save", Arity: 1, Flags: Admin | NoScript | NoMulti | NoAsyncLoading,
		Group: "server", Since: "1.0.0", Cost: "O(N) with N the total number of keys in all databases",
		Summary: "Saves the data; refused, no persistence is configured.",
		Run:     runSave,
	},
	{
		Name: "shutdown", Arity: -1, Flags: Admin | NoScript | Loading | Stale | NoMulti | AllowBusy,
		Group: "server", Since: "1.0.0", Cost: "O(N)",
		Summary: "Stops the server.",
		Args: []Arg{
			{Name: "save-selector", Type: "oneof", Optional: true, Args: []Arg{
				{Name: "nosave", Type: "pure-token", Token: "NOSAVE"},
				{Name: "save", Type: "pure-token", Token: "SAVE"},
			}},
			{Name: "now", Type: "pure-token", Token: "NOW", Since: "7.0.0", Optional: true},
			{Name: "force", Type: "pure-token", Token: "FORCE", Since: "7.0.0", Optional: true},
			{Name: "abort", Type: "pure-token", Token: "ABORT", Since: "7.0.0", Optional: true},
		},
		Run: runShutdown,
	},
	{
		Name: "slaveof", Arity: 3, Flags: Admin | NoScript | Stale | NoAsyncLoading,
		Group: "server", Since: "1.0.0", Cost: "O(1)", DeprecatedSince: "5.0.0", ReplacedBy: "`REPLICAOF`",
		Summary: "Makes the server a replica; refused.",
		Args: []Arg{
			{Name: "args", Type: "oneof", Args: []Arg{
				{Name: "host-port", Type: "block", Args: []Arg{
					{Name: "host", Type: "string"},
					{Name: "port", Type: "integer"},
				}},
				{Name: "no-one", Type: "block", Args: []Arg{
					{Name: "no", Type: "pure-token", Token: "NO"},
					{Name: "one", Type: "pure-token", Token: "ONE"},
				}},
			}},
		},
		Run: runSlaveof,
	},
	{
		Name: "time", Arity: 1, Flags: Loading | Stale | Fast,
		Group: "server", Since: "2.6.0", Cost: "O(1)",
		Summary: "Returns the time of the server.",
		Tips:    []string{"nondeterministic_output"},
		Run:     runTime,
	},
	{
		Name: "wait", Arity: 3, Flags: Slow, Category: CatConnection,
		Group: "generic", Since: "3.0.0", Cost: "O(1)",
		Summary: "Waits until replicas have the writes of this connection.",
		Tips:    []string{"request_policy:all_shards", "response_policy:agg_min"},
		Args: []Arg{
			{Name: "numreplicas", Type: "integer"},
			{Name: "timeout", Type: "integer"},
		},
		Run: runWait,
	},
	{
		Name: "waitaof", Arity: 4, Flags: NoScript | Slow, Category: CatConnection,
		Group: "generic", Since: "7.2.0", Cost: "O(1)",
		Summary: "Waits until the writes of this connection are on disk here and on replicas.",
		Tips:    []string{"request_policy:all_shards", "response_policy:agg_min"},
		Args: []Arg{
			{Name: "numlocal", Type: "integer"},
			{Name: "numreplicas", Type: "integer"},
			{Name: "timeout", Type: "integer"},
		},
		Run: runWaitaof,
	},
}
