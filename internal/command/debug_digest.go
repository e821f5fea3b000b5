package command

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// dataDigest is the signature of data that Redis's DEBUG DIGEST computes, so that
// two servers can be compared.
type dataDigest [sha1.Size]byte

// xor adds something whose order does not matter.
func (d *dataDigest) xor(b []byte) {
	sum := sha1.Sum(b)
	for i := range d {
		d[i] ^= sum[i]
	}
}

// mix adds something whose order matters.
func (d *dataDigest) mix(b []byte) {
	d.xor(b)
	*d = sha1.Sum(d[:])
}

func (d *dataDigest) mixNumber(n int) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(n))
	d.mix(b[:])
}

// add adds an entry's value; strings have the type number 0.
func (d *dataDigest) add(e memory.Entry) {
	d.mixNumber(0)
	d.mix(e.Value())
	if e.ExpireAt() != 0 {
		d.xor([]byte("!!expire!!"))
	}
}

func (d *dataDigest) String() string { return hex.EncodeToString(d[:]) }

func debugDigest(c *Context) {
	var all dataDigest
	store := c.Exec.store
	for db := range store.Databases() {
		if store.Len(db) == 0 {
			continue
		}
		all.mixNumber(db)
		for cursor := uint64(0); ; {
			cursor = store.Scan(db, cursor, 256, c.Now, func(e memory.Entry) {
				var d dataDigest
				d.mix(e.Key())
				d.add(e)
				all.xor(d[:])
			})
			if cursor == 0 {
				break
			}
		}
	}
	c.Out.Simple(all.String())
}

func debugDigestValue(c *Context) {
	c.Out.Array(len(c.Args) - 2)
	for _, key := range c.Args[2:] {
		var d dataDigest
		h := c.Lock(key)
		if e, found := h.Peek(); found {
			d.add(e)
		}
		h.Release()
		c.Out.Simple(d.String())
	}
}
