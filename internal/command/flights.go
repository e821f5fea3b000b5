package command

import (
	"slices"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
)

// flights are the requests of one client that were forwarded and whose replies
// have not come. It belongs to the goroutine that executes the client's
// commands.
//
// Invariant: next-oldest <= maxFlights; those outside of oldest..next are done;
// outstanding of those inside wait for their link, failed for Repair.
// Invariant: all of them went by the table in routes: a client goes on by
// another one when they are done, so that two requests for a key are not under
// way to two nodes.
type flights struct {
	sink peer.Sink // where replies go; nil: requests are forwarded by waiting
	tag  uint64    // of the session, above the bits of flights
	lane int

	ring         []flight // by number; a power of two
	oldest, next uint32   // numbers, which wrap
	outstanding  int
	writes       int // of those outstanding
	detours      int // of those outstanding, by way of a third node
	failed       int
	routes       *cluster.Routes // nil: there are no flights
	kept         []byte          // frames that may have to be sent again

	holding bool // the client waits until no more than until are outstanding
	until   int

	dirty   []Lane // to be flushed
	frame   []byte
	relay   []byte // frame of the last request that was relayed
	request remoteRequest
}

// flight is one forwarded request, or a part of one.
type flight struct {
	path     path    // by which it has left
	hole     uint64  // in the session's output
	gather   *gather // of which it is a part; nil: of none
	part     int
	kind     uint8
	readOnly bool
	underway bool
	failed   bool
	answered bool
	slot     int      // of its keys, of the first one, or manySlots
	slots    []uint16 // that it writes to, if they are several and near copies are kept
	read     uint64   // hash of the key of a GET whose reply ends older near copies; 0: none
	from, to int      // its frame in kept; empty: it cannot be sent again
}

const (
	// maxFlights is how many forwarded requests a client may have under way; from
	// then on it waits until half of them are done.
	maxFlights = 1024
	// maxKeptFrames is the most, in bytes, of frames kept for a client.
	maxKeptFrames = 1 << 20
	// keptFlights is the number of flights that a client keeps the room for.
	keptFlights = 64
	// TagBits is how many of the low bits of a tag are the executor's.
	TagBits = 20
)

// AnswerTo tells where replies of other nodes to the session's requests go: the
// sink is given tags whose bits above [TagBits] are those of tag, and hands what
// comes with them to [Executor.Arrived]. lane is the session's for all its life;
// see [Forwarder]. Without a sink the session waits for each reply, with
// MayBlock. To be called before the first request.
func (s *Session) AnswerTo(sink peer.Sink, tag uint64, lane int) {
	s.flights.sink, s.flights.tag, s.flights.lane = sink, tag&^(1<<TagBits-1), lane
}

// InFlight returns how many replies of other nodes the session waits for, those
// that have failed and wait for Repair included, and how many batches are held.
func (s *Session) InFlight() int { return s.flights.underway() + s.holds.underway() }

// underway returns how many flights there are.
func (f *flights) underway() int { return f.outstanding + f.failed }

// NeedsRepair reports whether [Executor.Repair] is to be called: what could not
// be forwarded waits, and nothing else is under way.
func (s *Session) NeedsRepair() bool { return s.flights.failed > 0 && s.flights.outstanding == 0 }

// Holding reports whether the session's next request has to wait for replies of
// other nodes, or for held ones; see [Hold].
func (s *Session) Holding() bool {
	f := &s.flights
	if f.holding && f.outstanding <= f.until && f.failed == 0 {
		f.holding = false
	}
	return f.holding || f.failed > 0 || s.holds.holding()
}

// HoldAll has Holding report true until all replies have come and none is held. A request that
// has asked to be parked is forgotten: it will be executed anew.
func (s *Session) HoldAll() {
	s.flights.holding, s.flights.until = true, 0
	s.holds.limit(0)
	s.tx.parked = nil
}

// IsBehind reports whether the batch that has begun goes by another table than
// requests still under way; it must not execute anything then. See [Session.HoldAll].
func (s *Session) IsBehind() bool {
	f := &s.flights
	return f.routes != nil && f.routes != s.routes
}

func (f *flights) at(seq uint32) *flight { return &f.ring[seq&uint32(len(f.ring)-1)] }

