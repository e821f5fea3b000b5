package model

// A step is something that happens, with its name for people.
type step struct {
	name string
	i, k int
	then state
}

// steps lists all that can happen next.
func (m *search) steps(s *state) (all []step) {
	try := func(name string, i, k int, do func(t *state) bool) {
		t := *s
		if do(&t) {
			m.settle(&t)
			t.tidy()
			all = append(all, step{name, i, k, t})
		}
	}
	for i := range nodes {
		if s.crashes < m.scope.Crashes {
			try("dies and begins anew", i, -1, func(t *state) bool { t.crash(i); return true })
		}
		try("writes", i, -1, func(t *state) bool { return m.write(t, i) })
		try("serves", i, -1, func(t *state) bool { return m.activate(t, i) })
		for v := s.nodes[i].version + 1; v <= s.versions; v++ {
			try("learns view", i, int(v), func(t *state) bool { m.learn(t, i, v); return true })
		}
		for k := range nodes {
			if k == i {
				continue
			}
			if s.streams[i][k].n > 0 {
				try("delivers to", i, k, func(t *state) bool { m.deliver(t, i, k); return true })
			}
			if s.breaks < m.scope.Breaks {
				try("breaks its stream and resumes to", i, k, func(t *state) bool { return m.reopen(t, i, k) })
			}
			if s.lease[i][k] && !m.confirms(s, i, k) {
				try("loses the lease of", i, k, func(t *state) bool { t.lease[i][k] = false; return true })
			}
			try("offers", i, k, func(t *state) bool { return m.offer(t, i, k) })
		}
	}
	m.control(s, try)
	return all
}

// tidy forgets what cannot matter any more, so that states are the same that
// behave the same.
func (s *state) tidy() {
	for k := range nodes {
		if p := &s.promises[k]; p.epoch <= s.view().epoch {
			*p = promise{}
		}
		n := &s.nodes[k]
		if !n.active {
			n.acked, n.need, n.offered, n.mine = [nodes]uint8{}, [nodes]uint8{}, 0, 0
		}
		if n.handed < n.floor {
			n.handed = 0
		}
		for i := range nodes {
			st := &s.streams[i][k]
			if !st.open && (st.n == 0 || st.epoch < n.floor) {
				*st = stream{}
			}
			if n.offered&bit(i) == 0 {
				n.need[i] = 0
			}
		}
	}
	if s.crashes == 0 {
		s.lost = 0
	}
	oldest := s.versions
	for i := range nodes {
		oldest = min(oldest, s.nodes[i].version)
	}
	for v := range oldest - 1 {
		s.views[v] = row{}
	}
}

// settle does what is done at once: acknowledgements, answers, leases, reports.
func (m *search) settle(s *state) {
	for i := range nodes {
		n := &s.nodes[i]
		if !n.active {
			continue
		}
		for k := range nodes {
			if m.confirms(s, i, k) {
				s.lease[i][k] = true
			}
			caughtUp := n.offered&bit(k) != 0 && n.acked[k] >= n.need[k]
			if m.fault == OfferWithoutAck {
				caughtUp = n.offered&bit(k) != 0
			}
			if m.fault == NoOffer {
				caughtUp = s.learnt(i, k)
			}
			if caughtUp && n.version == s.versions && s.view().owner == int8(i) {
				s.reported |= bit(k)
			}
		}
		acknowledged, leased := true, true
		for k := range nodes {
			if s.required(i)&bit(k) != 0 {
				acknowledged = acknowledged && n.acked[k] >= n.data.len()
				leased = leased && s.lease[i][k]
			}
		}
		if m.fault == OneOfMany {
			acknowledged = s.required(i) == 0
			for k := range nodes {
				acknowledged = acknowledged || s.required(i)&bit(k) != 0 && n.acked[k] >= n.data.len()
			}
		}
		if acknowledged {
			s.acked |= n.mine
		}
		if acknowledged && (leased || m.fault == NoLease) {
			if (s.acked|s.seen)&^n.data.set() != 0 {
				s.stale = true
			}
			s.seen |= n.data.set()
		}
	}
}

