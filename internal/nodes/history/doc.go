// Package history has clients that share keys of a cluster, records everything
// that they did, and judges it afterwards. Package witness, beside it, knows at
// once what a key must hold because one client owns it; here any client writes
// any key through any node, so that what a fault takes back, or what a deposed
// owner still answers, is seen by somebody.
//
//	Start ─▶ client.run (one goroutine each) ─▶ Op ─▶ Recorder ─▶ file, memory
//	Avoid, Allow   what a load balancer would do about a node that hangs
//	Stop           waits for the last replies
//	ReadAll        reads every key: the end of every history
//	Judge          lost writes, stale reads, linearizability per key (porcupine)
//
// Keys live for a bounded number of operations, so that the check, which is
// exponential in what overlaps, stays small; another key takes the place of one
// that is used up, and all are read in the end.
package history
