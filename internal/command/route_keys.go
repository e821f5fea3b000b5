package command

import "github.com/larder-cache/larder/internal/hashing"

// keyPlaces tells where the keys of a command's requests stand, as far as that
// follows from the command alone.
type keyPlaces struct {
	form keyForm
	at   int // index of the first key
	last int // of the last one; not positive: counted from the end
	step int
	// split: a request with keys of several nodes is executed in parts.
	split splitForm
	whole bool // with noKeys: it is about all keys
}

// keyForm says how much there is to do to find the keys of a request.
type keyForm uint8

const (
	noKeys     keyForm = iota // there are none
	oneKeyAt                  // one, always in the same place
	keysAt                    // several, at regular distances
	keysSought                // anything else: see keyUses
)

// findKeys derives the places from the key specifications.
func (c *Command) findKeys() (k keyPlaces) {
	var found []KeySpec
	for _, spec := range c.Keys {
		if !spec.Unknown && spec.Flags&KeyNotKey == 0 {
			found = append(found, spec)
		}
	}
	switch {
	case len(found) == 0:
		k.whole = aboutAllKeys[c.full]
		return k
	case len(found) > 1 || found[0].NumAt > 0 || found[0].Keyword != "" || c.full == "sort":
		k.form = keysSought
	case found[0].Last == 0:
		k.form, k.at = oneKeyAt, found[0].First
	default:
		spec := found[0]
		k.form, k.at, k.last, k.step = keysAt, spec.First, spec.Last, max(spec.Step, 1)
		if spec.Last > 0 {
			k.last += spec.First
		}
	}
	k.split = splitForms[c.full]
	return k
}

// aboutAllKeys are the commands that are about all keys.
var aboutAllKeys = map[string]bool{
	"dbsize": true, "keys": true, "scan": true, "randomkey": true, "flushdb": true, "flushall": true,
}

// end returns the index behind the last place of a key in a request of n words,
// for the form keysAt.
func (k *keyPlaces) end(n int) int {
	if k.last < 0 {
		return n + k.last + 1
	}
	return min(k.last+1, n)
}

// slotOf returns the slot of the keys of a request, noSlot when it has none and
// manySlots when they are of several.
func (c *Command) slotOf(args [][]byte) int {
	slot := noSlot
	switch k := &c.keys; k.form {
	case oneKeyAt:
		if k.at < len(args) {
			return int(hashing.Slot(args[k.at]))
		}
	case keysAt:
		for at, end := k.at, k.end(len(args)); at < end; at += k.step {
			if slot = joinSlots(slot, int(hashing.Slot(args[at]))); slot == manySlots {
				break
			}
		}
	case keysSought:
		for _, use := range c.keyUses(args) {
			slot = joinSlots(slot, int(hashing.Slot(args[use.At])))
		}
	}
	return slot
}

// Values for a slot that are none.
const (
	noSlot    = -1
	manySlots = -2
)

// joinSlots returns the slot of two sets of keys together.
func joinSlots(a, b int) int {
	switch {
	case a == noSlot || a == b:
		return b
	case b == noSlot:
		return a
	}
	return manySlots
}

// fits reports whether a request of n words has whole groups of words, for the
// form keysAt: MSET a value for each key.
func (k *keyPlaces) fits(n int) bool { return k.form == keysAt && (n-k.at)%k.step == 0 }
