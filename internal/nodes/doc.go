// Package nodes runs real larder processes for tests and measurements: a
// cluster of them on free loopback ports, each with a data directory of its own
// below one temporary directory.
//
//	binary, err := nodes.Build(ctx, dir)
//	c, err := nodes.Begin(nodes.Options{Binary: binary})
//	defer c.Close()
//	err = c.Grow(ctx, 3)                       // the first forms, the others join
//	err = c.Await(ctx, nodes.Balanced(3))      // until every node says so
//	c.Nodes()[1].Kill()                        // or Pause, Resume, Stop, Start
//
// What a cluster is like is asked of every running node over RESP ([Node.Status])
// and waited for with conditions ([Cluster.Await]), never with a time. What a
// process costs is read from /proc ([Node.CPU], [Node.Anonymous]), on Linux only.
//
// With a [Network] each node is a machine of its own whose packets can be dropped
// and delayed, and with a [Disk] its data directory can fill up and hang: on Linux,
// as root.
//
// [Conn] is a small RESP client that hides nothing: no pool, no retry, and a
// failure is the caller's to see. Package witness, below, writes with it and
// knows afterwards what every key must hold.
//
// Package history, below as well, has clients that share their keys, and judges what
// they saw.
package nodes
