package command

// keyTable are the rows of the commands about keys and databases.
var keyTable = []*Command{
	{
		Name: "del", Arity: -2, Flags: Write, Category: CatKeyspace,
		Group: "generic", Since: "1.0.0", Cost: "O(N), N being the number of keys",
		Summary: "Deletes keys.",
		Keys:    keyRange(1, -1, 1, KeyRM|KeyDelete),
		Tips:    []string{"request_policy:multi_shard", "response_policy:agg_sum"},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1, Multiple: true},
		},
		Run: runDel,
	},
	{
		Name: "unlink", Arity: -2, Flags: Write | Fast, Category: CatKeyspace,
		Group: "generic", Since: "4.0.0", Cost: "O(1) per key; freeing the memory is O(size) and may happen later",
		Summary: "Deletes keys; memory may be freed later.",
		Keys:    keyRange(1, -1, 1, KeyRM|KeyDelete),
		Tips:    []string{"request_policy:multi_shard", "response_policy:agg_sum"},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1, Multiple: true},
		},
		Run: runUnlink,
	},
	{
		Name: "exists", Arity: -2, Flags: ReadOnly | Fast, Category: CatKeyspace,
		Group: "generic", Since: "1.0.0", Cost: "O(N), N being the number of keys",
		Summary: "Counts how many of the given keys exist.",
		Keys:    keyRange(1, -1, 1, KeyRO),
		Tips:    []string{"request_policy:multi_shard", "response_policy:agg_sum"},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1, Multiple: true},
		},
		Run: runExists,
	},
	{
		Name: "touch", Arity: -2, Flags: ReadOnly | Fast, Category: CatKeyspace,
		Group: "generic", Since: "3.2.1", Cost: "O(N), N being the number of keys",
		Summary: "Counts how many of the given keys exist and marks them as used.",
		Keys:    keyRange(1, -1, 1, KeyRO),
		Tips:    []string{"request_policy:multi_shard", "response_policy:agg_sum"},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1, Multiple: true},
		},
		Run: runTouch,
	},
	{
		Name: "type", Arity: 2, Flags: ReadOnly | Fast, Category: CatKeyspace,
		Group: "generic", Since: "1.0.0", Cost: "O(1)",
		Summary: "Returns the type of the value of a key.",
		Keys:    oneKey(KeyRO),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runType,
	},
	{
		Name: "rename", Arity: 3, Flags: Write, Category: CatKeyspace,
		Group: "generic", Since: "1.0.0", Cost: "O(1)",
		Summary: "Gives a key another name, replacing a key that had it.",
		Keys: []KeySpec{
			{First: 1, Step: 1, Flags: KeyRW | KeyAccess | KeyDelete},
			{First: 2, Step: 1, Flags: KeyOW | KeyUpdate},
		},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "newkey", Type: "key", KeySpec: 2},
		},
		Run: runRename,
	},
	{
		Name: "renamenx", Arity: 3, Flags: Write | Fast, Category: CatKeyspace,
		Group: "generic", Since: "1.0.0", Cost: "O(1)",
		Summary: "Gives a key another name unless that exists.",
		Keys: []KeySpec{
			{First: 1, Step: 1, Flags: KeyRW | KeyAccess | KeyDelete},
			{First: 2, Step: 1, Flags: KeyOW | KeyInsert},
		},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "newkey", Type: "key", KeySpec: 2},
		},
		Run: runRenamenx,
	},
	{
		Name: "copy", Arity: -3, Flags: Write | DenyOOM, Category: CatKeyspace,
		Group: "generic", Since: "6.2.0", Cost: "O(N), N being the length of the value",
		Summary: "Copies a key, to another database if wanted.",
		Keys: []KeySpec{
			{First: 1, Step: 1, Flags: KeyRO | KeyAccess},
			{First: 2, Step: 1, Flags: KeyOW | KeyUpdate},
		},
		Args: []Arg{
			{Name: "source", Type: "key", KeySpec: 1},
			{Name: "destination", Type: "key", KeySpec: 2},
			{Name: "destination-db", Type: "integer", Token: "DB", Optional: true},
			{Name: "replace", Type: "pure-token", Token: "REPLACE", Optional: true},
		},
		Run: runCopy,
	},
	{
		Name: "move", Arity: 3, Flags: Write | Fast, Category: CatKeyspace,
		Group: "generic", Since: "1.0.0", Cost: "O(1)",
		Summary: "Moves a key to another database.",
		Keys:    oneKey(KeyRW | KeyAccess | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "db", Type: "integer"},
		},
		Run: runMove,
	},
	{
		Name: "randomkey", Arity: 1, Flags: ReadOnly | Slow, Category: CatKeyspace,
		Group: "generic", Since: "1.0.0", Cost: "O(1)",
		Summary: "Returns the name of any key.",
		Tips:    []string{"request_policy:all_shards", "nondeterministic_output"},
		Run:     runRandomkey,
	},
	{
		Name: "keys", Arity: 2, Flags: ReadOnly | Slow, Category: CatKeyspace | CatDangerous,
		Group: "generic", Since: "1.0.0", Cost: "O(N), N being the number of keys in the database",
		Summary: "Returns the names of all keys that match a pattern.",
		Tips:    []string{"request_policy:all_shards", "nondeterministic_output_order"},
		Args: []Arg{
			{Name: "pattern", Type: "pattern"},
		},
		Run: runKeys,
	},
	{
		Name: "scan", Arity: -2, Flags: ReadOnly | Slow, Category: CatKeyspace,
		Group: "generic", Since: "2.8.0", Cost: "O(1) per call, O(N) for a whole walk, N being the number of keys",
		Summary: "Walks through the names of the keys in steps.",
		Tips:    []string{"nondeterministic_output", "request_policy:special"},
		Args: []Arg{
			{Name: "cursor", Type: "integer"},
			{Name: "pattern", Type: "pattern", Token: "MATCH", Optional: true},
			{Name: "count", Type: "integer", Token: "COUNT", Optional: true},
			{Name: "type", Type: "string", Token: "TYPE", Since: "6.0.0", Optional: true},
		},
		Run: runScan,
	},
	{
		Name: "dbsize", Arity: 1, Flags: ReadOnly | Fast, Category: CatKeyspace,
		Group: "server", Since: "1.0.0", Cost: "O(1)",
		Summary: "Returns the number of keys in the database.",
		Tips:    []string{"request_policy:all_shards", "response_policy:agg_sum"},
		Run:     runDbsize,
	},
	{
		Name: "flushdb", Arity: -1, Flags: Write | Slow, Category: CatKeyspace | CatDangerous,
		Group: "server", Since: "1.0.0", Cost: "O(N), N being the number of keys in the database",
		Summary: "Deletes all keys of the database.",
		Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
		Args: []Arg{
			{Name: "async", Type: "oneof", Optional: true, Args: []Arg{
				{Name: "async", Type: "pure-token", Token: "ASYNC", Since: "4.0.0"},
				{Name: "sync", Type: "pure-token", Token: "SYNC", Since: "6.2.0"},
			}},
		},
		Run: runFlushdb,
	},
	{
		Name: "flushall", Arity: -1, Flags: Write | Slow, Category: CatKeyspace | CatDangerous,
		Group: "server", Since: "1.0.0", Cost: "O(N), N being the number of all keys",
		Summary: "Deletes all keys of all databases.",
		Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
		Args: []Arg{
			{Name: "async", Type: "oneof", Optional: true, Args: []Arg{
				{Name: "async", Type: "pure-token", Token: "ASYNC", Since: "4.0.0"},
				{Name: "sync", Type: "pure-token", Token: "SYNC", Since: "6.2.0"},
			}},
		},
		Run: runFlushall,
	},
	{
		Name: "swapdb", Arity: 3, Flags: Write | Fast, Category: CatKeyspace | CatDangerous,
		Group: "server", Since: "4.0.0", Cost: "O(1)",
		Summary: "Exchanges two databases.",
		Args: []Arg{
			{Name: "index1", Type: "integer"},
			{Name: "index2", Type: "integer"},
		},
		Run: runSwapdb,
	},
	{
		Name: "object", Arity: -2,
		Group: "generic", Since: "2.2.3", Cost: "Depends on the subcommand.",
		Summary: "Groups the commands about how a key is kept.",
		Sub: []*Command{
			{
				Name: "freq", Arity: 3, Flags: ReadOnly, Category: CatKeyspace,
				Group: "generic", Since: "4.0.0", Cost: "O(1)",
				Summary: "Returns how often a key is used, on a logarithmic scale.",
				Keys:    keyRange(2, 0, 1, KeyRO),
				Tips:    []string{"nondeterministic_output"},
				Args: []Arg{
					{Name: "key", Type: "key", KeySpec: 1},
				},
				Run: runObjectFreq,
			},
			{
				Name: "encoding", Arity: 3, Flags: ReadOnly, Category: CatKeyspace,
				Group: "generic", Since: "2.2.3", Cost: "O(1)",
				Summary: "Returns the name of the form in which a value is kept.",
				Keys:    keyRange(2, 0, 1, KeyRO),
				Tips:    []string{"nondeterministic_output"},
				Args: []Arg{
					{Name: "key", Type: "key", KeySpec: 1},
				},
				Run: runObjectEncoding,
			},
			{
				Name: "idletime", Arity: 3, Flags: ReadOnly, Category: CatKeyspace,
				Group: "generic", Since: "2.2.3", Cost: "O(1)",
				Summary: "Returns the seconds since a key was last used.",
				Keys:    keyRange(2, 0, 1, KeyRO),
				Tips:    []string{"nondeterministic_output"},
				Args: []Arg{
					{Name: "key", Type: "key", KeySpec: 1},
				},
				Run: runObjectIdletime,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale, Category: CatKeyspace,
				Group: "generic", Since: "6.2.0", Cost: "O(1)",
				Summary: "Describes the subcommands.",
				Run:     runObjectHelp,
			},
			{
				Name: "refcount", Arity: 3, Flags: ReadOnly, Category: CatKeyspace,
				Group: "generic", Since: "2.2.3", Cost: "O(1)",
				Summary: "Returns the number of references to a value.",
				Keys:    keyRange(2, 0, 1, KeyRO),
				Tips:    []string{"nondeterministic_output"},
				Args: []Arg{
					{Name: "key", Type: "key", KeySpec: 1},
				},
				Run: runObjectRefcount,
			},
		},
	},
}
