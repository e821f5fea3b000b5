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
	if err := s.checkSpaces(blocks); err != nil {
		return err
	}
	timed, entries, mapped := uint64(0), uint64(0), uint64(0)
	for _, k := range s.live {
		if err := s.checkSpace(k, blocks); err != nil {
			return fmt.Errorf("keyspace %d of partition %d: %w", k.id, k.local, err)
		}
		timed += k.timed
		entries += k.index.count
		mapped += k.index.mapped()
	}
	if len(blocks) != 0 {
		return fmt.Errorf("%d blocks belong to no key", len(blocks))
	}
	if entries != s.entries || mapped != s.mapped {
		return fmt.Errorf("%d entries, %d bytes of indexes; counted %d, %d", entries, mapped, s.entries, s.mapped)
	}
	if uint64(s.wheel.count) != timed {
		return fmt.Errorf("wheel has %d entries, %d expire", s.wheel.count, timed)
	}
	return s.checkWheel()
}

// checkSpaces verifies that every keyspace is where it is looked for, and
// takes the tables of indexes out of the blocks.
func (s *shard) checkSpaces(blocks map[Ref]bool) error {
	found := 0
	for at, k := range s.spaces {
		if k == nil {
			continue
		}
		found++
		if s.live[k.number] != k || s.store.spaceAt(s.database(k), int(k.local)) != at {
			return fmt.Errorf("keyspace %d of partition %d is in the wrong place", k.id, k.local)
		}
	}
	if found != len(s.live) {
		return fmt.Errorf("%d keyspaces can be found, %d were made", found, len(s.live))
	}
	for db, id := range s.ids {
		if int(s.dbs[id]) != db {
			return fmt.Errorf("database %d has the id %d, which is of %d", db, id, s.dbs[id])
		}
	}
	units := uint64(0)
	for _, k := range s.live {
		r := k.index.block
		if r == 0 {
			continue
		}
		if !blocks[r] || s.kindOf(r) != packedTable || s.header(r).prev != k.number {
			return fmt.Errorf("the block %d is not the table of keyspace %d", r, k.number)
		}
		units += uint64(s.header(r).metaBits() & metaUnits)
		delete(blocks, r)
	}
	if units != s.tableUnits {
		return fmt.Errorf("%d units of tables, counted %d", units, s.tableUnits)
	}
	return nil
}

// checkSpace verifies one index and takes its entries out of the blocks.
func (s *shard) checkSpace(k *keyspace, blocks map[Ref]bool) (err error) {
	n, timed, negative, last := uint64(0), uint64(0), uint64(0), uint32(0)
	k.index.ascend(0, func(hash uint32, r Ref) bool {
		at := s.store.Place(s.key(r))
		shard, local := s.store.shardOf(at)
		switch {
		case hash < last:
			err = fmt.Errorf("index is not sorted at %d", r)
		case !isRun(r) && !blocks[r]:
			err = fmt.Errorf("index points to %d, which is no block", r)
		case uint32(at.hash) != hash:
			err = fmt.Errorf("entry %d has another hash than its slot", r)
		case shard != s.number || local != int(k.local):
			err = fmt.Errorf("entry %d belongs to shard %d, partition %d of it", r, shard, local)
		case s.spaceOf(r, s.key(r)) != k:
			err = fmt.Errorf("entry %d is in the wrong keyspace", r)
		}
		if !isRun(r) {
			delete(blocks, r)
		}
		if s.expireAt(r) != 0 {
			timed++
		}
		if s.kindOf(r) == Negative {
			negative++
		}
		n++
		last = hash
		return err == nil
	})
	if err == nil && (n != k.index.count || timed != k.timed || negative != k.negatives) {
		err = fmt.Errorf("%d entries, %d timed, %d negative; counted %d, %d, %d",
			n, timed, negative, k.index.count, k.timed, k.negatives)
	}
	return err
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
