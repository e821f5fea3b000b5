// Package peer is the transport between the nodes of a cluster: it owns a
// listener and the links to other nodes, and knows nothing of what they say.
//
// A [Network] accepts connections and keeps links. A [Link] is the asking side
// of one connection to one node for one purpose (its lane): requests are
// gathered and leave together with one write, replies come back in any order and
// are given to the [Sink] of their request in batches, one per read. The
// answering side is a [Handler]: it opens a [Session] for each connection, which
// is called once per request in the order of arrival and answers at once, in
// place, through a [Batch], or later from anywhere through its [Responder].
//
//	caller            Link                                  Session of the other node
//	Submit/Queue -> pending, outbox --- one write ---> inbox -> Serve, Serve, EndBatch
//	Complete, Flush <- arrived <- inbox <--- one write --- outbox <- Batch, Responder
//
// Both sides prove who they are before anything is said: TLS 1.3 with
// certificates on both sides, then a greeting each way with the cluster, the
// node, its incarnation and the versions it speaks. Large frames and small ones
// share no lane if the callers open one for each, so neither waits for the other.
//
// Everything that can fill up has a limit and a stated answer: [ErrBusy] for
// requests, a pause in serving for replies, a closed connection for a node that
// does not read what it asked for.
package peer
