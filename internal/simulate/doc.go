// Package simulate runs whole clusters in one process, from a seed: the real
// controller and views, over a network, a configuration service and nodes that
// are played. Time is virtual, everything happens in one goroutine and in an
// order that the seed decides, so that a failure comes back with its seed.
//
//	clock      events in the order of time
//	network    loss, delay, reordering, cuts in one direction or both
//	store      the configuration service: view, leases, election; may be away
//	node       a process: follows the view, serves, sends and receives partitions
//	lead       the controller on the node that is elected
//	client     requests through any node, with whatever view it has
//	copies     the same with replicas: acknowledgements, promises, leases
//	promises   what must hold of them, and the controller's part
//	check      what must hold at all times
//	faults     what goes wrong, drawn from the seed
//	story      the same by hand: commands in, a transcript out
//
// What is played and not real is as coarse as the promises permit: a partition
// is the number of writes it has had, sending it takes a while, and a node that
// starts waits for its first view from the store.
package simulate
