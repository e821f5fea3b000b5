// Package controller decides how the view changes: who gets a partition, when
// it moves, when its new owner takes over, who follows an owner that is dead.
// It is pure: [Controller.Decide] gets all that is known and the time, and
// returns the next view, or none. It does no I/O and reads no clock; membership
// runs it on the elected node and writes what it decides, simulate runs it in
// whole clusters of one process.
//
// A partition moves in these steps, each of which is a row of the view:
//
//	owner A, target -, epoch 7    at rest
//	owner A, target B, epoch 7    A sends B what it has, then all that changes
//	owner B, target B, epoch 8    A has reported «caught up»; A, when it sees
//	                              this, executes nothing more and sends the
//	                              last writes and HANDOVER(partition, 8); B
//	                              serves from then on
//	owner B, target -, epoch 8    B has reported «arrived»; A may forget it
//
// The third step also ends without a handover when no living node can hold the
// former owner's copy: the target is taken away, which tells B to serve with
// what it has.
//
// A move that is given up raises the epoch too, with the owner unchanged:
//
//	owner A, target -, epoch 8    B died, or is to be emptied, or A failed
//
// so that (partition, epoch, target) names one attempt, and a late report of
// an earlier one is recognized.
//
// In a cluster that keeps copies a partition has learners and nodes in sync, and
// moves by way of the latter. Written with ~ and +:
//
//	owner A, epoch 7              at rest, with one copy less than wanted
//	owner A, epoch 7, ~B          A sends B what it has, then all that changes
//	owner A, epoch 7, +B          A has reported B as caught up, and requires its
//	                              acknowledgements since before it did
//	owner B, epoch 8              A is dead or silent; B has promised epoch 8,
//	                              after which it takes nothing of epoch 7, and of
//	                              all in sync that are there it has most
//	owner B, target B, epoch 8, +A    or, planned: A hands over and stays a copy
//
// In the last of these B may serve without the handover, as one that was promoted.
// An owner and copies that are all gone leave the row as it is, until one of
// them returns or an operator accepts the loss.
//
// What follows from the ring is decided anew every time, from the view alone;
// a controller that takes over from another needs nothing from it.
//
// Invariant: a row is in one of these steps and leaves it for the next one or
// for being given up; see [Check].
package controller
