package identity

import (
	"fmt"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// Reason says in a word why a node was not let in. It travels with the answer
// and names a counter.
type Reason string

// The reasons.
const (
	// ReasonRefused is all that a stranger is told.
	ReasonRefused Reason = "refused"
	// ReasonForm: the other side speaks no form of the handshake known here.
	ReasonForm Reason = "form"
	// ReasonMalformed: a request that no release of larder would send.
	ReasonMalformed Reason = "malformed"
	// ReasonRate: too many failures from that address.
	ReasonRate Reason = "rate"
	// ReasonNoToken: no token and no certificate, and not both on one machine.
	ReasonNoToken Reason = "no-token"
	// ReasonTokenUnknown: the cluster has no grant for the secret.
	ReasonTokenUnknown Reason = "token-unknown"
	// ReasonTokenExpired: the token was good once.
	ReasonTokenExpired Reason = "token-expired"
	// ReasonTokenUsed: as many nodes as it was for have joined with it.
	ReasonTokenUsed Reason = "token-used"
	// ReasonCluster: token or data directory are of another cluster.
	ReasonCluster Reason = "cluster"
	// ReasonClock: the clocks are more than an hour apart.
	ReasonClock Reason = "clock"
	// ReasonAddress: an address that others cannot use.
	ReasonAddress Reason = "address"
	// ReasonUnreachable: the member cannot connect to the joiner.
	ReasonUnreachable Reason = "unreachable"
	// ReasonAlive: a node of that id is at work.
	ReasonAlive Reason = "alive"
	// ReasonLeft: the node was removed; its id does not return.
	ReasonLeft Reason = "left"
	// ReasonUnavailable: the member cannot decide now; later, or another can.
	ReasonUnavailable Reason = "unavailable"
)

// Reasons are all of them, in the order above.
func Reasons() []Reason {
	return []Reason{
		ReasonRefused, ReasonForm, ReasonMalformed, ReasonRate, ReasonNoToken, ReasonTokenUnknown, ReasonTokenExpired, ReasonTokenUsed,
		ReasonCluster, ReasonClock, ReasonAddress, ReasonUnreachable, ReasonAlive, ReasonLeft, ReasonUnavailable,
	}
}

// Refusal is the error of a node that was not let in, on both sides. Text says
// what to do about it. errors.Is(err, &Refusal{Reason: r}) asks for a reason.
type Refusal struct {
	Reason Reason `json:"reason"`
	Text   string `json:"text"`
}

func (r *Refusal) Error() string { return r.Text }

// Is compares reasons.
func (r *Refusal) Is(target error) bool {
	t, ok := target.(*Refusal)
	return ok && t != nil && r != nil && t.Reason == r.Reason && (t.Text == "" || t.Text == r.Text)
}

// refuse makes a refusal.
func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Text: fmt.Sprintf(format, args...)}
}

// apart refuses clocks that differ too much; nil when they do not. Whose are in
// words.
func apart(mine, theirs time.Time, me, them string) *Refusal {
	difference := theirs.Sub(mine)
	if difference.Abs() <= MaxSkew {
		return nil
	}
	way := "ahead of"
	if difference < 0 {
		way = "behind"
	}
	return refuse(ReasonClock, "the clock of %s (%s) is %s %s that of %s (%s), more than %s: set the clocks, best by NTP",
		them, clockText(theirs), difference.Abs().Round(time.Second), way, me, clockText(mine), "an hour")
}

// Registered is what the cluster knows of a node id.
type Registered struct {
	Known bool
	Node  cluster.Node
	// Alive: the node has a lease now.
	Alive bool
}

// refuseKnown judges a node that asks to join by what is known of its id; nil
// when there is nothing against it.
func refuseKnown(r Registered, asks cluster.Node) *Refusal {
	switch {
	case !r.Known:
		return nil
	case r.Node.State == cluster.Left:
		return refuse(ReasonLeft, "node %s was removed from the cluster and its id does not return: start with an empty --data-dir", asks.ID.Short())
	case !r.Alive:
		return nil
	case r.Node.Peer == asks.Peer:
		return refuse(ReasonAlive, "node %s has joined already, at %s, and is alive: if it has just died, wait until its lease ends and try again", asks.ID.Short(), r.Node.Peer)
	}
	return refuse(ReasonAlive, "node %s is alive at %s, so it cannot join again at %s: a data directory must not be copied; start with an empty --data-dir",
		asks.ID.Short(), r.Node.Peer, asks.Peer)
}
