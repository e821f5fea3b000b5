package command

import (
	"bytes"
	"encoding/binary"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/hashing"
)

// Transactions in a cluster
//
// All keys of a transaction, those it watches included, are in one slot, so that
// one node can execute it as a whole. Requests are queued at the client's node;
// EXEC sends all of them to the owner at once, with the versions that the
// watched keys had at WATCH, for which the owner was asked then.
//
// Versions of two owners cannot be compared. So the client also remembers the
// epoch of the partition's ownership at WATCH: when EXEC finds another one the
// partition has moved in between, and the transaction does not run, as if a key
// had been changed.

// errPersonal is the reason why a transaction cannot be sent to another node.
const errPersonal = "it has a command about the connection, and its keys are served by another node"

// join adds the slot of more keys to those of the transaction. It reports false,
// and changes nothing, when they are not in the same one.
func (tx *transaction) join(slot int) bool {
	joined := joinSlots(tx.keySlot(), slot)
	if joined == manySlots {
		return false
	}
	tx.slot = joined + 1
	return true
}

// keySlot returns the slot of the transaction's keys, noSlot when it has none.
func (tx *transaction) keySlot() int { return tx.slot - 1 }

// note remembers what EXEC has to know about a queued request.
func (tx *transaction) note(cmd *Command) {
	tx.flags |= cmd.Flags
	tx.personal = tx.personal || cmd.personal
	tx.selects = tx.selects || cmd.full == "select"
}

// joinQueued joins the keys of a request that is to be queued. A refusal is the
// error to answer instead.
func (s *Session) joinQueued(cmd *Command, args [][]byte) (refusal string) {
	slot := cmd.slotOf(args)
	if slot == manySlots || !s.tx.join(slot) {
		return errCrossSlot
	}
	if slot >= 0 && s.Redirects {
		return s.dead(s.wayOfSlot(slot))
	}
	return ""
}

// isHere reports whether a slot is served by this node.
func (s *Session) isHere(slot int) bool { return s.routes.IsHere(hashing.Partition(uint16(slot))) }

// epochOf returns the epoch of a slot's ownership.
func (s *Session) epochOf(slot int) cluster.Epoch {
	return s.routes.View.Rows[hashing.Partition(uint16(slot))].Epoch
}

// watchesNow remembers that keys of a slot are watched as of an epoch.
func (tx *transaction) watchesNow(slot int, epoch cluster.Epoch) {
	if len(tx.watched) > 0 && tx.epoch != epoch {
		tx.moved = true
	}
	tx.join(slot)
	tx.epoch = epoch
}

// execAway sends a transaction to the owner of its keys. It reports false when
// that is this node.
func (x *Executor) execAway(s *Session, cmd *Command, args [][]byte) (out Outcome, done bool) {
	tx := &s.tx
	w := s.wayOfSlot(tx.keySlot())
	if w.kind == wayHere {
		return Continue, false
	}
	if x.logs != nil && tx.flags&Write != 0 {
		s.holds.wrote(hashing.Partition(uint16(w.slot)))
	}
	if text := s.dead(w); text != "" {
		x.discard(s)
		return x.reject(s, cmd, args, text), true
	}
	switch {
	case tx.personal && w.kind == wayThere:
		return x.abort(s, cmd, args, errPersonal), true
	case tx.moved:
		x.discard(s)
		s.Out.NullArray()
		return Continue, true
	case s.MayBlock:
		return x.execWaiting(s, cmd, args)
	case w.kind == wayArriving || tx.selects || s.flights.sink == nil:
		return Park, true
	}
	return x.execForward(s, cmd, args, w), true
}

// execForward sends a transaction and leaves a hole for its reply.
func (x *Executor) execForward(s *Session, cmd *Command, args [][]byte, w way) Outcome {
	f := &s.flights
	if f.full() {
		return Hold
	}
	h := x.hopTo(s, w.owner)
	if f.crosses(h.path) {
		return Hold
	}
	head, _ := f.encode(KindTransaction, x.transactionFor(s).along(h.path, s))
	mark := s.Out.Mark()
	fl := flight{path: h.path, hole: s.Out.Hole(), slot: w.slot, kind: KindTransaction, readOnly: s.tx.flags&Write == 0}
	x.near.wrote(w.slot, nil)
	seq := f.add(s.routes, fl)
	err := x.queue(s, h, KindTransaction, head, nil, f.sink, f.tagOf(seq))
	if err == nil {
		f.keep(seq, head, nil)
		x.discard(s)
		s.shared.lastCommand.Store(cmd)
		return Continue
	}
	f.takeBack(seq)
	s.Out.Truncate(mark)
	if a := answerOf(err, false); !a.again {
		x.discard(s)
		return x.reject(s, cmd, args, a.refusal)
	}
	return Park
}

// execWaiting is execForward for a client that may wait. It reports false when
// the transaction is to be run here.
func (x *Executor) execWaiting(s *Session, cmd *Command, args [][]byte) (out Outcome, done bool) {
	v := x.awaitWay(s, func() way { return s.wayOfSlot(s.tx.keySlot()) }, func(w way) answer {
		if s.tx.personal {
			return answer{refusal: errAbortedBy + errPersonal}
		}
		x.near.wrote(w.slot, nil)
		defer x.near.wrote(w.slot, nil)
		return x.ask(s, KindTransaction, x.transactionFor(s), w, s.tx.flags&Write == 0, func(r peer.Reply) {
			if len(r.Data) > 0 && r.Data[0] == '*' && !bytes.HasPrefix(r.Data, []byte("*-1")) {
				s.selectQueued(x)
			}
			s.takeReply(r)
		})
	})
	if v.here {
		return Continue, false
	}
	x.discard(s)
	switch {
	case v.gone:
		return Close, true
	case v.refusal != "":
		return x.reject(s, cmd, args, v.refusal), true
	}
	return Continue, true
}

