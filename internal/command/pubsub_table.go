package command

// pubsubTable are the rows of publish and subscribe.
var pubsubTable = []*Command{
	{
		Name: "publish", Arity: 3, Flags: PubSub | Loading | Stale | Fast,
		Group: "pubsub", Since: "2.0.0", Cost: "O(N+M) with N the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client)",
		Summary: "Sends a message to the subscribers of a channel.",
		Args: []Arg{
			{Name: "channel", Type: "string"},
			{Name: "message", Type: "string"},
		},
		Run: runPublish,
	},
	{
		Name: "subscribe", Arity: -2, Flags: PubSub | NoScript | Loading | Stale | InQueue,
		Group: "pubsub", Since: "2.0.0", Cost: "O(N) with N the number of channels to subscribe to",
		Summary: "Listens to channels.",
		Args: []Arg{
			{Name: "channel", Type: "string", Multiple: true},
		},
		Run: runSubscribe,
	},
	{
		Name: "unsubscribe", Arity: -1, Flags: PubSub | NoScript | Loading | Stale | InQueue,
		Group: "pubsub", Since: "2.0.0", Cost: "O(N) with N the number of channels to unsubscribe",
		Summary: "Stops listening to some channels, or all.",
		Args: []Arg{
			{Name: "channel", Type: "string", Optional: true, Multiple: true},
		},
		Run: runUnsubscribe,
	},
	{
		Name: "psubscribe", Arity: -2, Flags: PubSub | NoScript | Loading | Stale | InQueue,
		Group: "pubsub", Since: "2.0.0", Cost: "O(N) with N the number of patterns to subscribe to",
		Summary: "Listens to the channels whose names match patterns.",
		Args: []Arg{
			{Name: "pattern", Type: "pattern", Multiple: true},
		},
		Run: runPsubscribe,
	},
	{
		Name: "punsubscribe", Arity: -1, Flags: PubSub | NoScript | Loading | Stale | InQueue,
		Group: "pubsub", Since: "2.0.0", Cost: "O(N) with N the number of patterns to unsubscribe",
		Summary: "Stops listening to some patterns, or all.",
		Args: []Arg{
			{Name: "pattern", Type: "pattern", Optional: true, Multiple: true},
		},
		Run: runPunsubscribe,
	},
	{
		Name: "spublish", Arity: 3, Flags: PubSub | Loading | Stale | Fast,
		Group: "pubsub", Since: "7.0.0", Cost: "O(N) with N the number of clients subscribed to the receiving shard channel",
		Summary: "Sends a message to the subscribers of a shard channel.",
		Keys: []KeySpec{
			{First: 1, Step: 1, Flags: KeyNotKey},
		},
		Args: []Arg{
			{Name: "shardchannel", Type: "string"},
			{Name: "message", Type: "string"},
		},
		Run: runSpublish,
	},
	{
		Name: "ssubscribe", Arity: -2, Flags: PubSub | NoScript | Loading | Stale | InQueue,
		Group: "pubsub", Since: "7.0.0", Cost: "O(N) with N the number of shard channels to subscribe to",
		Summary: "Listens to shard channels.",
		Keys: []KeySpec{
			{First: 1, Last: -1, Step: 1, Flags: KeyNotKey},
		},
		Args: []Arg{
			{Name: "shardchannel", Type: "string", Multiple: true},
		},
		Run: runSsubscribe,
	},
	{
		Name: "sunsubscribe", Arity: -1, Flags: PubSub | NoScript | Loading | Stale | InQueue,
		Group: "pubsub", Since: "7.0.0", Cost: "O(N) with N the number of shard channels to unsubscribe",
		Summary: "Stops listening to some shard channels, or all.",
		Keys: []KeySpec{
			{First: 1, Last: -1, Step: 1, Flags: KeyNotKey},
		},
		Args: []Arg{
			{Name: "shardchannel", Type: "string", Optional: true, Multiple: true},
		},
		Run: runSunsubscribe,
	},
	{
		Name: "pubsub", Arity: -2,
		Group: "pubsub", Since: "2.8.0", Cost: "Depends on subcommand",
		Summary: "Subcommands about subscriptions.",
		Sub: []*Command{
			{
				Name: "channels", Arity: -2, Flags: PubSub | Loading | Stale,
				Group: "pubsub", Since: "2.8.0", Cost: "O(N) with N the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
				Summary: "Lists the channels somebody listens to.",
				Args: []Arg{
					{Name: "pattern", Type: "pattern", Optional: true},
				},
				Run: runPubsubChannels,
			},
			{
				Name: "help", Arity: 2, Flags: Loading | Stale,
				Group: "pubsub", Since: "6.2.0", Cost: "O(1)",
				Summary: "Lists the subcommands.",
				Run:     runPubsubHelp,
			},
			{
				Name: "numpat", Arity: 2, Flags: PubSub | Loading | Stale,
				Group: "pubsub", Since: "2.8.0", Cost: "O(1)",
				Summary: "Returns the number of patterns somebody listens to.",
				Run:     runPubsubNumpat,
			},
			{
				Name: "numsub", Arity: -2, Flags: PubSub | Loading | Stale,
				Group: "pubsub", Since: "2.8.0", Cost: "O(N)",
				Summary: "Counts the subscribers of channels.",
				Args: []Arg{
					{Name: "channel", Type: "string", Optional: true, Multiple: true},
				},
				Run: runPubsubNumsub,
			},
			{
				Name: "shardchannels", Arity: -2, Flags: PubSub | Loading | Stale,
				Group: "pubsub", Since: "7.0.0", Cost: "O(N) with N the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels)",
				Summary: "Lists the shard channels somebody listens to.",
				Args: []Arg{
					{Name: "pattern", Type: "pattern", Optional: true},
				},
				Run: runPubsubShardchannels,
			},
			{
				Name: "shardnumsub", Arity: -2, Flags: PubSub | Loading | Stale,
				Group: "pubsub", Since: "7.0.0", Cost: "O(N)",
				Summary: "Counts the subscribers of shard channels.",
				Args: []Arg{
					{Name: "shardchannel", Type: "string", Optional: true, Multiple: true},
				},
				Run: runPubsubShardnumsub,
			},
		},
	},
}
