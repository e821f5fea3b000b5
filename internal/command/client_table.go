package command

// clientTable is the row of CLIENT.
var clientTable = []*Command{
	{
		Name: "client", Arity: -2,
		Group: "connection", Since: "2.4.0", Cost: "Depends on subcommand",
		Summary: "Subcommands about connections of clients.",
		Sub: []*Command{
			{
				Name: "caching", Arity: 3, Flags: NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "6.0.0", Cost: "O(1)",
				Summary: "Decides whether the keys of the next request are tracked.",
				Args: []Arg{
					{Name: "mode", Type: "oneof", Args: []Arg{
						{Name: "yes", Type: "pure-token", Token: "YES"},
						{Name: "no", Type: "pure-token", Token: "NO"},
					}},
				},
				Run: runClientCaching,
			},
			{
				Name: "getname", Arity: 2, Flags: NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "2.6.9", Cost: "O(1)",
				Summary: "Returns the name of the connection.",
				Run:     runClientGetname,
			},
			{
				Name: "getredir", Arity: 2, Flags: NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "6.0.0", Cost: "O(1)",
				Summary: "Returns the id of the client that gets the invalidations of this one.",
				Run:     runClientGetredir,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "5.0.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runClientHelp,
			},
			{
				Name: "id", Arity: 2, Flags: NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "5.0.0", Cost: "O(1)",
				Summary: "Returns the id of the connection.",
				Run:     runClientID,
			},
			{
				Name: "info", Arity: 2, Flags: NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "6.2.0", Cost: "O(1)",
				Summary: "Describes this connection.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClientInfo,
			},
			{
				Name: "kill", Arity: -3, Flags: Admin | NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "2.4.0", Cost: "O(N) with N the number of client connections",
				Summary: "Closes the connections that match.",
				Args: []Arg{
					{Name: "filter", Type: "oneof", Args: []Arg{
						{Name: "old-format", Type: "string", Display: "ip:port", Deprecated: "2.8.12"},
						{Name: "new-format", Type: "oneof", Multiple: true, Args: []Arg{
							{Name: "client-id", Type: "integer", Token: "ID", Since: "2.8.12", Optional: true},
							{Name: "client-type", Type: "oneof", Token: "TYPE", Since: "2.8.12", Optional: true, Args: []Arg{
								{Name: "normal", Type: "pure-token", Token: "normal"},
								{Name: "master", Type: "pure-token", Token: "master", Since: "3.2.0"},
								{Name: "slave", Type: "pure-token", Token: "slave"},
								{Name: "replica", Type: "pure-token", Token: "replica", Since: "5.0.0"},
								{Name: "pubsub", Type: "pure-token", Token: "pubsub"},
							}},
							{Name: "username", Type: "string", Token: "USER", Optional: true},
							{Name: "addr", Type: "string", Token: "ADDR", Display: "ip:port", Optional: true},
							{Name: "laddr", Type: "string", Token: "LADDR", Display: "ip:port", Since: "6.2.0", Optional: true},
							{Name: "skipme", Type: "oneof", Token: "SKIPME", Optional: true, Args: []Arg{
								{Name: "yes", Type: "pure-token", Token: "YES"},
								{Name: "no", Type: "pure-token", Token: "NO"},
							}},
						}},
					}},
				},
				Run: runClientKill,
			},
			{
				Name: "list", Arity: -2, Flags: Admin | NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "2.4.0", Cost: "O(N) with N the number of client connections",
				Summary: "Describes the connections, one a line.",
				Tips:    []string{"nondeterministic_output"},
				Args: []Arg{
					{Name: "client-type", Type: "oneof", Token: "TYPE", Since: "5.0.0", Optional: true, Args: []Arg{
						{Name: "normal", Type: "pure-token", Token: "normal"},
						{Name: "master", Type: "pure-token", Token: "master"},
						{Name: "replica", Type: "pure-token", Token: "replica"},
						{Name: "pubsub", Type: "pure-token", Token: "pubsub"},
					}},
					{Name: "client-id", Type: "integer", Token: "ID", Since: "6.2.0", Optional: true, Multiple: true},
				},
				Run: runClientList,
			},
			{
				Name: "no-evict", Arity: 3, Flags: Admin | NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "7.0.0", Cost: "O(1)",
				Summary: "Exempts the connection from being closed to free memory.",
				Args: []Arg{
					{Name: "enabled", Type: "oneof", Args: []Arg{
						{Name: "on", Type: "pure-token", Token: "ON"},
						{Name: "off", Type: "pure-token", Token: "OFF"},
					}},
				},
				Run: runClientNoEvict,
			},
			{
				Name: "no-touch", Arity: 3, Flags: NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "7.2.0", Cost: "O(1)",
				Summary: "Keeps the reads of the connection from counting for eviction.",
				Args: []Arg{
					{Name: "enabled", Type: "oneof", Args: []Arg{
						{Name: "on", Type: "pure-token", Token: "ON"},
						{Name: "off", Type: "pure-token", Token: "OFF"},
					}},
				},
				Run: runClientNoTouch,
			},
			{
				Name: "pause", Arity: -3, Flags: Admin | NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "3.0.0", Cost: "O(1)",
				Summary: "Holds the requests of all clients back for a time.",
				Args: []Arg{
					{Name: "timeout", Type: "integer"},
					{Name: "mode", Type: "oneof", Since: "6.2.0", Optional: true, Args: []Arg{
						{Name: "write", Type: "pure-token", Token: "WRITE"},
						{Name: "all", Type: "pure-token", Token: "ALL"},
					}},
				},
				Run: runClientPause,
			},
			{
				Name: "reply", Arity: 3, Flags: NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "3.2.0", Cost: "O(1)",
				Summary: "Switches the replies to this connection off, on, or off for one request.",
				Args: []Arg{
					{Name: "action", Type: "oneof", Args: []Arg{
						{Name: "on", Type: "pure-token", Token: "ON"},
						{Name: "off", Type: "pure-token", Token: "OFF"},
						{Name: "skip", Type: "pure-token", Token: "SKIP"},
					}},
				},
				Run: runClientReply,
			},
			{
				Name: "setinfo", Arity: 4, Flags: NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "7.2.0", Cost: "O(1)",
				Summary: "Notes the name or version of the client library.",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Args: []Arg{
					{Name: "attr", Type: "oneof", Args: []Arg{
						{Name: "libname", Type: "string", Token: "lib-name"},
						{Name: "libver", Type: "string", Token: "lib-ver"},
					}},
				},
				Run: runClientSetinfo,
			},
			{
				Name: "setname", Arity: 3, Flags: NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "2.6.9", Cost: "O(1)",
				Summary: "Gives the connection a name.",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Args: []Arg{
					{Name: "connection-name", Type: "string"},
				},
				Run: runClientSetname,
			},
			{
				Name: "tracking", Arity: -3, Flags: NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "6.0.0", Cost: "O(1)",
				Summary: "Switches on or off that the client is told when keys it has read change.",
				Args: []Arg{
					{Name: "status", Type: "oneof", Args: []Arg{
						{Name: "on", Type: "pure-token", Token: "ON"},
						{Name: "off", Type: "pure-token", Token: "OFF"},
					}},
					{Name: "client-id", Type: "integer", Token: "REDIRECT", Optional: true},
					{Name: "prefix", Type: "string", Token: "PREFIX", Optional: true, Multiple: true, MultipleToken: true},
					{Name: "BCAST", Type: "pure-token", Token: "BCAST", Optional: true},
					{Name: "OPTIN", Type: "pure-token", Token: "OPTIN", Optional: true},
					{Name: "OPTOUT", Type: "pure-token", Token: "OPTOUT", Optional: true},
					{Name: "NOLOOP", Type: "pure-token", Token: "NOLOOP", Optional: true},
				},
				Run: runClientTracking,
			},
			{
				Name: "trackinginfo", Arity: 2, Flags: NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "6.2.0", Cost: "O(1)",
				Summary: "Tells how this connection tracks keys.",
				Run:     runClientTrackinginfo,
			},
			{
				Name: "unblock", Arity: -3, Flags: Admin | NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "5.0.0", Cost: "O(log N) with N the number of client connections",
				Summary: "Ends the waiting of another client.",
				Args: []Arg{
					{Name: "client-id", Type: "integer"},
					{Name: "unblock-type", Type: "oneof", Optional: true, Args: []Arg{
						{Name: "timeout", Type: "pure-token", Token: "TIMEOUT"},
						{Name: "error", Type: "pure-token", Token: "ERROR"},
					}},
				},
				Run: runClientUnblock,
			},
			{
				Name: "unpause", Arity: 2, Flags: Admin | NoScript | Loading | Stale, Category: CatConnection,
				Group: "connection", Since: "6.2.0", Cost: "O(N)",
				Summary: "Ends a pause.",
				Run:     runClientUnpause,
			},
		},
	},
}
