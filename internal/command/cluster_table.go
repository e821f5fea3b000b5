package command

// clusterTable are the rows of the commands of Redis Cluster. This listener is no
// part of one and says so; clients probe for it.
var clusterTable = []*Command{
	{
		Name: "cluster", Arity: -2,
		Group: "cluster", Since: "3.0.0", Cost: "Depends on subcommand",
		Summary: "Subcommands about Redis Cluster, which this listener does not speak.",
		Sub: []*Command{
			{
				Name: "countkeysinslot", Arity: 3, Flags: Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(1)",
				Summary: "Counts the keys of a slot.",
				Args: []Arg{
					{Name: "slot", Type: "integer"},
				},
				Run: runClusterDisabled,
			},
			{
				Name: "getkeysinslot", Arity: 4, Flags: Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(N) with N the number of requested keys",
				Summary: "Lists keys of a slot.",
				Tips:    []string{"nondeterministic_output"},
				Args: []Arg{
					{Name: "slot", Type: "integer"},
					{Name: "count", Type: "integer"},
				},
				Run: runClusterDisabled,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale,
				Group: "cluster", Since: "5.0.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runClusterDisabled,
			},
			{
				Name: "info", Arity: 2, Flags: Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(1)",
				Summary: "Describes the state of the cluster.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterDisabled,
			},
			{
				Name: "keyslot", Arity: 3, Flags: Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(N) with N the number of bytes in the key",
				Summary: "Returns the slot of a key.",
				Args: []Arg{
					{Name: "key", Type: "string"},
				},
				Run: runClusterDisabled,
			},
			{
				Name: "links", Arity: 2, Flags: Stale,
				Group: "cluster", Since: "7.0.0", Cost: "O(N) with N the total number of Cluster nodes",
				Summary: "Lists the connections to other nodes.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterDisabled,
			},
			{
				Name: "myid", Arity: 2, Flags: Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(1)",
				Summary: "Returns the id of the node.",
				Run:     runClusterDisabled,
			},
			{
				Name: "myshardid", Arity: 2, Flags: Stale,
				Group: "cluster", Since: "7.2.0", Cost: "O(1)",
				Summary: "Returns the id of the shard of the node.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterDisabled,
			},
			{
				Name: "nodes", Arity: 2, Flags: Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(N) with N the total number of Cluster nodes",
				Summary: "Describes the nodes, one a line.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterDisabled,
			},
			{
				Name: "replicas", Arity: 3, Flags: Admin | Stale,
				Group: "cluster", Since: "5.0.0", Cost: "O(N) with N the number of replicas",
				Summary: "Lists the replicas of a node.",
				Tips:    []string{"nondeterministic_output"},
				Args: []Arg{
					{Name: "node-id", Type: "string"},
				},
				Run: runClusterDisabled,
			},
			{
				Name: "shards", Arity: 2, Flags: Loading | Stale,
				Group: "cluster", Since: "7.0.0", Cost: "O(N) with N the total number of cluster nodes",
				Summary: "Describes which shards have which slots.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterDisabled,
			},
			{
				Name: "slots", Arity: 2, Flags: Loading | Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(N) with N the total number of Cluster nodes", DeprecatedSince: "7.0.0", ReplacedBy: "`CLUSTER SHARDS`",
				Summary: "Describes which nodes have which slots.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterDisabled,
			},
		},
	},
	{
		Name: "readonly", Arity: 1, Flags: Loading | Stale | Fast, Category: CatConnection,
		Group: "cluster", Since: "3.0.0", Cost: "O(1)",
		Summary: "Allows reads from a replica of a cluster.",
		Run:     runClusterDisabled,
	},
	{
		Name: "readwrite", Arity: 1, Flags: Loading | Stale | Fast, Category: CatConnection,
		Group: "cluster", Since: "3.0.0", Cost: "O(1)",
		Summary: "Takes READONLY back.",
		Run:     runClusterDisabled,
	},
	{
		Name: "asking", Arity: 1, Flags: Fast, Category: CatConnection,
		Group: "cluster", Since: "3.0.0", Cost: "O(1)",
		Summary: "Announces a request that follows a redirection of a cluster.",
		Run:     runClusterDisabled,
	},
}
