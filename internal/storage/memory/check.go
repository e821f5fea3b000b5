package memory

import "fmt"

// Check verifies the invariants of the whole store and returns the first that
// does not hold. It is slow and locks one shard at a time.
func (s *Store) Check() error {
	for _, sh := range s.shards {
		sh.mu.Lock()
		err := sh.check()
		sh.mu.Unlock()
		if err != nil {
			return fmt.Errorf("shard %d: %w", sh.number, err)
		}
	}
	return nil
}

func (s *shard) check() error {
	blocks, err := s.checkSegments()
	if err != nil {
		return err
	}
	timed := uint64(0)
	indexed := 0
	for _, k := range s.spaces {
		if k == nil {
			continue
		}
		n, here, last := uint64(0), uint64(0), uint32(0)
		k.index.ascend(0, func(hash uint32, r Ref) bool {
			switch {
			case hash < last:
				err = fmt.Errorf("index is not sorted at %d", r)
			case !isRun(r) && !blocks[r]:
				err = fmt.Errorf("index points to %d, which is no block", r)
			case uint32(s.Hash(r)) != hash:
				err = fmt.Errorf("entry %d has another hash than its slot", r)
			case s.byID[s.keyspaceOf(r)] != k:
				err = fmt.Errorf("entry %d is in the wrong keyspace", r)
			}
			if !isRun(r) {
				delete(blocks, r)
			}
			if s.expireAt(r) != 0 {
				here++
			}
			n++
			last = hash
			return err == nil
		})
		if err != nil {
			return err
		}
		if n != k.index.count || here != k.timed {
			return fmt.Errorf("index has %d entries, %d timed; counted %d, %d", n, here, k.index.count, k.timed)
		}
		timed += here
		indexed += int(n)
	}
	if len(blocks) != 0 {
		return fmt.Errorf("%d blocks belong to no key", len(blocks))
	}
	if uint64(s.wheel.count) != timed {
		return fmt.Errorf("wheel has %d entries, %d expire", s.wheel.count, timed)
	}
	return s.checkWheel()
}

// checkSegments walks all segments and returns the blocks found.
func (s *shard) checkSegments() (map[Ref]bool, error) {
	blocks := map[Ref]bool{}
	spare := map[int]bool{}
	for _, seg := range s.spare {
		spare[int(seg)] = true
	}
	live, holes := uint64(0), uint64(0)
	for seg := range s.segments {
		if spare[seg] {
			continue
		}
		after, inSegment := false, uint32(0)
		end := Ref(seg*segmentUnits) + Ref(s.segments[seg].bump)
		r := s.firstBlock(seg)
		for r < end {
			m := s.header(r).metaBits()
			if n := m & metaUnits; n != 0 {
				if after != (m&metaAfter != 0) {
					return nil, fmt.Errorf("block %d is wrong about the hole before it", r)
				}
				blocks[r] = true
				live += uint64(n)
				after = false
				r += Ref(n)
				continue
			}
			if after {
				return nil, fmt.Errorf("two holes in a row at %d", r)
			}
			n := s.hole(r).units
			inSegment += n
			after = true
			r += Ref(n)
		}
		if r != end {
			return nil, fmt.Errorf("segment %d ends at %d, its blocks at %d", seg, end, r)
		}
		if inSegment != s.segments[seg].holes {
			return nil, fmt.Errorf("segment %d has %d units of holes, counted %d", seg, inSegment, s.segments[seg].holes)
		}
		holes += uint64(inSegment)
	}
	if live != s.liveUnits || holes != s.holeUnits {
		return nil, fmt.Errorf("%d units live and %d holes, counted %d and %d", live, holes, s.liveUnits, s.holeUnits)
	}
	return blocks, nil
}

func (s *shard) checkWheel() error {
	n := 0
	for i, r := range s.wheel.heads {
		prev := Ref(i + 1)
		for ; r != 0; r = s.header(r).wheelNext {
			if s.header(r).wheelPrev != prev {
				return fmt.Errorf("wheel: entry %d has the wrong link back", r)
			}
			prev = r
			n++
		}
	}
	if n != s.wheel.count {
		return fmt.Errorf("wheel: %d entries in slots, counted %d", n, s.wheel.count)
	}
	return nil
}
