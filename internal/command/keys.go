package command

// keySpan is a key specification of the usual form: it starts at argument
// first and extends to last, every step-th argument being a key.
//
// As in COMMAND INFO's key specifications, last counts from first when it is
// not negative (0: the first key alone), and from the end of the request
// otherwise (-1: up to the last argument).
func keyRange(first, last, step int, flags KeyFlags) []KeySpec {
	return []KeySpec{{First: first, Last: last, Step: step, Flags: flags}}
}

// oneKey is the specification of a command whose first argument is its key.
func oneKey(flags KeyFlags) []KeySpec { return keyRange(1, 0, 1, flags) }

// keyUse is one key of a request and what the command does with it.
type keyUse struct {
	At    int // index into the arguments
	Flags KeyFlags
}

// keyPositions returns the indexes of the keys among args, the name of the
// command being args[0]. Keys that depend on data (SORT ... BY) are left out,
// and so is what lies beyond the end of a request that is too short.
func (c *Command) keyPositions(args [][]byte) []int {
	uses := c.keyUses(args)
	at := make([]int, len(uses))
	for i, use := range uses {
		at[i] = use.At
	}
	return at
}

// keyUses is like keyPositions and tells what happens to each key. Flags that
// depend on options (KeyVariable) are resolved.
func (c *Command) keyUses(args [][]byte) []keyUse {
	var uses []keyUse
	for i := range c.Keys {
		uses = c.Keys[i].appendUses(uses, args)
	}
	if c.findKeys != nil {
		return c.findKeys(args, uses)
	}
	return uses
}

// appendUses appends the keys that one specification finds in a request.
func (s *KeySpec) appendUses(uses []keyUse, args [][]byte) []keyUse {
	switch {
	case s.Unknown || s.Flags&KeyNotKey != 0:
		return uses
	case s.Counted:
		return s.appendCounted(uses, args)
	}
	first, last := s.First, s.Last
	if last < 0 {
		last += len(args)
	} else {
		last += first
	}
	for at := first; at <= last && at < len(args); at += max(s.Step, 1) {
		uses = append(uses, keyUse{at, s.Flags})
	}
	return uses
}
