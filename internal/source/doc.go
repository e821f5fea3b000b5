// Package source answers a missed key from where its data lives.
//
// A namespace names a [Pattern] (user:{id}), a query and a source. On a miss the
// cache service calls [Loader.Load]: the pattern takes the key apart, callers
// of the same key share one flight, the flight passes the source's [Gate]
// (concurrency limit, circuit breaker, time-out) and asks the namespace's
// [Lookup]. What comes back is handed to the leader's [Fill] once, before any
// waiter sees it, so that the entry is stored before the answers leave:
//
//	key -> Pattern -> flight -> Gate -> Lookup -> Fill -> every waiter
//
// The implementations are one package each: source/sqlite, source/postgres.
// What to store, for how long, and whether a stale entry may be served is the
// cache service's decision; [JitterTTL] and [EarlyRefresh] are its arithmetic.
package source
