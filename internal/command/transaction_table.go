package command

// transactionTable are the rows of the commands of transactions.
var transactionTable = []*Command{
	{
		Name: "multi", Arity: 1, Flags: NoScript | Loading | Stale | Fast | AllowBusy, Category: CatTransaction,
		Group: "transactions", Since: "1.2.0", Cost: "O(1)",
		Summary: "Begins a transaction: the requests that follow are kept for EXEC.",
		Run:     runMulti,
	},
	{
		Name: "exec", Arity: 1, Flags: NoScript | Loading | Stale | SkipSlowLog, Category: CatTransaction,
		Group: "transactions", Since: "1.2.0", Cost: "Depends on commands in the transaction",
		Summary: "Runs the requests of a transaction without anybody else in between.",
		Run:     runExec,
	},
	{
		Name: "discard", Arity: 1, Flags: NoScript | Loading | Stale | Fast | AllowBusy, Category: CatTransaction,
		Group: "transactions", Since: "2.0.0", Cost: "O(N), when N is the number of queued commands",
		Summary: "Forgets the requests of a transaction.",
		Run:     runDiscard,
	},
	{
		Name: "watch", Arity: -2, Flags: NoScript | Loading | Stale | Fast | AllowBusy, Category: CatTransaction,
		Group: "transactions", Since: "2.2.0", Cost: "O(1) for every key.",
		Summary: "Lets the next EXEC run only if keys have not changed until then.",
		Keys:    keyRange(1, -1, 1, KeyRO),
		Args:    []Arg{{Name: "key", Type: "key", KeySpec: 1, Multiple: true}},
		Run:     runWatch,
	},
	{
		Name: "unwatch", Arity: 1, Flags: NoScript | Loading | Stale | Fast | AllowBusy, Category: CatTransaction,
		Group: "transactions", Since: "2.2.0", Cost: "O(1)",
		Summary: "Forgets the keys of WATCH.",
		Run:     runUnwatch,
	},
}
