package command

import (
	"bytes"
	"math"
	"strconv"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/resp"
)

// splitForm says how the replies of the parts of a request make one reply.
//
// A request that is split is as many requests as there are nodes, each executed
// as a whole by its node, but not all at one time: somebody who looks between
// two of them sees one done and the other not, and when one fails the others
// may have been executed all the same. So an MSET over several nodes is not
// atomic; keys with a common {hash tag} are on one node.
type splitForm uint8

const (
	notSplit   splitForm = iota
	splitLists           // MGET: elements in the order of the keys
	splitSums            // DEL: the sum of counts
	splitOK              // MSET: OK when all are
)

// splitForms has the commands that are split.
var splitForms = map[string]splitForm{
	"mget": splitLists, "mset": splitOK,
	"del": splitSums, "unlink": splitSums, "exists": splitSums, "touch": splitSums,
}

// gather is a request in parts.
type gather struct {
	form  splitForm
	keys  int // of all parts
	resp3 bool
	parts []gatherPart
	left  int // parts without a reply
}

// gatherPart is the part for one node.
type gatherPart struct {
	owner int16
	hop   hop // how it leaves
	here  bool
	words [][]byte // the request
	at    []int    // of each of its keys the place among all keys
	reply []byte
}

// divide splits a request by the owners of its keys.
//
// REQUIRES: s.way of it is waySplit.
func (s *Session) divide(cmd *Command, args [][]byte) *gather {
	k := &cmd.keys
	g := &gather{form: k.split, resp3: s.Out.Version == resp.RESP3}
	for at, end := k.at, k.end(len(args)); at < end; at += k.step {
		place := s.routes.At(hashing.PartitionOf(args[at]))
		p := g.partOf(place.Owner)
		if p == nil {
			g.parts = append(g.parts, gatherPart{owner: place.Owner, here: place.Kind == cluster.Here, words: [][]byte{args[0]}})
			p = &g.parts[len(g.parts)-1]
		}
		p.words = append(p.words, args[at:at+k.step]...)
		p.at = append(p.at, g.keys)
		g.keys++
	}
	g.left = len(g.parts)
	return g
}

func (g *gather) partOf(owner int16) *gatherPart {
	for i := range g.parts {
		if g.parts[i].owner == owner {
			return &g.parts[i]
		}
	}
	return nil
}

// put stores a copy of the reply of a part.
func (g *gather) put(part int, reply []byte) {
	g.parts[part].reply = bytes.Clone(reply)
	g.left--
}

// compose makes one reply of those of all parts. An error of one of them is the
// reply.
func (g *gather) compose() []byte {
	if g.form == splitReceivers {
		return g.receivers()
	}
	for i := range g.parts {
		if reply := g.parts[i].reply; len(reply) == 0 {
			return []byte("-" + errUnknown + "\r\n")
		} else if reply[0] == '-' {
			return reply
		}
	}
	var out []byte
	ok := true
	switch g.form {
	case splitOK:
		return g.parts[0].reply
	case splitSums:
		out, ok = g.sum()
	default:
		out, ok = g.list()
	}
	if !ok {
		return []byte("-ERR the reply of another node can not be understood\r\n")
	}
	return out
}

// sum adds the counts.
func (g *gather) sum() (out []byte, ok bool) {
	total := int64(0)
	for i := range g.parts {
		reply := g.parts[i].reply
		n, ok := parseInt(bytes.TrimSuffix(reply[1:], []byte("\r\n")))
		if reply[0] != ':' || !ok {
			return nil, false
		}
		total += n
	}
	return append(strconv.AppendInt([]byte{':'}, total, 10), "\r\n"...), true
}

// list puts the elements into the order of the keys.
func (g *gather) list() (out []byte, ok bool) {
	elements := make([][]byte, g.keys)
	size := 0
	for i := range g.parts {
		p := &g.parts[i]
		n, rest, ok := cutHeader(p.reply, '*')
		if !ok || n != len(p.at) {
			return nil, false
		}
		for _, at := range p.at {
			if elements[at], rest, ok = cutBulk(rest); !ok {
				return nil, false
			}
			size += len(elements[at])
		}
	}
	out = append(strconv.AppendInt(append(make([]byte, 0, size+16), '*'), int64(g.keys), 10), "\r\n"...)
	for _, e := range elements {
		out = append(out, e...)
	}
	return out, true
}

// cutHeader reads a line that consists of a mark and a number.
func cutHeader(b []byte, mark byte) (n int, rest []byte, ok bool) {
	if len(b) < 4 || b[0] != mark {
		return 0, nil, false
	}
	line, rest, ok := bytes.Cut(b[1:], []byte("\r\n"))
	v, isInt := parseInt(line)
	return int(v), rest, ok && isInt
}

