package command

import (
	"context"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// ClusterAdmin is what operators do with a cluster, for LARDER CLUSTER: what a
// [Membership] may be as well. An error may have a method Code() string, the
// code of the reply; others are ERR. What to do about it stands behind a
// semicolon. It is safe for concurrent use.
type ClusterAdmin interface {
	ClusterControl
	JoinTokens
	Coordinators
}

// ClusterControl shows what the nodes of a cluster hold, and changes it.
type ClusterControl interface {
	// Status returns the state of the cluster as this node knows it.
	Status(ctx context.Context) (ClusterStatus, error)
	// Plan returns what the controller wants to do, were nothing paused.
	Plan(ctx context.Context) (ClusterPlan, error)
	// Change asks for something and returns remarks on what was so already. It does
	// not wait until it is done.
	Change(ctx context.Context, change ClusterChange) (notes []string, err error)
}

// JoinTokens let nodes in.
type JoinTokens interface {
	// CreateToken makes a token. Its text is not kept anywhere.
	CreateToken(ctx context.Context, terms TokenTerms) (text string, token JoinToken, err error)
	Tokens(ctx context.Context) ([]JoinToken, error)
	// RevokeToken takes a token back, by its id.
	RevokeToken(ctx context.Context, id string) error
}

// Coordinators are the nodes that run the configuration service.
type Coordinators interface {
	Coordinators(ctx context.Context) ([]Coordinator, error)
	// ReplaceCoordinator gives the part of a node, which need not be alive, to
	// another one: a certain one, or one that it chooses when none is named.
	ReplaceCoordinator(ctx context.Context, former, next, author string) (notes []string, err error)
}

// ClusterVerb is what a [ClusterChange] asks for.
type ClusterVerb string

// The verbs.
const (
	VerbDrain     ClusterVerb = "drain"     // empty a node, which stays a member
	VerbActivate  ClusterVerb = "activate"  // let it own partitions again
	VerbRemove    ClusterVerb = "remove"    // empty it and let it go; Force: one that is dead
	VerbMove      ClusterVerb = "move"      // partitions are to be on a node
	VerbRelease   ClusterVerb = "release"   // partitions are the ring's again; none: all
	VerbPause     ClusterVerb = "pause"     // nothing moves for the sake of balance
	VerbResume    ClusterVerb = "resume"    // it does again
	VerbRebalance ClusterVerb = "rebalance" // look at once at what is to be moved
	VerbFailover  ClusterVerb = "failover"  // other nodes own what they have in sync with a node, which stays a copy
	VerbRestart   ClusterVerb = "restart"   // a node ends in order and starts again
	// VerbAcceptLoss lets partitions begin empty of which nobody who is there has
	// everything.
	VerbAcceptLoss ClusterVerb = "accept-loss"
)

// ClusterChange is a request of an operator. Node is as people name nodes: its
// name, id or the beginning of it, or an address; empty for the node asked.
type ClusterChange struct {
	Verb       ClusterVerb
	Node       string
	Partitions []int
	Force      bool
	Author     string
}

// ClusterStatus is the state of a cluster. The document grows by new fields only.
type ClusterStatus struct {
	Cluster    string         `json:"cluster"`
	Self       cluster.NodeID `json:"self"`
	Controller cluster.NodeID `json:"controller,omitempty"`
	View       uint64         `json:"view"`
	// Service is "ok", or what is wrong with the configuration service.
	Service string        `json:"service"`
	Nodes   []ClusterNode `json:"nodes"`
	// Partitions without an owner, and with one that is down.
	Unowned  int `json:"unowned"`
	Unserved int `json:"unserved"`
	// Partitions with fewer copies in sync than are wanted.
	Undercopied int `json:"undercopied"`
	// Unavailable are those that nobody can serve although copies are kept.
	Unavailable []ClusterUnavailable `json:"unavailable,omitempty"`
	// Moves are those under way; Done of All of the rebalance are finished.
	Moves []ClusterMove `json:"moves"`
	Done  int           `json:"done"`
	All   int           `json:"all"`
	// Bytes of about Total have been sent for the moves under way.
	Bytes uint64 `json:"bytes"`
	Total uint64 `json:"total"`
	// Held says why wanted moves do not begin; empty otherwise.
	Held     string `json:"held,omitempty"`
	Paused   bool   `json:"paused"`
	PausedBy string `json:"paused_by,omitempty"`
	Pinned   int    `json:"pinned"`   // partitions that operators have sent somewhere
	Replicas int    `json:"replicas"` // copies of a partition that are wanted
	// Settings is the current revision of the settings; 0: there is none.
	Settings int64 `json:"settings"`
	// Away: the node has started without the configuration service and serves by
	// what was known last.
	Away bool `json:"away"`
}

// ClusterNode is a node in a [ClusterStatus].
type ClusterNode struct {
	cluster.Node
	Alive      bool      `json:"alive"`
	Since      time.Time `json:"since,omitzero"` // of the process
	Controller bool      `json:"controller"`
	Partitions int       `json:"partitions"`
	Leaving    int       `json:"moving_out"`
	Coming     int       `json:"moving_in"`
	// Incarnation rises with every start of the node.
	Incarnation uint64 `json:"incarnation"`
	// Aside: the node owns only what no other node has in sync. Replaceable counts
	// the partitions that it owns, and another node could at once.
	Aside       bool `json:"aside"`
	Replaceable int  `json:"replaceable"`
	// Answers: the node was asked for the rest, and has answered.
	Answers     bool   `json:"answers"`
	MemoryUsed  uint64 `json:"memory_used"`
	MemoryMax   uint64 `json:"memory_max"` // 0: no limit
	ViewInForce uint64 `json:"view"`
	Settings    int64  `json:"settings"` // revision in force there
}

// ClusterMove is one partition under way. From is empty once it has its new
// owner, who waits for the last writes.
type ClusterMove struct {
	Partition int            `json:"partition"`
	From      cluster.NodeID `json:"from,omitempty"`
	To        cluster.NodeID `json:"to"`
	Bytes     uint64         `json:"bytes"`
	Total     uint64         `json:"total"`
}

// ClusterUnavailable are partitions that wait for one of the nodes to be back, or,
// when none is named, for an operator: every process that had all of them has
// ended.
type ClusterUnavailable struct {
	Partitions []int            `json:"partitions"`
	For        []cluster.NodeID `json:"for,omitempty"`
}

// ClusterPlan is what a rebalance would do.
type ClusterPlan struct {
	Nodes []PlannedNode `json:"nodes"`
	Moves []PlannedMove `json:"moves"`
}

// PlannedNode counts the partitions of a node before and after.
type PlannedNode struct {
	ID     cluster.NodeID `json:"id"`
	Name   string         `json:"name"`
	Before int            `json:"before"`
	After  int            `json:"after"`
	In     int            `json:"in"`
	Out    int            `json:"out"`
}

// PlannedMove is one partition that is to be elsewhere.
type PlannedMove struct {
	Partition int            `json:"partition"`
	From      cluster.NodeID `json:"from,omitempty"` // empty: nobody has it
	To        cluster.NodeID `json:"to"`
	Begun     bool           `json:"begun"`
}

// TokenTerms are what a token is good for. Zero TTL: the usual time; negative:
// for ever. Zero Uses: any number of nodes.
type TokenTerms struct {
	TTL  time.Duration
	Uses int
	Note string
}

// JoinToken is what the cluster knows of a token.
type JoinToken struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
	Used    int       `json:"used"`
	Uses    int       `json:"uses"` // 0: any number
	Note    string    `json:"note,omitempty"`
}

// Coordinator is a node that runs a member of the configuration service, or is
// to.
type Coordinator struct {
	Node    cluster.NodeID `json:"node"`
	Name    string         `json:"name,omitempty"`
	Address string         `json:"address"`
	Leader  bool           `json:"leader"`
	Healthy bool           `json:"healthy"`
	// Problem says why it is not healthy.
	Problem string `json:"problem,omitempty"`
	Version string `json:"version,omitempty"`
	Bytes   int64  `json:"bytes"` // that its store takes
}

// clusterAdmin returns who answers LARDER CLUSTER: the [Membership], when it can.
// Nil on a node that is alone.
func (x *Executor) clusterAdmin() ClusterAdmin {
	m := x.membership.Load()
	if m == nil {
		return nil
	}
	a, _ := (*m).(ClusterAdmin)
	return a
}
