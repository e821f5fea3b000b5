// Package witness has clients that write to a cluster and know what it must
// hold. Every key belongs to one client, which has one batch of requests under
// way at a time and sends it over one connection, so what a read must return,
// and what a key must hold in the end, is known exactly:
//
//	SET   the value carries a sequence number; the last acknowledged one counts
//	INCR  every reply must be the one before plus one
//	GET   must return what this client wrote last, whichever node it asks
//
// A write that got no reply, or an error, may have been done or not: the key's
// [entry] is a range then, and everything outside of it is still wrong. What
// fails is counted, with its text: nothing is retried.
//
//	Start ─▶ client.run (one goroutine each) ─▶ batch ─▶ Caller ─▶ judge ─▶ tally
//	Cut       what was counted since the last cut
//	Stop      waits for the last replies
//	Verify    reads every key and compares, one by one
package witness
