package command

// stringTable are the rows of the string commands that Redis 7 has; see also
// casTable.
var stringTable = []*Command{
	{
		Name: "get", Arity: 2, Flags: ReadOnly | Fast, Category: CatString,
		Group: "string", Since: "1.0.0", Cost: "O(1)",
		Summary: "Returns the value of a key.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runGet,
	},
	{
		Name: "set", Arity: -3, Flags: Write | DenyOOM, Category: CatString,
		Group: "string", Since: "1.0.0", Cost: "O(1)",
		Summary: "Stores a value under a key, replacing what was there; options set conditions and an expiry.",
		Keys: []KeySpec{
			{First: 1, Step: 1, Flags: KeyRW | KeyAccess | KeyUpdate | KeyVariable, Notes: "reads the old value with GET only"},
		},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "value", Type: "string"},
			{Name: "condition", Type: "oneof", Since: "2.6.12", Optional: true, Args: append([]Arg{
				{Name: "nx", Type: "pure-token", Token: "NX"},
				{Name: "xx", Type: "pure-token", Token: "XX"},
			}, comparisonArgs...)},
			{Name: "get", Type: "pure-token", Token: "GET", Since: "6.2.0", Optional: true},
			{Name: "expiration", Type: "oneof", Optional: true, Args: []Arg{
				{Name: "seconds", Type: "integer", Token: "EX", Since: "2.6.12"},
				{Name: "milliseconds", Type: "integer", Token: "PX", Since: "2.6.12"},
				{Name: "unix-time-seconds", Type: "unix-time", Token: "EXAT", Since: "6.2.0"},
				{Name: "unix-time-milliseconds", Type: "unix-time", Token: "PXAT", Since: "6.2.0"},
				{Name: "keepttl", Type: "pure-token", Token: "KEEPTTL", Since: "6.0.0"},
			}},
		},
		Run: runSet,
	},
	{
		Name: "setex", Arity: 4, Flags: Write | DenyOOM, Category: CatString,
		Group: "string", Since: "2.0.0", Cost: "O(1)",
		Summary: "Stores a value that expires after a number of seconds.",
		Keys:    oneKey(KeyOW | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "seconds", Type: "integer"},
			{Name: "value", Type: "string"},
		},
		Run: runSetex,
	},
	{
		Name: "setnx", Arity: 3, Flags: Write | DenyOOM | Fast, Category: CatString,
		Group: "string", Since: "1.0.0", Cost: "O(1)",
		Summary: "Stores a value unless the key exists.",
		Keys:    oneKey(KeyOW | KeyInsert),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "value", Type: "string"},
		},
		Run: runSetnx,
	},
	{
		Name: "psetex", Arity: 4, Flags: Write | DenyOOM, Category: CatString,
		Group: "string", Since: "2.6.0", Cost: "O(1)",
		Summary: "Stores a value that expires after a number of milliseconds.",
		Keys:    oneKey(KeyOW | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "milliseconds", Type: "integer"},
			{Name: "value", Type: "string"},
		},
		Run: runPsetex,
	},
	{
		Name: "getset", Arity: 3, Flags: Write | DenyOOM | Fast, Category: CatString,
		Group: "string", Since: "1.0.0", Cost: "O(1)",
		DeprecatedSince: "6.2.0", ReplacedBy: "`SET` with the `GET` option",
		Summary: "Stores a value and returns the one it replaces.",
		Keys:    oneKey(KeyRW | KeyAccess | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "value", Type: "string"},
		},
		Run: runGetset,
	},
	{
		Name: "getex", Arity: -2, Flags: Write | Fast, Category: CatString,
		Group: "string", Since: "6.2.0", Cost: "O(1)",
		Summary: "Returns the value of a key and sets or removes its expiry.",
		Keys: []KeySpec{
			{First: 1, Step: 1, Flags: KeyRW | KeyAccess | KeyUpdate, Notes: "changes the expiry"},
		},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "expiration", Type: "oneof", Optional: true, Args: []Arg{
				{Name: "seconds", Type: "integer", Token: "EX"},
				{Name: "milliseconds", Type: "integer", Token: "PX"},
				{Name: "unix-time-seconds", Type: "unix-time", Token: "EXAT"},
				{Name: "unix-time-milliseconds", Type: "unix-time", Token: "PXAT"},
				{Name: "persist", Type: "pure-token", Token: "PERSIST"},
			}},
		},
		Run: runGetex,
	},
	{
		Name: "getdel", Arity: 2, Flags: Write | Fast, Category: CatString,
		Group: "string", Since: "6.2.0", Cost: "O(1)",
		Summary: "Returns the value of a key and deletes the key.",
		Keys:    oneKey(KeyRW | KeyAccess | KeyDelete),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runGetdel,
	},
	{
		Name: "mget", Arity: -2, Flags: ReadOnly | Fast, Category: CatString,
		Group: "string", Since: "1.0.0", Cost: "O(N), N being the number of keys",
		Summary: "Returns the values of several keys, all of one moment.",
		Keys:    keyRange(1, -1, 1, KeyRO|KeyAccess),
		Tips:    []string{"request_policy:multi_shard"},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1, Multiple: true},
		},
		Run: runMget,
	},
	{
		Name: "mset", Arity: -3, Flags: Write | DenyOOM, Category: CatString,
		Group: "string", Since: "1.0.1", Cost: "O(N), N being the number of keys",
		Summary: "Stores several keys at once; nobody sees some of them only.",
		Keys:    keyRange(1, -1, 2, KeyOW|KeyUpdate),
		Tips:    []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
		Args: []Arg{
			{Name: "key_value", Type: "block", Multiple: true, Args: []Arg{
				{Name: "key", Type: "key", KeySpec: 1},
				{Name: "value", Type: "string"},
			}},
		},
		Run: runMset,
	},
	{
		Name: "msetnx", Arity: -3, Flags: Write | DenyOOM, Category: CatString,
		Group: "string", Since: "1.0.1", Cost: "O(N), N being the number of keys",
		Summary: "Stores several keys at once unless one of them exists.",
		Keys:    keyRange(1, -1, 2, KeyOW|KeyInsert),
		Tips:    []string{"request_policy:multi_shard", "response_policy:agg_min"},
		Args: []Arg{
			{Name: "key_value", Type: "block", Multiple: true, Args: []Arg{
				{Name: "key", Type: "key", KeySpec: 1},
				{Name: "value", Type: "string"},
			}},
		},
		Run: runMsetnx,
	},
	{
		Name: "append", Arity: 3, Flags: Write | DenyOOM | Fast, Category: CatString,
		Group: "string", Since: "2.0.0", Cost: "O(M) amortized, M being the length of what is added",
		Summary: "Adds bytes to the end of a value; creates the key when it is missing.",
		Keys:    oneKey(KeyRW | KeyInsert),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "value", Type: "string"},
		},
		Run: runAppend,
	},
	{
		Name: "strlen", Arity: 2, Flags: ReadOnly | Fast, Category: CatString,
		Group: "string", Since: "2.2.0", Cost: "O(1)",
		Summary: "Returns the length of a value in bytes.",
		Keys:    oneKey(KeyRO),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runStrlen,
	},
	{
		Name: "getrange", Arity: 4, Flags: ReadOnly, Category: CatString,
		Group: "string", Since: "2.4.0", Cost: "O(N), N being the length of the part returned",
		Summary: "Returns a part of a value.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "start", Type: "integer"},
			{Name: "end", Type: "integer"},
		},
		Run: runGetrange,
	},
	{
		Name: "substr", Arity: 4, Flags: ReadOnly, Category: CatString,
		Group: "string", Since: "1.0.0", Cost: "O(N), N being the length of the part returned",
		DeprecatedSince: "2.0.0", ReplacedBy: "`GETRANGE`",
		Summary: "Returns a part of a value; the old name of GETRANGE.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "start", Type: "integer"},
			{Name: "end", Type: "integer"},
		},
		Run: runSubstr,
	},
	{
		Name: "setrange", Arity: 4, Flags: Write | DenyOOM, Category: CatString,
		Group: "string", Since: "2.2.0", Cost: "O(M), M being the length of the part, as long as the value need not grow",
		Summary: "Overwrites a part of a value from an offset on, padding with zero bytes.",
		Keys:    oneKey(KeyRW | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "offset", Type: "integer"},
			{Name: "value", Type: "string"},
		},
		Run: runSetrange,
	},
	{
		Name: "incr", Arity: 2, Flags: Write | DenyOOM | Fast, Category: CatString,
		Group: "string", Since: "1.0.0", Cost: "O(1)",
		Summary: "Adds one to an integer; a missing key counts as zero.",
		Keys:    oneKey(KeyRW | KeyAccess | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runIncr,
	},
	{
		Name: "decr", Arity: 2, Flags: Write | DenyOOM | Fast, Category: CatString,
		Group: "string", Since: "1.0.0", Cost: "O(1)",
		Summary: "Subtracts one from an integer; a missing key counts as zero.",
		Keys:    oneKey(KeyRW | KeyAccess | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runDecr,
	},
	{
		Name: "incrby", Arity: 3, Flags: Write | DenyOOM | Fast, Category: CatString,
		Group: "string", Since: "1.0.0", Cost: "O(1)",
		Summary: "Adds to an integer; a missing key counts as zero.",
		Keys:    oneKey(KeyRW | KeyAccess | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "increment", Type: "integer"},
		},
		Run: runIncrby,
	},
	{
		Name: "decrby", Arity: 3, Flags: Write | DenyOOM | Fast, Category: CatString,
		Group: "string", Since: "1.0.0", Cost: "O(1)",
		Summary: "Subtracts from an integer; a missing key counts as zero.",
		Keys:    oneKey(KeyRW | KeyAccess | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "decrement", Type: "integer"},
		},
		Run: runDecrby,
	},
	{
		Name: "incrbyfloat", Arity: 3, Flags: Write | DenyOOM | Fast, Category: CatString,
		Group: "string", Since: "2.6.0", Cost: "O(1)",
		Summary: "Adds to a decimal number; a missing key counts as zero.",
		Keys:    oneKey(KeyRW | KeyAccess | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "increment", Type: "double"},
		},
		Run: runIncrbyfloat,
	},
	{
		Name: "lcs", Arity: -3, Flags: ReadOnly | Slow, Category: CatString,
		Group: "string", Since: "7.0.0", Cost: "O(N*M), N and M being the lengths of the two values",
		Summary: "Finds the longest sequence of bytes that two values have in common.",
		Keys:    keyRange(1, 1, 1, KeyRO|KeyAccess),
		Args: []Arg{
			{Name: "key1", Type: "key", KeySpec: 1},
			{Name: "key2", Type: "key", KeySpec: 1},
			{Name: "len", Type: "pure-token", Token: "LEN", Optional: true},
			{Name: "idx", Type: "pure-token", Token: "IDX", Optional: true},
			{Name: "len", Type: "integer", Token: "MINMATCHLEN", Optional: true},
			{Name: "withmatchlen", Type: "pure-token", Token: "WITHMATCHLEN", Optional: true},
		},
		Run: runLcs,
	},
}
