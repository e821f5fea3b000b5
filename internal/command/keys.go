package command

// keyRange is the key specification of the usual form: the keys start at
// argument first, every step-th argument is one, up to last. As in the key
// specifications of COMMAND INFO, last counts from first when it is not
// negative (0: one key), and from the end of the request otherwise (-1: up to
// the last argument).
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
// depend on options are resolved.
func (c *Command) keyUses(args [][]byte) []keyUse {
	var uses []keyUse
	for i := range c.Keys {
		uses = c.Keys[i].appendUses(uses, args)
	}
	if len(uses) == 0 {
		return nil
	}
	switch c.full {
	case "set":
		if !hasWord(args, 3, "get") {
			uses[0].Flags = KeyOW | KeyUpdate
		}
	case "bitfield":
		if !bitfieldWrites(args) {
			uses[0].Flags = KeyRO | KeyAccess
		}
	case "sort":
		if at := sortDestination(args); at > 0 {
			uses = append(uses, keyUse{at, KeyOW | KeyUpdate})
		}
	}
	for i := range uses {
		uses[i].Flags &^= KeyVariable
	}
	return uses
}

// appendUses appends the keys that one specification finds in a request.
func (s *KeySpec) appendUses(uses []keyUse, args [][]byte) []keyUse {
	if s.Unknown || s.Flags&KeyNotKey != 0 {
		return uses
	}
	step := max(s.Step, 1)
	last := s.First + s.Last
	switch {
	case s.NumAt > 0:
		if s.NumAt >= len(args) {
			return uses
		}
		n, ok := parseInt(args[s.NumAt])
		if !ok || n < 1 || n > int64(len(args)) {
			return uses
		}
		last = s.First + (int(n)-1)*step
	case s.Last < 0:
		last = len(args) + s.Last
	}
	for at := s.First; at <= last && at < len(args); at += step {
		uses = append(uses, keyUse{at, s.Flags})
	}
	return uses
}

// hasWord reports whether one of the arguments from position from on is word,
// which is in lower case, in any case.
func hasWord(args [][]byte, from int, word string) bool {
	for i := from; i < len(args); i++ {
		if equalFold(args[i], word) {
			return true
		}
	}
	return false
}

// bitfieldWrites reports whether a BITFIELD request has an operation other
// than GET.
func bitfieldWrites(args [][]byte) bool {
	for i := 2; i < len(args); i++ {
		switch {
		case equalFold(args[i], "get"):
			i += 2
		case equalFold(args[i], "overflow"):
			i++
		default:
			return true
		}
	}
	return false
}

// sortDestination returns the position of the key after STORE in a SORT
// request, 0 when there is none. The last one counts.
func sortDestination(args [][]byte) int {
	at := 0
	for i := 2; i < len(args); i++ {
		switch {
		case equalFold(args[i], "limit"):
			i += 2
		case equalFold(args[i], "by"), equalFold(args[i], "get"):
			i++
		case equalFold(args[i], "store") && i+1 < len(args):
			i++
			at = i
		}
	}
	return at
}
