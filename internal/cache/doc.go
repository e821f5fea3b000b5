// Package cache is the cache service: the operations that the commands of RESP
// and the HTTP gateway share, so that hit and miss, namespaces, sources and
// their counters exist once.
//
// A read goes through [Cache.Lookup]: a hit is counted and told to the eviction
// policy; a miss of a key that a source could supply is noted in [Reads]. The
// caller then lets go of all locks, calls [Cache.Load], and reads again: what
// the source has returned lies in the engine by then. A fill that a write has
// overtaken is not stored (see [memory.Handle.Watch]), but loaded again.
//
// Read-through works in database 0: namespaces name keys, not databases.
package cache
