// Package membership keeps a node in its cluster: it registers the node, follows
// who else is there and what the view says, does this node's part of every move,
// and, on the one node that is elected, runs the controller.
//
//	configuration service ── watch ─▶ Member ─▶ reconcile ─▶ Reroute (request path)
//	        ▲                            │           ╰─────▶ copies to other nodes
//	        │ view                       ▼ report
//	    controller ◀──────────── every node that moves something
//	 (on the elected node)
//
// One goroutine, the agent, acts for the node; all others only tell it that
// something has changed. What it does follows from the view alone and from what
// this process has (its holdings), so that it may be interrupted anywhere and
// begin again.
package membership
