package command

// clusterTable are the rows of the commands of Redis Cluster. A node on its own
// has none and says so; clients probe for it.
var clusterTable = []*Command{
	{
		Name: "cluster", Arity: -2,
		Group: "cluster", Since: "3.0.0", Cost: "Depends on subcommand",
		Summary: "A container for Redis Cluster commands.",
		Sub: []*Command{
			{
				Name: "countkeysinslot", Arity: 3, Flags: Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(1)",
				Summary: "Counts the keys of a slot.",
				Args: []Arg{
					{Name: "slot", Type: "integer"},
				},
				Run: runClusterCountKeysInSlot,
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
				Run: runClusterGetKeysInSlot,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale,
				Group: "cluster", Since: "5.0.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runClusterHelp,
			},
			{
				Name: "info", Arity: 2, Flags: Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(1)",
				Summary: "Describes the state of the cluster.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterInfo,
			},
			{
				Name: "keyslot", Arity: 3, Flags: Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(N) with N the number of bytes in the key",
				Summary: "Returns the slot of a key.",
				Args: []Arg{
					{Name: "key", Type: "string"},
				},
				Run: runClusterKeySlot,
			},
			{
				Name: "links", Arity: 2, Flags: Stale,
				Group: "cluster", Since: "7.0.0", Cost: "O(N) with N the total number of Cluster nodes",
				Summary: "Lists the connections to other nodes.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterLinks,
			},
			{
				Name: "myid", Arity: 2, Flags: Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(1)",
				Summary: "Returns the id of the node.",
				Run:     runClusterMyID,
			},
			{
				Name: "myshardid", Arity: 2, Flags: Stale,
				Group: "cluster", Since: "7.2.0", Cost: "O(1)",
				Summary: "Returns the id of the shard of the node.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterMyID,
			},
			{
				Name: "nodes", Arity: 2, Flags: Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(N) with N the total number of Cluster nodes",
				Summary: "Describes the nodes, one a line.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterNodes,
			},
			{
				Name: "replicas", Arity: 3, Flags: Admin | Stale,
				Group: "cluster", Since: "5.0.0", Cost: "O(N) with N the number of replicas",
				Summary: "Lists the replicas of a node.",
				Tips:    []string{"nondeterministic_output"},
				Args: []Arg{
					{Name: "node-id", Type: "string"},
				},
				Run: runClusterReplicas,
			},
			{
				Name: "shards", Arity: 2, Flags: Loading | Stale,
				Group: "cluster", Since: "7.0.0", Cost: "O(N) with N the total number of cluster nodes",
				Summary: "Describes which shards have which slots.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterShards,
			},
			{
				Name: "slot-stats", Arity: -4, Flags: Stale,
				Group: "cluster", Since: "8.0.0", Cost: "O(N) where N is the total number of slots based on arguments. O(N*log(N)) with ORDERBY subcommand.",
				Summary: "Counts the keys of slots.",
				Tips:    []string{"nondeterministic_output"},
				Args: []Arg{
					{Name: "filter", Type: "oneof", Args: []Arg{
						{Name: "slotsrange", Type: "block", Token: "SLOTSRANGE", Args: []Arg{
							{Name: "start-slot", Type: "integer"}, {Name: "end-slot", Type: "integer"},
						}},
						{Name: "orderby", Type: "block", Token: "ORDERBY", Args: []Arg{
							{Name: "metric", Type: "string"},
							{Name: "limit", Type: "integer", Token: "LIMIT", Optional: true},
							{Name: "order", Type: "oneof", Optional: true, Args: []Arg{
								{Name: "asc", Type: "pure-token", Token: "ASC"}, {Name: "desc", Type: "pure-token", Token: "DESC"},
							}},
						}},
					}},
				},
				Run: runClusterSlotStats,
			},
			{
				Name: "slots", Arity: 2, Flags: Loading | Stale,
				Group: "cluster", Since: "3.0.0", Cost: "O(N) with N the total number of Cluster nodes", DeprecatedSince: "7.0.0", ReplacedBy: "`CLUSTER SHARDS`",
				Summary: "Describes which nodes have which slots.",
				Tips:    []string{"nondeterministic_output"},
				Run:     runClusterSlots,
			},
		},
	},
	{
		Name: "readonly", Arity: 1, Flags: Loading | Stale | Fast, Category: CatConnection,
		Group: "cluster", Since: "3.0.0", Cost: "O(1)",
		Summary: "Allows reads from a replica of a cluster.",
		Run:     runReadonly,
	},
	{
		Name: "readwrite", Arity: 1, Flags: Loading | Stale | Fast, Category: CatConnection,
		Group: "cluster", Since: "3.0.0", Cost: "O(1)",
		Summary: "Takes READONLY back.",
		Run:     runReadwrite,
	},
	{
		Name: "asking", Arity: 1, Flags: Fast, Category: CatConnection,
		Group: "cluster", Since: "3.0.0", Cost: "O(1)",
		Summary: "Announces a request that follows a redirection of a cluster.",
		Run:     runClusterOK,
	},
}
