package eviction

import "math/bits"

// observer follows a sample of keys, resident or not, to teach a [reuseModel]
// when keys of each class are used again, and to know what LRU would have done
// in place of the policy. A key is known by its fingerprint. Keys are sampled by hash, so that all accesses to a
// followed key are seen; the records are in LRU order, linked by index, with a
// mark where a cache of the sampled share of the capacity would end.
//
// Invariant: records[0] is unused, so that index 0 is none.
// Invariant: the records with resident set are the first of the LRU order, and
// lruBytes is the sum of their sizes.
type observer struct {
	model   *reuseModel
	records []record
	heads   []uint32 // hash chains, a power of two
	free    uint32   // chain of unused records
	newest  uint32
	oldest  uint32
	lruEnd  uint32 // the last record in the cache of LRU
	count   int
	shift   uint // one key in 1<<shift is followed
	limit   int  // records to keep at most
	// least is the limit of a small cache, and reach how many times its
	// resident entries the sample is to represent, so that reuse after
	// eviction is seen.
	least, reach int

	lruBytes uint64
	// held is the bytes of the records that the policy holds. LRU may hold as
	// much, so that a sample that is larger or smaller than its share favours
	// neither.
	held uint64
}

// record is a followed key.
type record struct {
	print    uint32 // of the hash
	last     uint32 // time of the last use
	size     uint32
	newer    uint32
	older    uint32
	chain    uint32
	usage    usage
	resident bool // in the cache of LRU
	held     bool // in the policy's
}

// entriesPerRecord bounds the records of large caches.
const entriesPerRecord = 128

// follows reports whether the key is in the sample.
func (o *observer) follows(print uint32) bool { return print <= ^uint32(0)>>o.shift }

// fingerprint stands for a key. Followed keys have the smallest ones.
func fingerprint(hash uint64) uint32 { return uint32(spread(hash) >> 32) }

// adapt sets the size of the sample for about n resident entries.
func (o *observer) adapt(n int) {
	o.limit = o.least + n/entriesPerRecord
	shift := uint(bits.Len(uint(o.reach * n / o.limit)))
	if shift > o.shift {
		o.shift = shift
		o.dropUnsampled()
	}
	if len(o.heads) < o.limit/2 {
		o.rehash(1 << bits.Len(uint(o.limit/2)))
	}
}

// access notes a use of a followed key at the given time, after which the policy
// holds it, and returns whether LRU held it before.
func (o *observer) access(print, size, now, random uint32) (lruHit bool) {
	i := o.find(print)
	lruHit = i != 0 && o.records[i].resident
	if i == 0 {
		i = o.add(print)
	} else {
		r := &o.records[i]
		age := now - r.last
		o.model.reused[o.model.cell(r.usage, age)]++
		r.usage = r.usage.used(age, random)
		o.unlink(i)
	}
	r := &o.records[i]
	if r.held {
		o.held -= uint64(r.size)
	}
	r.last, r.size, r.held = now, size, true
	o.held += uint64(size)
	o.linkNewest(i)
	o.trimLRU()
	if o.count > o.limit {
		o.dropOldest(now)
	}
	return lruHit
}

// left notes that the policy holds a followed key no longer.
func (o *observer) left(print uint32) {
	if i := o.find(print); i != 0 && o.records[i].held {
		o.records[i].held = false
		o.held -= uint64(o.records[i].size)
	}
}

// resized notes the size of a followed key that changed in place.
func (o *observer) resized(print, size uint32) {
	i := o.find(print)
	if i == 0 {
		return
	}
	r := &o.records[i]
	grown := uint64(size) - uint64(r.size)
	if r.resident {
		o.lruBytes += grown
	}
	if r.held {
		o.held += grown
	}
	r.size = size
	o.trimLRU()
}

// countAges adds the followed keys to the cells of their class and age.
func (o *observer) countAges(now uint32, alive *[cells]float32) {
	for i := o.newest; i != 0; i = o.records[i].older {
		r := &o.records[i]
		alive[o.model.cell(r.usage, now-r.last)]++
	}
}

// find returns the record of a fingerprint, zero when it is not followed.
func (o *observer) find(print uint32) uint32 {
	i := o.heads[print&uint32(len(o.heads)-1)]
	for i != 0 && o.records[i].print != print {
		i = o.records[i].chain
	}
	return i
}

// add starts to follow a key; its record is in no list yet.
func (o *observer) add(print uint32) uint32 {
	i := o.free
	if i != 0 {
		o.free = o.records[i].chain
	} else {
		if len(o.records) == 0 {
			o.records = append(o.records, record{})
		}
		i = uint32(len(o.records))
		o.records = append(o.records, record{})
	}
	head := &o.heads[print&uint32(len(o.heads)-1)]
	o.records[i] = record{print: print, chain: *head}
	*head = i
	o.count++
	return i
}

// dropOldest ends the observation of the key used longest ago.
func (o *observer) dropOldest(now uint32) {
	i := o.oldest
	r := &o.records[i]
	o.model.ended[o.model.cell(r.usage, now-r.last)]++
	o.drop(i)
}

// drop forgets a record.
func (o *observer) drop(i uint32) {
	o.unlink(i)
	link := &o.heads[o.records[i].print&uint32(len(o.heads)-1)]
	for *link != i {
		link = &o.records[*link].chain
	}
	*link = o.records[i].chain
	if o.records[i].held {
		o.held -= uint64(o.records[i].size)
	}
	o.records[i] = record{chain: o.free}
	o.free = i
	o.count--
}

// dropUnsampled forgets the keys that a smaller sample leaves out.
func (o *observer) dropUnsampled() {
	for i := o.newest; i != 0; {
		next := o.records[i].older
		if o.records[i].print > ^uint32(0)>>o.shift {
			o.drop(i)
		}
		i = next
	}
}

// rehash sets the number of hash chains.
func (o *observer) rehash(n int) {
	o.heads = make([]uint32, n)
	for i := o.newest; i != 0; i = o.records[i].older {
		head := &o.heads[o.records[i].print&uint32(n-1)]
		o.records[i].chain = *head
		*head = i
	}
}

// linkNewest puts a record at the front of the LRU order, where it is in LRU's
// cache.
func (o *observer) linkNewest(i uint32) {
	r := &o.records[i]
	r.newer, r.older = 0, o.newest
	r.resident = true
	if o.newest != 0 {
		o.records[o.newest].newer = i
	} else {
		o.oldest = i
	}
	o.newest = i
	if o.lruEnd == 0 {
		o.lruEnd = i
	}
	o.lruBytes += uint64(r.size)
}

// unlink takes a record out of the LRU order and out of LRU's cache.
func (o *observer) unlink(i uint32) {
	r := &o.records[i]
	if r.resident {
		o.lruBytes -= uint64(r.size)
		if o.lruEnd == i {
			o.lruEnd = r.newer
		}
	}
	if r.newer != 0 {
		o.records[r.newer].older = r.older
	} else {
		o.newest = r.older
	}
	if r.older != 0 {
		o.records[r.older].newer = r.newer
	} else {
		o.oldest = r.newer
	}
}

// trimLRU lets LRU evict until it holds no more than the policy.
func (o *observer) trimLRU() {
	for o.lruBytes > o.held && o.lruEnd != 0 {
		r := &o.records[o.lruEnd]
		o.lruBytes -= uint64(r.size)
		r.resident = false
		o.lruEnd = r.newer
	}
}