// selectQueued does what the SELECTs of a transaction have done at its owner.
func (s *Session) selectQueued(x *Executor) {
	for _, q := range s.tx.queue {
		if q.cmd.full != "select" {
			continue
		}
		if n, ok := parseInt(q.args[1]); ok && n >= 0 && n < int64(x.store.Databases()) {
			s.selectDB(int(n))
		}
	}
}

// transactionFor describes the client's transaction for another node.
func (x *Executor) transactionFor(s *Session) *remoteRequest {
	r := &s.flights.request
	x.addressed(r, s)
	r.epoch, r.watched = s.tx.epoch, s.tx.watched
	r.queue = r.queue[:0]
	for _, q := range s.tx.queue {
		r.queue = append(r.queue, q.args)
	}
	return r
}

// executeTransaction executes EXEC for another node's client.
func (x *Executor) executeTransaction(s *Session, r *remoteRequest) Outcome {
	defer x.discard(s)
	s.gate(gateMulti, true)
	tx := &s.tx
	for _, words := range r.queue {
		cmd, refusal := resolve(x.table.Find(words[0]), words)
		if refusal == "" && (cmd.Flags&NoMulti != 0 || notQueued[cmd.full]) {
			refusal = errNotInMulti
		}
		if refusal == "" && !tx.join(cmd.slotOf(words)) {
			refusal = errCrossSlot
		}
		if refusal != "" {
			s.Out.Error(errAbortedBy + refusal)
			return Continue
		}
		tx.queue = append(tx.queue, queued{cmd, words})
		tx.note(cmd)
	}
	for _, w := range r.watched {
		if !tx.join(int(hashing.Slot(w.key))) {
			s.Out.Error(errAbortedBy + errCrossSlot)
			return Continue
		}
	}
	x.adoptWatched(s, r.watched)
	tx.epoch = r.epoch
	return x.exec(s, x.table.Find(execWords[0]), execWords)
}

// execWords is the request EXEC.
var execWords = [][]byte{[]byte("EXEC")}

// watchThere asks the owner of keys for their versions, which the client
// remembers.
//
// REQUIRES: s.MayBlock.
func (x *Executor) watchThere(s *Session, args [][]byte, w way) answer {
	if !s.tx.fitsWatch(w.slot) {
		return answer{refusal: errCrossSlot}
	}
	bad := false
	a := x.ask(s, KindWatch, x.requestFor(s, args), w, true, func(r peer.Reply) {
		bad = !x.rememberVersions(s, args[1:], w.slot, r.Data)
		r.Release()
	})
	if bad {
		return answer{refusal: "ERR the reply of another node can not be understood"}
	}
	return a
}

// fitsWatch reports whether keys of a slot may be watched besides the others.
func (tx *transaction) fitsWatch(slot int) bool {
	return joinSlots(tx.keySlot(), slot) != manySlots
}

// rememberVersions takes the reply to KindWatch: an error, which becomes the
// client's reply, or the epoch of the ownership and the version of each key.
func (x *Executor) rememberVersions(s *Session, keys [][]byte, slot int, reply []byte) bool {
	if len(reply) > 0 && reply[0] == '-' {
		s.Out.Raw(reply)
		return true
	}
	n, data, ok := cutHeader(reply, '$')
	if !ok || n != 8*(len(keys)+1) || len(data) != n+2 {
		return false
	}
	s.tx.watchesNow(slot, cluster.Epoch(binary.LittleEndian.Uint64(data)))
	var added []watchedKey
	for i, key := range keys {
		if !watches(s.tx.watched, s.DB, key) && !watches(added, s.DB, key) {
			added = append(added, watchedKey{s.DB, bytes.Clone(key), binary.LittleEndian.Uint64(data[8*(i+1):])})
		}
	}
	x.adoptWatched(s, added)
	s.Out.OK()
	return true
}

// executeWatch tells another node the versions of keys.
func (x *Executor) executeWatch(s *Session, r *remoteRequest) Outcome {
	cmd, refusal := resolve(x.table.Find(r.words[0]), r.words)
	if refusal != "" || !cmd.watches {
		s.Out.Error("ERR " + errFrame.Error())
		return Continue
	}
	for {
		w := s.way(cmd, r.words)
		if w.kind != wayHere {
			if !s.MayBlock {
				return Park
			}
			v := x.awaitWay(s, func() way { return s.way(cmd, r.words) }, func(w way) answer {
				return x.ask(s, KindWatch, x.requestFor(s, r.words), w, true, s.takeReply)
			})
			switch {
			case v.gone:
				return Close
			case v.refusal != "":
				s.Out.Error(v.refusal)
				return Continue
			case !v.here:
				return Continue
			}
		}
		c := &s.ctx
		c.Cmd, c.Args = cmd, r.words
		versions := binary.LittleEndian.AppendUint64(nil, uint64(s.epochOf(w.slot)))
		for _, key := range r.words[1:] {
			versions = binary.LittleEndian.AppendUint64(versions, c.versionOf(s.DB, key, true))
		}
		if !c.reads.Missed() {
			c.reads.Reset()
			s.Out.Bulk(versions)
			return Continue
		}
		if !s.MayBlock {
			c.reads.Reset()
			return Park
		}
		if err := x.load(s, &c.reads); err != nil {
			c.reads.Reset()
			s.Out.Error("ERR " + err.Error())
			return Continue
		}
		c.reads.Reset()
	}
}
