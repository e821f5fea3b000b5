// Package loadgen puts a server under a described load and measures it. It
// speaks RESP2, RESP3 and memcached's text and meta protocols, so that larder
// and its peers are measured by one and the same client.
//
// A run goes through these steps, in call order:
//
//	Run            run.go       connect, preload, warm up, measure, merge
//	worker         worker.go    one goroutine: some sessions, one generator, one tally
//	drive          poll_linux.go (epoll) or blocking.go (a goroutine per connection)
//	session.fill   session.go   requests -> bytes, through op.encode (op.go)
//	session.feed   session.go   bytes -> replies, through resp.go or memcached.go
//	tally          tally.go     histograms, hits, errors; one per worker, merged at the end
//
// In a closed loop a connection sends its next batch when all replies to the
// last have arrived. In an open loop requests have an intended start, fixed
// before the run, and latency counts from there: a server that stalls for a
// second is charged for every request that should have started in that second,
// sent or not (no coordinated omission).
//
// The client shares the machine with the server it measures, so a request
// allocates nothing, a batch costs one write and, as a rule, one read, and the
// processor time of the client itself is part of every result.
package loadgen
