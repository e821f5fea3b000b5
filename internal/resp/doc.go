// Package resp turns bytes into requests and replies into bytes: the Redis
// serialization protocol, versions 2 and 3, without any I/O.
//
// A connection feeds what it has read to [Parser.Next] and gets back one
// request at a time, as slices into its own read buffer. A command writes its
// reply with the methods of a [Writer], which knows the version the client has
// chosen and appends to the connection's write buffer. Values too large to be
// copied are attached to the reply with [Writer.BulkRef] and leave by writev.
//
// The format is described at https://redis.io/docs/latest/develop/reference/protocol-spec/.
package resp