// cutBulk returns the string, or the null, that b begins with.
func cutBulk(b []byte) (element, rest []byte, ok bool) {
	if bytes.HasPrefix(b, []byte("_\r\n")) {
		return b[:3], b[3:], true
	}
	n, rest, ok := cutHeader(b, '$')
	if !ok {
		return nil, nil, false
	}
	end := len(b) - len(rest)
	if n >= 0 {
		end += n + 2
	}
	if n > len(b) || end > len(b) {
		return nil, nil, false
	}
	return b[:end], b[end:], true
}

// spread executes a request in parts, those of other nodes without waiting.
//
// REQUIRES: s may not block, the way is waySplit.
func (x *Executor) spread(s *Session, cmd *Command, args [][]byte) Outcome {
	f := &s.flights
	if f.sink == nil {
		return Park
	}
	if f.full() {
		return Hold
	}
	g := s.divide(cmd, args)
	if out := x.choosePaths(s, g); out != Continue {
		return out
	}
	// What only reads may be done twice: when it has to park, because a source is
	// asked, nothing has been sent yet. What writes does not park, and when the
	// first node cannot be reached, nothing has been written yet.
	first := cmd.Flags&ReadOnly != 0
	if first && x.executeParts(s, cmd, g) == Park {
		return Park
	}
	mark := s.Out.Mark()
	hole := s.Out.Hole()
	sent := false
	for i := range g.parts {
		p := &g.parts[i]
		if p.here {
			continue
		}
		err := x.sendPart(s, cmd, g, i, hole)
		if err == nil {
			sent = true
			continue
		}
		a := answerOf(err, false)
		if a.again && !sent {
			s.Out.Truncate(mark)
			return Park
		}
		x.stats.countError(a.refusal)
		g.put(i, []byte("-"+a.refusal+"\r\n"))
	}
	if !first {
		x.executeParts(s, cmd, g)
	}
	if g.left == 0 { // nothing is under way
		s.Out.Truncate(mark)
		s.Out.Raw(g.compose())
	}
	return Continue
}

// choosePaths chooses how the parts leave. When one of them cannot, or not yet,
// nothing is to be sent, and the outcome is that of the request.
func (x *Executor) choosePaths(s *Session, g *gather) Outcome {
	for i := range g.parts {
		p := &g.parts[i]
		if p.here {
			continue
		}
		p.hop = x.hopTo(s, p.owner)
		switch {
		case !p.hop.isUp():
			return Park
		case s.flights.crosses(p.hop.path):
			return Hold
		}
	}
	return Continue
}

// executeParts executes the part that belongs to this node.
func (x *Executor) executeParts(s *Session, cmd *Command, g *gather) Outcome {
	for i := range g.parts {
		if p := &g.parts[i]; p.here {
			reply, out := x.captured(s, cmd, p.words)
			if out == Park {
				return Park
			}
			g.put(i, reply)
		}
	}
	return Continue
}

// sendPart forwards one part.
func (x *Executor) sendPart(s *Session, cmd *Command, g *gather, part int, hole uint64) error {
	f, p := &s.flights, &g.parts[part]
	head, body := f.encode(KindRequest, x.requestFor(s, p.words).along(p.hop.path, s))
	fl := flight{path: p.hop.path, hole: hole, slot: manySlots, kind: KindRequest, readOnly: cmd.Flags&ReadOnly != 0, gather: g, part: part}
	x.takesOff(s, &fl, cmd, p.words)
	seq := f.add(s.routes, fl)
	err := x.queue(s, p.hop, KindRequest, head, body, f.sink, f.tagOf(seq))
	if err != nil {
		f.takeBack(seq)
		return err
	}
	f.keep(seq, head, body)
	return nil
}

// spreadWaiting is spread for a client that may wait: one part after the other,
// each going the way that its keys have by then.
//
// REQUIRES: s.MayBlock, the way is waySplit.
func (x *Executor) spreadWaiting(s *Session, cmd *Command, args [][]byte) Outcome {
	g := s.divide(cmd, args)
	for i := range g.parts {
		reply, out := x.captured(s, cmd, g.parts[i].words)
		if out == Close {
			return Close
		}
		g.put(i, reply)
	}
	s.Out.Raw(g.compose())
	return Continue
}

// captured runs a request and returns its reply instead of writing it.
func (x *Executor) captured(s *Session, cmd *Command, args [][]byte) (reply []byte, out Outcome) {
	kept := s.Out
	s.Out = resp.Writer{Version: kept.Version}
	s.holds.inParts = true
	out = x.run(s, cmd, args, true)
	s.holds.inParts = false
	reply = takeOutput(&s.Out)
	s.Out = kept
	return reply, out
}

// takeOutput returns a copy of all output, which is dropped.
func takeOutput(w *resp.Writer) []byte {
	all := bytes.Join(w.Chunks(nil, math.MaxInt), nil)
	w.Reset()
	return all
}
