package memory

// A segment is worth emptying from an eighth of holes on: then a byte that is
// given back costs at most eight that are copied.
const worthEmptying = 8

// maxPayback bounds the blocks that one write moves to pay back what exceeds
// the limit: about 100 us of work.
const maxPayback = 1024

// maintain does a small piece of what is due: moving on the emptying of a
// segment, and paying back what exceeds the limit. It runs at the end of every
// write, so its work is bounded.
func (s *shard) maintain() {
	if s.store.over() {
		s.payBack()
		return
	}
	if s.arena.victim >= 0 || s.sparse(worthEmptying) {
		s.empty(64)
	}
}

// sparse reports whether holes make up one part in share of the segments.
func (s *shard) sparse(share uint64) bool {
	return s.holeUnits > s.liveUnits/share+2*segmentUnits
}

// payBack evicts until there are holes enough to be joined into segments, and
// joins them, until the limit is kept or the bound of one write is reached.
func (s *shard) payBack() {
	if s.runs.kept > 0 {
		s.runs.purge(&s.region, 0)
		s.count()
	}
	for moved := 0; moved < maxPayback && s.store.over(); moved += 64 {
		for range 64 {
			if s.sparse(worthEmptying) || s.evict() == 0 {
				break
			}
		}
		before := s.stats.moved
		s.empty(64)
		if s.arena.victim < 0 && s.stats.moved == before && !s.sparse(worthEmptying) {
			return
		}
	}
}

// empty carries up to n blocks out of the sparsest segment, beginning with a
// new one when none is under way and it is worth it.
func (s *shard) empty(n int) {
	if s.arena.victim < 0 && !s.beginEmptying() {
		return
	}
	seg := s.arena.victim
	end := Ref(seg*segmentUnits) + Ref(s.segments[seg].bump)
	for ; n > 0 && s.emptied < end; n-- {
		r := s.emptied
		units := s.header(r).metaBits() & metaUnits
		if units == 0 {
			s.emptied += Ref(s.hole(r).units)
			continue
		}
		s.emptied += Ref(units)
		s.relocate(r, units)
	}
	if s.emptied < end {
		return
	}
	s.arena.victim = -1
	s.release(seg)
	s.count()
}

// beginEmptying picks the sparsest segment. Its holes leave the bins, so that
// nothing new is put into it.
func (s *shard) beginEmptying() bool {
	seg, holes := s.sparsest()
	if seg < 0 || holes < segmentUnits/16 {
		return false
	}
	end := Ref(seg*segmentUnits) + Ref(s.segments[seg].bump)
	for r := s.firstBlock(seg); r < end; {
		units := s.header(r).metaBits() & metaUnits
		if units == 0 {
			units = s.hole(r).units
			s.bins.remove(&s.arena, r, units)
		}
		r += Ref(units)
	}
	s.arena.victim, s.emptied = seg, s.firstBlock(seg)
	return true
}

// relocate copies one entry out of the segment being emptied.
func (s *shard) relocate(r Ref, units uint32) {
	m := s.header(r).metaBits() &^ metaAfter
	if Kind(m&metaKind>>kindShift) == packedTable {
		s.relocateTable(r, units)
		return
	}
	slack := m & metaSlack >> slackShift
	need := units - slack/unit
	to, got := s.fit(need)
	if to == 0 {
		if err := s.grow(); err != nil {
			panic("memory: segment: " + err.Error())
		}
		s.count()
		to, got = s.fit(need)
	}
	tracked := s.tracked(r)
	if tracked && got != units {
		s.policy.Resize(r, units*unit, got*unit)
	}
	copy(s.region.Bytes(uint64(to)*unit, uint64(need)*unit), s.region.Bytes(uint64(r)*unit, uint64(need)*unit))
	slack = slack + got*unit - units*unit
	s.header(to).setMeta(m&^(metaUnits|metaSlack) | got | slack<<slackShift)

	key := s.key(to)
	k := s.spaceOf(to, key)
	k.index.replace(uint32(s.store.hash(key)), r, to)
	if tracked {
		s.policy.Move(r, to)
	}
	if s.expireAt(to) != 0 {
		s.wheel.moved(&s.arena, to)
	}
	s.changes++
	s.stats.moved++
	s.arena.free(r, units)
}
