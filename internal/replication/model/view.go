package model

// learn puts a view in force on a node.
func (m *search) learn(s *state, i int, version uint8) {
	n := &s.nodes[i]
	was := *s.rowOf(i)
	n.version = version
	is := s.rowOf(i)
	self := int8(i)
	n.offered &= is.replicas
	switch {
	case is.owner != self:
		if n.active && is.arriving && was.owner == self {
			if st := &s.streams[i][is.owner]; st.open {
				st.add(recHandOver, is.epoch)
			}
		}
		n.active = false
		n.offered, n.begun, n.mine = 0, 0, 0
		for k := range nodes {
			s.streams[i][k].open = false
		}
	case n.active && was.owner == self && is.epoch > n.begun:
		if is.epoch != was.epoch+1 { // it was another's meanwhile
			n.active, n.begun, n.offered, n.mine = false, is.epoch, 0, 0
			return
		}
		n.begun = is.epoch
		for k := range nodes {
			if st := &s.streams[i][k]; st.open && is.replicas&bit(k) != 0 {
				if st.epoch = is.epoch; is.inSync&bit(k) != 0 || n.offered&bit(k) != 0 {
					m.connect(s, i, k, true)
				} else {
					m.connect(s, i, k, false)
				}
			}
		}
	case !n.active:
		n.begun = is.epoch
		if !is.arriving && n.whole && m.fault != PromiseDoesNotFence {
			n.floor = max(n.floor, is.epoch)
		}
	}
	if n.active {
		m.follow(s, i, was, *is)
	}
}

// follow begins copies to new learners, and ends those to who has left.
func (m *search) follow(s *state, i int, was, is row) {
	for k := range nodes {
		st := &s.streams[i][k]
		switch {
		case is.replicas&bit(k) == 0:
			st.open = false
		case was.replicas&bit(k) == 0:
			m.connect(s, i, k, m.fault == ResumeLearner)
		}
	}
}

// activate lets an owner serve: one that was handed the partition at once, one
// that was promoted when nobody can take its answers for fresh any more.
func (m *search) activate(s *state, i int) bool {
	n, r := &s.nodes[i], s.rowOf(i)
	if n.active || r.owner != int8(i) || n.begun != r.epoch {
		return false
	}
	if !n.whole {
		if m.fault != EmptyOwnerServes || r.inSync != 0 {
			return false // it begins empty only when it is told to
		}
		n.whole = true
	}
	handed := n.handed == r.epoch
	if r.arriving && !handed {
		return false
	}
	for k := range nodes {
		if s.lease[k][i] && !handed && m.fault != LeaseNotWaited && m.fault != PromiseDoesNotFence {
			return false
		}
	}
	n.active = true
	if m.fault != PromiseDoesNotFence {
		n.floor = max(n.floor, r.epoch)
	}
	n.acked, n.need, n.offered, n.mine = [nodes]uint8{}, [nodes]uint8{}, 0, 0
	for k := range nodes {
		if r.replicas&bit(k) != 0 {
			m.connect(s, i, k, r.inSync&bit(k) != 0 || m.fault == ResumeLearner)
		}
	}
	return true
}

// control lists what the controller may do. Its suspicions may be wrong, so
// it may do at any time what it does to the dead.
func (m *search) control(s *state, try func(string, int, int, func(*state) bool)) {
	r := *s.view()
	for k := range nodes {
		asked := r.inSync
		if m.fault == LearnerFollows {
			asked = r.replicas
		}
		if asked&bit(k) != 0 && (s.promises[k].epoch != r.epoch+1 || s.promises[k].dead) && r.epoch < m.scope.Epochs {
			try("promises", k, int(r.epoch)+1, func(t *state) bool { m.promise(t, k, r.epoch+1); return true })
		}
	}
	if s.versions == m.scope.Views {
		return
	}
	try("promotes", -1, -1, func(t *state) bool { return m.promote(t) })
	if r.arriving {
		try("relieves", int(r.owner), -1, func(t *state) bool {
			next := r
			next.arriving = false
			return m.save(t, next, t.lost)
		})
		if s.nodes[r.owner].active && s.nodes[r.owner].begun == r.epoch {
			try("sees arrived", int(r.owner), -1, func(t *state) bool {
				next := r
				next.arriving = false
				return m.save(t, next, t.lost)
			})
		}
		return
	}
	for k := range nodes {
		b := bit(k)
		switch {
		case r.owner == int8(k):
		case r.replicas&b == 0:
			try("adds learner", k, -1, func(t *state) bool {
				next := r
				next.replicas |= b
				return m.save(t, next, t.lost)
			})
		default:
			try("removes copy", k, -1, func(t *state) bool {
				next := r
				next.replicas, next.inSync = next.replicas&^b, next.inSync&^b
				if t.nodes[k].floor > r.epoch {
					next.epoch++
				}
				return next.epoch <= m.scope.Epochs && m.save(t, next, t.lost&^b)
			})
		}
		if r.replicas&^r.inSync&s.reported&b != 0 {
			try("has in sync", k, -1, func(t *state) bool {
				next := r
				next.inSync |= b
				return m.save(t, next, t.lost&^b)
			})
		}
		if r.inSync&b != 0 && m.scope.Swaps && r.epoch < m.scope.Epochs {
			try("swaps to", k, -1, func(t *state) bool {
				next := row{owner: int8(k), arriving: true, epoch: r.epoch + 1}
				next.replicas, next.inSync = r.replicas&^b|bit(int(r.owner)), r.inSync&^b|bit(int(r.owner))
				return m.save(t, next, t.lost)
			})
		}
	}
}

// save puts a view in force; lost are those of its owner and in sync that have died.
func (m *search) save(s *state, next row, lost uint8) bool {
	s.views[s.versions] = next
	s.versions++
	if m.fault != OldReport {
		s.reported = 0
	}
	s.lost = lost & (next.inSync | bit(int(next.owner)))
	return true
}

// promise lets a node promise an epoch.
func (m *search) promise(s *state, k int, epoch uint8) {
	n := &s.nodes[k]
	if m.fault != PromiseDoesNotFence {
		n.floor = max(n.floor, epoch)
	}
	if n.active {
		n.active, n.begun = false, 0
		for i := range nodes {
			s.streams[k][i].open = false
		}
	}
	s.promises[k] = promise{epoch: epoch, seq: n.data.len(), whole: n.whole || m.fault == EmptyIsWhole}
}

// promote makes the one with most, of those that have promised, the owner.
func (m *search) promote(s *state) bool {
	r := *s.view()
	candidates := r.inSync
	if m.fault == LearnerFollows {
		candidates = r.replicas
	}
	best, answered := -1, uint8(0)
	for k := range nodes {
		p := &s.promises[k]
		if candidates&bit(k) == 0 || p.epoch != r.epoch+1 {
			continue
		}
		answered |= bit(k)
		if p.whole && (best < 0 || p.seq > s.promises[best].seq) {
			best = k
		}
	}
	if best < 0 {
		return false
	}
	next := row{owner: int8(best), epoch: r.epoch + 1, replicas: answered &^ bit(best)}
	lost := uint8(0)
	for k := range nodes {
		p := &s.promises[k]
		if answered&bit(k) == 0 {
			continue
		}
		if k != best && p.whole && p.seq == s.promises[best].seq {
			next.inSync |= bit(k)
		}
		if p.dead {
			lost |= bit(k)
		}
	}
	return m.save(s, next, lost)
}
