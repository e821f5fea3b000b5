package command

// connectionTable are the rows of the commands about one connection.
var connectionTable = []*Command{
	{
		Name: "auth", Arity: -2, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Category: CatConnection,
		Group: "connection", Since: "1.0.0", Cost: "O(N) with N the number of passwords defined for the user",
		Summary: "Tells the server who the client is, by password.",
		Args: []Arg{
			{Name: "username", Type: "string", Since: "6.0.0", Optional: true},
			{Name: "password", Type: "string"},
		},
		Run: runAuth,
	},
	{
		Name: "echo", Arity: 2, Flags: Loading | Stale | Fast, Category: CatConnection,
		Group: "connection", Since: "1.0.0", Cost: "O(1)",
		Summary: "Answers with its argument.",
		Args: []Arg{
			{Name: "message", Type: "string"},
		},
		Run: runEcho,
	},
	{
		Name: "hello", Arity: -1, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Category: CatConnection,
		Group: "connection", Since: "6.0.0", Cost: "O(1)",
		Summary: "Agrees on the version of the protocol and tells about the server; may log in and name the connection.",
		Args: []Arg{
			{Name: "arguments", Type: "block", Optional: true, Args: []Arg{
				{Name: "protover", Type: "integer"},
				{Name: "auth", Type: "block", Token: "AUTH", Optional: true, Args: []Arg{
					{Name: "username", Type: "string"},
					{Name: "password", Type: "string"},
				}},
				{Name: "clientname", Type: "string", Token: "SETNAME", Optional: true},
			}},
		},
		Run: runHello,
	},
	{
		Name: "ping", Arity: -1, Flags: Fast | InQueue, Category: CatConnection,
		Group: "connection", Since: "1.0.0", Cost: "O(1)",
		Summary: "Answers PONG, or its argument: the connection works.",
		Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
		Args: []Arg{
			{Name: "message", Type: "string", Optional: true},
		},
		Run: runPing,
	},
	{
		Name: "quit", Arity: -1, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy | InQueue, Category: CatConnection,
		Group: "connection", Since: "1.0.0", Cost: "O(1)", DeprecatedSince: "7.2.0", ReplacedBy: "just closing the connection",
		Summary: "Answers OK and closes the connection.",
		Run:     runQuit,
	},
	{
		Name: "reset", Arity: 1, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy | InQueue, Category: CatConnection,
		Group: "connection", Since: "6.2.0", Cost: "O(1)",
		Summary: "Puts the connection into the state it began with.",
		Run:     runReset,
	},
	{
		Name: "select", Arity: 2, Flags: Loading | Stale | Fast, Category: CatConnection,
		Group: "connection", Since: "1.0.0", Cost: "O(1)",
		Summary: "Chooses the numbered database the following requests are about.",
		Args: []Arg{
			{Name: "index", Type: "integer"},
		},
		Run: runSelect,
	},
}
