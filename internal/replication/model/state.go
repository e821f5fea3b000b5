package model

// Numbers of the scope.
const (
	nodes    = 3
	maxViews = 7
	maxRecs  = 6
)

// row is the partition in one view.
type row struct {
	owner            int8
	arriving         bool
	epoch            uint8
	replicas, inSync uint8 // sets of nodes
}

// history is a sequence of writes, two bits each, the first one lowest.
type history uint8

func (h history) len() (n uint8) {
	for ; h != 0; h >>= 2 {
		n++
	}
	return n
}

func (h history) with(write uint8) history { return h | history(write)<<(2*h.len()) }

// prefixes reports whether the other history goes on from this one.
func (h history) prefixes(o history) bool { return o&(1<<(2*h.len())-1) == h }

// set returns which writes are in it.
func (h history) set() (s uint8) {
	for ; h != 0; h >>= 2 {
		s |= 1 << (h & 3)
	}
	return s
}

// node is one process.
type node struct {
	version uint8 // of the view that it follows
	data    history
	whole   bool
	floor   uint8 // epochs below it are refused
	handed  uint8 // the epoch of the handover that has come

	active  bool  // it serves, as the owner at its view's epoch
	begun   uint8 // the epoch at which it has begun, or is about to begin, to serve
	mine    uint8 // writes that it has executed
	offered uint8
	need    [nodes]uint8 // what an offered learner has to have acknowledged before it is reported
	acked   [nodes]uint8
}

// The kinds of records.
const (
	recBegin    = iota + 1 // the copy is flushed
	recSnapshot            // it is whole
	recPut
	recResume
	recHandOver
)

type record struct{ kind, arg uint8 }

// stream is the ordered stream from an owner to a copy.
type stream struct {
	open  bool // the sender adds to it
	taken bool // the receiver takes its records
	fresh bool // it has begun the copy, which is not known to be whole
	epoch uint8
	recs  [maxRecs]record
	n     uint8
}

func (s *stream) add(kind, arg uint8) {
	if s.n == maxRecs {
		s.open, s.n = false, 0 // full: broken
		return
	}
	s.recs[s.n] = record{kind, arg}
	s.n++
}

func (s *stream) next() record {
	r := s.recs[0]
	copy(s.recs[:], s.recs[1:])
	s.recs[maxRecs-1] = record{}
	s.n--
	return r
}

// promise is what the controller has been answered.
type promise struct {
	epoch uint8
	seq   uint8
	whole bool
	dead  bool // the process that promised is no more
}

// state is everything. It is comparable, so that the search knows it again.
type state struct {
	views    [maxViews]row
	versions uint8 // views[versions-1] is in force
	nodes    [nodes]node
	streams  [nodes][nodes]stream // from, to
	lease    [nodes][nodes]bool   // the first may take the second's last answer for fresh
	reported uint8                // learners that the owner has reported by the view in force
	promises [nodes]promise
	lost     uint8 // of the owner and those in sync: who has died since
	writes   uint8 // executed so far
	crashes  uint8
	breaks   uint8
	acked    uint8 // what clients were told is done
	seen     uint8 // what clients have read
	stale    bool  // one has read something older
}

func bit(i int) uint8 { return 1 << i }

func (s *state) view() *row { return &s.views[s.versions-1] }

// rowOf returns the partition as a node knows it.
func (s *state) rowOf(i int) *row { return &s.views[s.nodes[i].version-1] }

// required is whose acknowledgements an owner needs.
func (s *state) required(i int) uint8 { return s.rowOf(i).inSync | s.nodes[i].offered }

// begin returns the state in which the search begins: node 0 is the owner, node
// 1 in sync, and node 2, if so wished, too.
func begin(both bool) state {
	s := state{versions: 1}
	copies := bit(1)
	if both {
		copies |= bit(2)
	}
	s.views[0] = row{owner: 0, epoch: 1, replicas: copies, inSync: copies}
	for i := range nodes {
		n := &s.nodes[i]
		n.version = 1
		n.whole = i == 0 || copies&bit(i) != 0
		if i > 0 && n.whole {
			s.streams[0][i] = stream{open: true, taken: true, epoch: 1}
		}
	}
	s.nodes[0].active, s.nodes[0].begun = true, 1
	return s
}
