// Package command runs the requests of clients: the table of commands as data,
// and one file for each family of them.
//
// The way of a request:
//
//	server ── Begin, Execute, End ──▶ Executor (executor.go)
//	             Table.Find (table.go): the row of the command
//	             checked: only when something is special about the client or the
//	                      server: password, subscription, tracking, MONITOR, pause
//	             run: the handler, with a Context (context.go): Lock, Lookup, Reply
//	             enqueue, exec (transaction.go): between MULTI and EXEC
//	             answered: a miss that a source can fill parks, loads, runs again
//	             stats.go: counts and times, once per batch
//
// Begin and End are the doors of isolation: what happens between them is not
// interrupted by the transaction of another client, except where a command waits.
//
// A [Session] is one client's state; the goroutine that executes its requests
// owns it. What others see of it is in its fields named shared, or behind its
// lock. An [Observer] brings news from the engine: keys that have changed are
// told to clients that track them (tracking.go), expired and evicted ones are
// published (notify.go).
//
// Locks, in the order in which they may be taken: the lanes of isolation.go,
// which keep everybody else out while a transaction runs; a key of the engine; the
// tracker's; the register of sessions; the subscriptions. [Link.Push], called
// behind all of them, never blocks.
package command
