// Package cluster has the vocabulary of many nodes: who they are ([Node]), who
// holds what ([View]), and the table that requests are routed by ([Routes]). It
// is pure: values in, values out.
//
// The view is one immutable value with a version. The controller alone writes
// it (cluster/controller decides, cluster/membership stores it in the
// configuration service); every node gets it by watch and derives its Routes,
// which the request path reads through an atomic pointer.
//
// Below this package stand peer (links between nodes), controller (decisions),
// identity (who may join) and membership (what keeps all of it going).
package cluster
