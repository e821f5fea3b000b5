package command

// transferTable are the rows of the commands that take values apart and put
// them together again.
var transferTable = []*Command{
	{
		Name: "dump", Arity: 2, Flags: ReadOnly | Slow, Category: CatKeyspace,
		Group: "generic", Since: "2.6.0", Cost: "O(N), N being the length of the value",
		Summary: "Returns the value of a key in a form that RESTORE takes.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Tips:    []string{"nondeterministic_output"},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runDump,
	},
	{
		Name: "restore", Arity: -4, Flags: Write | DenyOOM | Slow, Category: CatKeyspace | CatDangerous,
		Group: "generic", Since: "2.6.0", Cost: "O(N), N being the length of the value",
		Summary: "Creates a key from what DUMP returned.",
		Keys:    oneKey(KeyOW | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "ttl", Type: "integer"},
			{Name: "serialized-value", Type: "string"},
			{Name: "replace", Type: "pure-token", Token: "REPLACE", Since: "3.0.0", Optional: true},
			{Name: "absttl", Type: "pure-token", Token: "ABSTTL", Since: "5.0.0", Optional: true},
			{Name: "seconds", Type: "integer", Token: "IDLETIME", Since: "5.0.0", Optional: true},
			{Name: "frequency", Type: "integer", Token: "FREQ", Since: "5.0.0", Optional: true},
		},
		Run: runRestore,
	},
	{
		Name: "sort", Arity: -2, Flags: Write | DenyOOM | MovableKeys | Slow, Category: CatSet | CatSortedSet | CatList | CatDangerous,
		Group: "generic", Since: "1.0.0", Cost: "O(N+M*log(M)), N being the number of elements and M the number of those returned",
		Summary: "Sorts the elements of a collection, returning or storing the result.",
		Keys: []KeySpec{
			{First: 1, Step: 1, Flags: KeyRO | KeyAccess},
			{Unknown: true, Flags: KeyRO | KeyAccess, Notes: "keys that BY and GET derive from the elements"},
			{Unknown: true, Flags: KeyOW | KeyUpdate, Notes: "the key after STORE, which may stand anywhere"},
		},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "pattern", Type: "pattern", Token: "BY", KeySpec: 2, Optional: true},
			{Name: "offset_count", Type: "block", Token: "LIMIT", Optional: true, Args: []Arg{
				{Name: "offset", Type: "integer"},
				{Name: "count", Type: "integer"},
			}},
			{Name: "pattern", Type: "pattern", Token: "GET", KeySpec: 2, Optional: true, Multiple: true, MultipleToken: true},
			{Name: "order", Type: "oneof", Optional: true, Args: []Arg{
				{Name: "asc", Type: "pure-token", Token: "ASC"},
				{Name: "desc", Type: "pure-token", Token: "DESC"},
			}},
			{Name: "sorting", Type: "pure-token", Token: "ALPHA", Optional: true},
			{Name: "destination", Type: "key", Token: "STORE", KeySpec: 3, Optional: true},
		},
		Run: runSort,
	},
	{
		Name: "sort_ro", Arity: -2, Flags: ReadOnly | MovableKeys | Slow, Category: CatSet | CatSortedSet | CatList | CatDangerous,
		Group: "generic", Since: "7.0.0", Cost: "O(N+M*log(M)), N being the number of elements and M the number of those returned",
		Summary: "Sorts the elements of a collection and returns the result.",
		Keys: []KeySpec{
			{First: 1, Step: 1, Flags: KeyRO | KeyAccess},
			{Unknown: true, Flags: KeyRO | KeyAccess, Notes: "keys that BY and GET derive from the elements"},
		},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "pattern", Type: "pattern", Token: "BY", KeySpec: 2, Optional: true},
			{Name: "offset_count", Type: "block", Token: "LIMIT", Optional: true, Args: []Arg{
				{Name: "offset", Type: "integer"},
				{Name: "count", Type: "integer"},
			}},
			{Name: "pattern", Type: "pattern", Token: "GET", KeySpec: 2, Optional: true, Multiple: true, MultipleToken: true},
			{Name: "order", Type: "oneof", Optional: true, Args: []Arg{
				{Name: "asc", Type: "pure-token", Token: "ASC"},
				{Name: "desc", Type: "pure-token", Token: "DESC"},
			}},
			{Name: "sorting", Type: "pure-token", Token: "ALPHA", Optional: true},
		},
		Run: runSortRo,
	},
}
