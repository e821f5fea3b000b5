package command

// expireTable are the rows of the commands about expiry.
var expireTable = []*Command{
	{
		Name: "expire", Arity: -3, Flags: Write | Fast, Category: CatKeyspace,
		Group: "generic", Since: "1.0.0", Cost: "O(1)",
		Summary: "Lets a key expire after a number of seconds.",
		Keys:    oneKey(KeyRW | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "seconds", Type: "integer"},
			{Name: "condition", Type: "oneof", Since: "7.0.0", Optional: true, Args: []Arg{
				{Name: "nx", Type: "pure-token", Token: "NX"},
				{Name: "xx", Type: "pure-token", Token: "XX"},
				{Name: "gt", Type: "pure-token", Token: "GT"},
				{Name: "lt", Type: "pure-token", Token: "LT"},
			}},
		},
		Run: runExpire,
	},
	{
		Name: "pexpire", Arity: -3, Flags: Write | Fast, Category: CatKeyspace,
		Group: "generic", Since: "2.6.0", Cost: "O(1)",
		Summary: "Lets a key expire after a number of milliseconds.",
		Keys:    oneKey(KeyRW | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "milliseconds", Type: "integer"},
			{Name: "condition", Type: "oneof", Since: "7.0.0", Optional: true, Args: []Arg{
				{Name: "nx", Type: "pure-token", Token: "NX"},
				{Name: "xx", Type: "pure-token", Token: "XX"},
				{Name: "gt", Type: "pure-token", Token: "GT"},
				{Name: "lt", Type: "pure-token", Token: "LT"},
			}},
		},
		Run: runPexpire,
	},
	{
		Name: "expireat", Arity: -3, Flags: Write | Fast, Category: CatKeyspace,
		Group: "generic", Since: "1.2.0", Cost: "O(1)",
		Summary: "Lets a key expire at a time given in Unix seconds.",
		Keys:    oneKey(KeyRW | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "unix-time-seconds", Type: "unix-time"},
			{Name: "condition", Type: "oneof", Since: "7.0.0", Optional: true, Args: []Arg{
				{Name: "nx", Type: "pure-token", Token: "NX"},
				{Name: "xx", Type: "pure-token", Token: "XX"},
				{Name: "gt", Type: "pure-token", Token: "GT"},
				{Name: "lt", Type: "pure-token", Token: "LT"},
			}},
		},
		Run: runExpireat,
	},
	{
		Name: "pexpireat", Arity: -3, Flags: Write | Fast, Category: CatKeyspace,
		Group: "generic", Since: "2.6.0", Cost: "O(1)",
		Summary: "Lets a key expire at a time given in Unix milliseconds.",
		Keys:    oneKey(KeyRW | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "unix-time-milliseconds", Type: "unix-time"},
			{Name: "condition", Type: "oneof", Since: "7.0.0", Optional: true, Args: []Arg{
				{Name: "nx", Type: "pure-token", Token: "NX"},
				{Name: "xx", Type: "pure-token", Token: "XX"},
				{Name: "gt", Type: "pure-token", Token: "GT"},
				{Name: "lt", Type: "pure-token", Token: "LT"},
			}},
		},
		Run: runPexpireat,
	},
	{
		Name: "ttl", Arity: 2, Flags: ReadOnly | Fast, Category: CatKeyspace,
		Group: "generic", Since: "1.0.0", Cost: "O(1)",
		Summary: "Returns the seconds until a key expires.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Tips:    []string{"nondeterministic_output"},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runTtl,
	},
	{
		Name: "pttl", Arity: 2, Flags: ReadOnly | Fast, Category: CatKeyspace,
		Group: "generic", Since: "2.6.0", Cost: "O(1)",
		Summary: "Returns the milliseconds until a key expires.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Tips:    []string{"nondeterministic_output"},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runPttl,
	},
	{
		Name: "expiretime", Arity: 2, Flags: ReadOnly | Fast, Category: CatKeyspace,
		Group: "generic", Since: "7.0.0", Cost: "O(1)",
		Summary: "Returns the Unix time in seconds at which a key expires.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runExpiretime,
	},
	{
		Name: "pexpiretime", Arity: 2, Flags: ReadOnly | Fast, Category: CatKeyspace,
		Group: "generic", Since: "7.0.0", Cost: "O(1)",
		Summary: "Returns the Unix time in milliseconds at which a key expires.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runPexpiretime,
	},
	{
		Name: "persist", Arity: 2, Flags: Write | Fast, Category: CatKeyspace,
		Group: "generic", Since: "2.2.0", Cost: "O(1)",
		Summary: "Removes the expiry of a key.",
		Keys:    oneKey(KeyRW | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runPersist,
	},
}
