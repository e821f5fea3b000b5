package command

// bitmapCommands are the rows of the bitmap commands.
var bitmapCommands = []*Command{
	{
		Name: "setbit", Arity: 4, Flags: Write | DenyOOM, Category: CatBitmap,
		Group: "bitmap", Since: "2.2.0", Cost: "O(1)",
		Summary: "Sets or clears a bit and returns what it was.",
		Keys:    oneKey(KeyRW | KeyAccess | KeyUpdate),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "offset", Type: "integer"},
			{Name: "value", Type: "integer"},
		},
		Run: runSetbit,
	},
	{
		Name: "getbit", Arity: 3, Flags: ReadOnly | Fast, Category: CatBitmap,
		Group: "bitmap", Since: "2.2.0", Cost: "O(1)",
		Summary: "Returns one bit of a value.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "offset", Type: "integer"},
		},
		Run: runGetbit,
	},
	{
		Name: "bitcount", Arity: -2, Flags: ReadOnly, Category: CatBitmap,
		Group: "bitmap", Since: "2.6.0", Cost: "O(N)",
		Summary: "Counts the bits that are set in a value or a part of it.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "index", Type: "block", Optional: true, Args: []Arg{
				{Name: "start", Type: "integer"},
				{Name: "end", Type: "integer"},
				{Name: "index_unit", Type: "oneof", Since: "7.0.0", Optional: true, Args: []Arg{
					{Name: "byte", Type: "pure-token", Token: "BYTE"},
					{Name: "bit", Type: "pure-token", Token: "BIT"},
				}},
			}},
		},
		Run: runBitcount,
	},
	{
		Name: "bitpos", Arity: -3, Flags: ReadOnly, Category: CatBitmap,
		Group: "bitmap", Since: "2.8.7", Cost: "O(N)",
		Summary: "Finds the first bit that is set or clear.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "bit", Type: "integer"},
			{Name: "index", Type: "block", Optional: true, Args: []Arg{
				{Name: "start", Type: "integer"},
				{Name: "end_index", Type: "block", Optional: true, Args: []Arg{
					{Name: "end", Type: "integer"},
					{Name: "index_unit", Type: "oneof", Since: "7.0.0", Optional: true, Args: []Arg{
						{Name: "byte", Type: "pure-token", Token: "BYTE"},
						{Name: "bit", Type: "pure-token", Token: "BIT"},
					}},
				}},
			}},
		},
		Run: runBitpos,
	},
	{
		Name: "bitop", Arity: -4, Flags: Write | DenyOOM | Slow, Category: CatBitmap,
		Group: "bitmap", Since: "2.6.0", Cost: "O(N)",
		Summary: "Combines values bit by bit and stores the result.",
		Keys: []KeySpec{
			{First: 2, Step: 1, Flags: KeyOW | KeyUpdate},
			{First: 3, Last: -1, Step: 1, Flags: KeyRO | KeyAccess},
		},
		Args: []Arg{
			{Name: "operation", Type: "string"},
			{Name: "destkey", Type: "key", KeySpec: 1},
			{Name: "key", Type: "key", KeySpec: 2, Multiple: true},
		},
		Run: runBitop,
	},
	{
		Name: "bitfield", Arity: -2, Flags: Write | DenyOOM, Category: CatBitmap,
		Group: "bitmap", Since: "3.2.0", Cost: "O(1) per operation",
		Summary: "Reads and changes integers of any width inside a value.",
		Keys: []KeySpec{
			{First: 1, Step: 1, Flags: KeyRW | KeyAccess | KeyUpdate | KeyVariable, Notes: "reads only, or changes, depending on the operations"},
		},
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "operation", Type: "oneof", Optional: true, Multiple: true, Args: []Arg{
				{Name: "encoding_offset", Type: "block", Token: "GET", Args: []Arg{
					{Name: "encoding", Type: "string"},
					{Name: "offset", Type: "integer"},
				}},
				{Name: "write", Type: "block", Args: []Arg{
					{Name: "wrap_sat_fail", Type: "oneof", Token: "OVERFLOW", Optional: true, Args: []Arg{
						{Name: "wrap", Type: "pure-token", Token: "WRAP"},
						{Name: "sat", Type: "pure-token", Token: "SAT"},
						{Name: "fail", Type: "pure-token", Token: "FAIL"},
					}},
					{Name: "write_operation", Type: "oneof", Args: []Arg{
						{Name: "encoding_offset_value", Type: "block", Token: "SET", Args: []Arg{
							{Name: "encoding", Type: "string"},
							{Name: "offset", Type: "integer"},
							{Name: "value", Type: "integer"},
						}},
						{Name: "encoding_offset_increment", Type: "block", Token: "INCRBY", Args: []Arg{
							{Name: "encoding", Type: "string"},
							{Name: "offset", Type: "integer"},
							{Name: "increment", Type: "integer"},
						}},
					}},
				}},
			}},
		},
		Run: runBitfield,
	},
	{
		Name: "bitfield_ro", Arity: -2, Flags: ReadOnly | Fast, Category: CatBitmap,
		Group: "bitmap", Since: "6.0.0", Cost: "O(1) per operation",
		Summary: "Reads integers of any width inside a value.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "encoding_offset", Type: "block", Token: "GET", Optional: true, Multiple: true, MultipleToken: true, Args: []Arg{
				{Name: "encoding", Type: "string"},
				{Name: "offset", Type: "integer"},
			}},
		},
		Run: runBitfieldRo,
	},
}
