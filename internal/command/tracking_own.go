package command

// A client with NOLOOP is not told of its own changes. The engine reports a
// change without its author, so changes of the keys that such a client is
// writing are held back until its command has answered, and then:
//
//   - none was reported: nothing to tell;
//   - one, and the reply says that the command has changed something: its own,
//     nothing to tell;
//   - otherwise another client may have changed the key at the same time: tell.
//
// So it may be told of a change that was its own, which does no harm, but it is
// always told of one that was not.

// ownWrite are the keys a NOLOOP client is writing, guarded by the lock of the
// tracker.
type ownWrite struct {
	changes map[string]int // by key; nil: no write is in progress
}

// runOwn is run for a write of a client with NOLOOP.
func (x *Executor) runOwn(s *Session, cmd *Command, args [][]byte, timed bool) Outcome {
	t := &x.tracker
	own := map[string]int{}
	for _, i := range cmd.keyPositions(args) {
		own[string(args[i])] = 0
	}
	keys := len(own)
	t.mu.Lock()
	s.tracking.own.changes = own
	t.mu.Unlock()
	mark := len(s.Out.Buf)
	out := x.run(s, cmd, args, timed)
	certain := out != Park && saysChanged(s.Out.Buf[mark:], keys)
	t.mu.Lock()
	defer t.mu.Unlock()
	s.tracking.own.changes = nil
	for key, n := range own {
		if n > 1 || n == 1 && !certain {
			t.tellNow(s, []byte(key))
		}
	}
	return out
}

// tellUnlessOwn tells a client of a change, or notes it when the client is
// itself writing the key.
//
// REQUIRES: t.mu held.
func (t *tracker) tellUnlessOwn(s *Session, key []byte) {
	own := s.tracking.own.changes
	if n, writing := own[string(key)]; writing {
		own[string(key)] = n + 1
		return
	}
	t.tellNow(s, key)
}

// tellNow tells a client of a change, in broadcast mode with the others of the
// batch.
//
// REQUIRES: t.mu held.
func (t *tracker) tellNow(s *Session, key []byte) {
	if s.tracking.mode.broadcast {
		t.announce(s, key)
		return
	}
	t.tell(s, key)
}

// saysChanged reports whether the reply of a write leaves no doubt that each
// of its n keys was changed: neither an error, nor null, nor a number below n.
func saysChanged(reply []byte, n int) bool {
	if len(reply) < 4 {
		return false
	}
	switch reply[0] {
	case '-', '_', '*', '%':
		return false
	case '$':
		return reply[1] != '-'
	case ':':
		count := 0
		for _, b := range reply[1:] {
			if b < '0' || b > '9' {
				break
			}
			count = min(count*10+int(b-'0'), n)
		}
		return count >= n
	}
	return true
}