// full reports whether the next request has to wait, and has it do so.
func (f *flights) full() bool {
	switch {
	case f.failed > 0 || len(f.kept) > maxKeptFrames:
		f.holding, f.until = true, 0
	case f.next-f.oldest >= maxFlights:
		// The oldest may be the one that has not come: it has to.
		f.holding, f.until = true, min(maxFlights/2, f.outstanding-1)
	default:
		return false
	}
	return true
}

// add enters a flight and returns its number.
func (f *flights) add(routes *cluster.Routes, fl flight) uint32 {
	if int(f.next-f.oldest) == len(f.ring) {
		f.grow()
	}
	f.routes = routes
	fl.underway = true
	*f.at(f.next) = fl
	f.next++
	f.outstanding++
	if !fl.readOnly {
		f.writes++
	}
	if !fl.path.isDirect() {
		f.detours++
	}
	return f.next - 1
}

func (f *flights) grow() {
	old := f.ring
	f.ring = make([]flight, max(8, 2*len(old)))
	for seq := f.oldest; seq != f.next; seq++ {
		*f.at(seq) = old[seq&uint32(len(old)-1)]
	}
}

// takeBack removes the newest flight, which was not handed over.
func (f *flights) takeBack(seq uint32) {
	f.arrived(f.at(seq))
	*f.at(seq) = flight{}
	f.next--
	f.shrink()
}

// arrived notes that a flight is not outstanding any more.
func (f *flights) arrived(fl *flight) {
	fl.underway = false
	f.outstanding--
	if !fl.readOnly {
		f.writes--
	}
	if !fl.path.isDirect() {
		f.detours--
	}
}

// writesTo reports whether a write to a slot is outstanding.
func (f *flights) writesTo(slot int) bool {
	for seq := f.oldest; f.writes > 0 && seq != f.next; seq++ {
		fl := f.at(seq)
		if fl.underway && !fl.readOnly && (fl.slot == slot || slices.Contains(fl.slots, uint16(slot))) {
			return true
		}
	}
	return false
}

// keep stores a frame in case it has to be sent again. Large ones are not kept.
func (f *flights) keep(seq uint32, head, body []byte) {
	if len(head)+len(body) > keptFrame/2 {
		return
	}
	fl := f.at(seq)
	fl.from = len(f.kept)
	f.kept = append(append(f.kept, head...), body...)
	fl.to = len(f.kept)
}

// tagOf returns the tag of a flight.
func (f *flights) tagOf(seq uint32) uint64 { return f.tag | uint64(seq&(1<<TagBits-1)) }

// find returns the flight with a tag, nil if it is not under way.
func (f *flights) find(tag uint64) *flight {
	behind := (uint32(tag) - f.oldest) & (1<<TagBits - 1)
	if behind >= f.next-f.oldest {
		return nil
	}
	if fl := f.at(f.oldest + behind); fl.underway {
		return fl
	}
	return nil
}

// settle puts the reply of a flight into its place; release may be nil.
func (f *flights) settle(s *Session, fl *flight, data []byte, release func()) {
	hole, g, part := fl.hole, fl.gather, fl.part
	*fl = flight{slot: fl.slot, answered: true}
	f.shrink()
	if g == nil {
		s.Out.Fill(hole, data, release)
		return
	}
	g.put(part, data)
	if release != nil {
		release()
	}
	if g.left == 0 {
		s.Out.Fill(hole, g.compose(), nil)
	}
}

// overtaken reports whether a request for keys of the same slot that was made
// after a flight has been answered: to send the flight again would change the order
// in which the client has written.
func (f *flights) overtaken(seq uint32) bool {
	slot := f.at(seq).slot
	for seq++; seq != f.next; seq++ {
		if later := f.at(seq); later.answered && (later.slot == slot || later.slot == manySlots || slot == manySlots) {
			return true
		}
	}
	return false
}

// shrink forgets the flights that are done, from the oldest on.
func (f *flights) shrink() {
	for f.oldest != f.next {
		if fl := f.at(f.oldest); fl.underway || fl.failed {
			return
		}
		f.oldest++
	}
	f.routes = nil
	f.kept = f.kept[:0]
	if len(f.ring) > keptFlights {
		f.ring = nil
	}
	if cap(f.kept) > keptFrame {
		f.kept = nil
	}
}

// version returns that of the view that the flights went by.
func (f *flights) version() uint64 {
	if f.routes == nil {
		return 1
	}
	return f.routes.Version()
}