// confirms reports whether a copy answers its owner.
func (m *search) confirms(s *state, i, k int) bool {
	st := &s.streams[i][k]
	return i != k && s.nodes[i].active && st.open && st.taken && st.epoch >= s.nodes[k].floor
}

// learnt reports whether a copy, as its owner knows, is whole.
func (s *state) learnt(i, k int) bool {
	st := &s.streams[i][k]
	return s.nodes[i].active && s.rowOf(i).replicas&bit(k) != 0 && st.open && st.taken && !st.fresh && s.nodes[k].whole
}

func (m *search) offer(s *state, i, k int) bool {
	n := &s.nodes[i]
	if !s.learnt(i, k) || s.required(i)&bit(k) != 0 || m.fault == NoOffer {
		return false
	}
	n.offered |= bit(k)
	n.need[k] = n.data.len()
	return true
}

// crash ends a process; the next one has nothing. What it had sent may still come.
func (s *state) crash(i int) {
	s.crashes++
	s.nodes[i] = node{version: s.nodes[i].version}
	for k := range nodes {
		s.streams[i][k].open = false
		s.streams[k][i].taken, s.streams[k][i].open, s.streams[k][i].n = false, false, 0
		s.streams[k][i].recs = [maxRecs]record{}
		s.lease[i][k] = false
	}
	s.promises[i].dead = true
	if r := s.view(); r.owner == int8(i) || r.inSync&bit(i) != 0 {
		s.lost |= bit(i)
	}
}

func (m *search) write(s *state, i int) bool {
	n := &s.nodes[i]
	if !n.active || s.writes == m.scope.Writes {
		return false
	}
	s.writes++
	n.data = n.data.with(s.writes)
	n.mine |= 1 << s.writes
	for k := range nodes {
		if st := &s.streams[i][k]; st.open {
			st.add(recPut, s.writes)
		}
	}
	return true
}

// deliver lets a copy take the next record of a stream.
func (m *search) deliver(s *state, i, k int) {
	st, n := &s.streams[i][k], &s.nodes[k]
	rec := st.next()
	if rec.kind == recHandOver {
		// All before it has come, or the stream would not be taken.
		if st.taken && rec.arg >= n.floor {
			n.handed = rec.arg
		}
		return
	}
	first := rec.kind == recBegin || rec.kind == recResume
	if !first && !st.taken {
		return
	}
	if st.epoch < n.floor || n.active || rec.kind == recResume && (!n.whole || n.data.len() != rec.arg) {
		st.taken = false
		return
	}
	if first && m.fault != StreamDoesNotFence {
		n.floor = st.epoch
	}
	switch rec.kind {
	case recBegin:
		n.data, n.whole, st.taken, st.fresh = 0, false, true, true
	case recSnapshot:
		n.data, n.whole, st.fresh = history(rec.arg), true, false
	case recResume:
		st.taken, st.fresh = true, false
	case recPut:
		n.data = n.data.with(rec.arg)
	}
	if st.open && n.whole {
		s.nodes[i].acked[k] = n.data.len()
	}
}

// connect opens the stream to a copy, anew.
func (m *search) connect(s *state, i, k int, resume bool) {
	n := &s.nodes[i]
	s.streams[i][k] = stream{open: true, epoch: n.begun}
	if resume {
		s.streams[i][k].add(recResume, n.data.len())
		return
	}
	n.acked[k] = 0
	s.streams[i][k].add(recBegin, 0)
	s.streams[i][k].add(recSnapshot, uint8(n.data))
}

// reopen breaks the stream to a copy, which loses what was under way, and begins
// another.
func (m *search) reopen(s *state, i, k int) bool {
	r := s.rowOf(i)
	if !s.nodes[i].active || r.replicas&bit(k) == 0 {
		return false
	}
	s.breaks++
	bound := s.required(i)&bit(k) != 0
	m.connect(s, i, k, bound && m.fault != BeginInSync)
	return true
}
