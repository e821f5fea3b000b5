package command

// configTable are the rows of CONFIG and ACL.
var configTable = []*Command{
	{
		Name: "config", Arity: -2,
		Group: "server", Since: "2.0.0", Cost: "Depends on subcommand",
		Summary: "Subcommands about settings.",
		Sub: []*Command{
			{
				Name: "get", Arity: -3, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "2.0.0", Cost: "O(N)",
				Summary: "Returns the settings whose names match patterns.",
				Args: []Arg{
					{Name: "parameter", Type: "string", Multiple: true},
				},
				Run: runConfigGet,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale,
				Group: "server", Since: "5.0.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runConfigHelp,
			},
			{
				Name: "resetstat", Arity: 2, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "2.0.0", Cost: "O(1)",
				Summary: "Sets the counters to zero.",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Run:     runConfigResetstat,
			},
			{
				Name: "rewrite", Arity: 2, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "2.8.0", Cost: "O(1)",
				Summary: "Writes the settings in force to the configuration file.",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Run:     runConfigRewrite,
			},
			{
				Name: "set", Arity: -4, Flags: Admin | NoScript | Loading | Stale | Slow,
				Group: "server", Since: "2.0.0", Cost: "O(N)",
				Summary: "Changes settings, all of those given or none.",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Args: []Arg{
					{Name: "data", Type: "block", Multiple: true, Args: []Arg{
						{Name: "parameter", Type: "string"},
						{Name: "value", Type: "string"},
					}},
				},
				Run: runConfigSet,
			},
		},
	},
	{
		Name: "acl", Arity: -2,
		Group: "server", Since: "6.0.0", Cost: "Depends on subcommand",
		Summary: "Subcommands about users and what they may do.",
		Sub: []*Command{
			{
				Name: "cat", Arity: -2, Flags: NoScript | Loading | Stale,
				Group: "server", Since: "6.0.0", Cost: "O(1)",
				Summary: "Lists the categories of commands, or the commands of one.",
				Args: []Arg{
					{Name: "category", Type: "string", Optional: true},
				},
				Run: runACLCat,
			},
			{
				Name: "genpass", Arity: -2, Flags: NoScript | Loading | Stale,
				Group: "server", Since: "6.0.0", Cost: "O(1)",
				Summary: "Returns a random password.",
				Args: []Arg{
					{Name: "bits", Type: "integer", Optional: true},
				},
				Run: runACLGenpass,
			},
			{
				Name: "getuser", Arity: 3, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "6.0.0", Cost: "O(N)",
				Summary: "Describes a user.",
				Args: []Arg{
					{Name: "username", Type: "string"},
				},
				Run: runACLGetuser,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale,
				Group: "server", Since: "6.0.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runACLHelp,
			},
			{
				Name: "list", Arity: 2, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "6.0.0", Cost: "O(N)",
				Summary: "Lists the rules of all users.",
				Run:     runACLList,
			},
			{
				Name: "users", Arity: 2, Flags: Admin | NoScript | Loading | Stale,
				Group: "server", Since: "6.0.0", Cost: "O(N)",
				Summary: "Lists the names of all users.",
				Run:     runACLUsers,
			},
			{
				Name: "whoami", Arity: 2, Flags: NoScript | Loading | Stale,
				Group: "server", Since: "6.0.0", Cost: "O(1)",
				Summary: "Returns the name of the user of this connection.",
				Run:     runACLWhoami,
			},
		},
	},
}
