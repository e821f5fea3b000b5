// Package server carries bytes between sockets and the commands: listeners,
// event loops, connections.
//
// The way of a request, on a system with event loops:
//
//	accept (loop 0)    a socket is accepted, admitted, and dealt to the loop with fewest
//	loop.serve         one read takes what has arrived into the loop's buffer
//	conn.execute       resp.Parser finds the requests, Executor runs them one by one
//	loop.settle        one write sends all the replies
//
// What can not be finished at once is kept by the connection: the beginning of
// a request (conn.in), a large argument on its way into engine memory
// (conn.intake), output the socket does not take (the session's resp.Writer).
// A request that has to wait leaves the loop: loop.park hands the connection to
// a goroutine which brings it back.
//
// Messages from others (publish, invalidation, monitor, kill) lie in the
// connection's mailbox until its owner delivers them between two replies.
//
// Where there is no epoll, and when asked for, a goroutine per connection does
// the same with the same parts; see goConn.
package server
