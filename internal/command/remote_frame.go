package command

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// Kinds of requests between nodes; see [peer.Request].
const (
	// KindRequest is one request of a client.
	KindRequest uint8 = 0x10 + iota
	// KindTransaction is EXEC: the requests of a transaction, and what its client
	// watches.
	KindTransaction
	// KindWatch is WATCH: it asks for the versions of keys.
	KindWatch
	// KindNear is GET of a hot key: the node keeps what it is told for a while.
	KindNear
)

// A frame that carries a request, whose numbers are of variable length unless
// said otherwise:
//
//	u8  version of this format
//	u8  flags
//	u8  hops: how often it was forwarded already
//	database, client at the sender, version of the sender's view
//
// and then, by kind:
//
//	request, watch   words
//	near             length of the id of the node that asks, the id; for how many
//	                 milliseconds it keeps a copy; words
//	transaction      epoch, number of watched keys, of each: database,
//	                 version (u64, little endian), key; number of requests,
//	                 each as words
//
// Words are their number, and of each its length and its bytes. The reply is
// RESP in the version asked for.
const remoteFormat = 1

const (
	remoteRESP3   = 1 << iota // the client speaks RESP3
	remoteNoTouch             // its reads do not count for eviction
)

// maxRemoteWords is the most words a request may have, as that of the parser.
const maxRemoteWords = 1 << 20

// errFrame says that a frame is none of ours.
var errFrame = errors.New("request of another node can not be understood")

// remoteRequest is what a frame says. Words alias the frame.
type remoteRequest struct {
	resp3, noTouch bool
	hops           uint8
	db             int
	client         uint64
	view           uint64

	words [][]byte // of a request

	// Of a read for a near copy:
	holder   cluster.NodeID
	lifetime time.Duration

	// Of a transaction:
	epoch   cluster.Epoch
	watched []watchedKey
	queue   [][][]byte
}

// appendHead appends what all frames begin with.
func (r *remoteRequest) appendHead(b []byte) []byte {
	flags := byte(0)
	if r.resp3 {
		flags |= remoteRESP3
	}
	if r.noTouch {
		flags |= remoteNoTouch
	}
	b = append(b, remoteFormat, flags, r.hops)
	b = binary.AppendUvarint(b, uint64(r.db))
	b = binary.AppendUvarint(b, r.client)
	return binary.AppendUvarint(b, r.view)
}

// bodyBytes is the length from which on the last word of a request is not
// copied into its frame but sent behind it.
const bodyBytes = 4 << 10

// appendRequest appends a frame with a request. body is to be sent behind it.
func (r *remoteRequest) appendRequest(b []byte) (head, body []byte) {
	b = r.appendHead(b)
	b = binary.AppendUvarint(b, uint64(len(r.words)))
	last := len(r.words) - 1
	for i, word := range r.words {
		b = binary.AppendUvarint(b, uint64(len(word)))
		if i == last && len(word) >= bodyBytes {
			return b, word
		}
		b = append(b, word...)
	}
	return b, nil
}

// appendNear appends a frame with a read for a near copy.
func (r *remoteRequest) appendNear(b []byte) []byte {
	b = appendWord(r.appendHead(b), []byte(r.holder))
	b = binary.AppendUvarint(b, uint64(r.lifetime/time.Millisecond))
	b = binary.AppendUvarint(b, uint64(len(r.words)))
	for _, word := range r.words {
		b = appendWord(b, word)
	}
	return b
}

// appendTransaction appends a frame with a transaction.
func (r *remoteRequest) appendTransaction(b []byte) []byte {
	b = r.appendHead(b)
	b = binary.AppendUvarint(b, uint64(r.epoch))
	b = binary.AppendUvarint(b, uint64(len(r.watched)))
	for _, w := range r.watched {
		b = binary.AppendUvarint(b, uint64(w.db))
		b = binary.LittleEndian.AppendUint64(b, w.version)
		b = appendWord(b, w.key)
	}
	b = binary.AppendUvarint(b, uint64(len(r.queue)))
	for _, words := range r.queue {
		b = binary.AppendUvarint(b, uint64(len(words)))
		for _, word := range words {
			b = appendWord(b, word)
		}
	}
	return b
}

func appendWord(b, word []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(word))), word...)
}

// parse reads a frame. What it keeps of former frames is their room. Every
// length is compared with what is left of the frame before memory is taken.
func (r *remoteRequest) parse(kind uint8, frame []byte) error {
	c := frameCursor{rest: frame}
	if c.byte() != remoteFormat {
		return errFrame
	}
	flags := c.byte()
	r.resp3, r.noTouch = flags&remoteRESP3 != 0, flags&remoteNoTouch != 0
	r.hops = c.byte()
	db := c.number()
	r.db, r.client, r.view = int(db), c.number(), c.number()
	r.words, r.watched, r.queue = r.words[:0], r.watched[:0], r.queue[:0]
	switch kind {
	case KindRequest, KindWatch:
		r.words = c.words(r.words)
	case KindNear:
		r.holder = cluster.NodeID(c.word())
		r.lifetime = time.Duration(c.number()&(1<<32-1)) * time.Millisecond
		r.words = c.words(r.words)
	case KindTransaction:
		r.parseTransaction(&c)
	default:
		return errFrame
	}
	if c.bad || len(c.rest) > 0 || db > 1<<20 {
		return errFrame
	}
	return nil
}

func (r *remoteRequest) parseTransaction(c *frameCursor) {
	r.epoch = cluster.Epoch(c.number())
	for range c.count(10, maxRemoteWords) {
		w := watchedKey{db: int(c.number() & (1<<20 - 1)), version: c.fixed()}
		w.key = c.word()
		if c.bad {
			return
		}
		r.watched = append(r.watched, w)
	}
	for range c.count(2, maxRemoteWords) {
		words := c.words(nil)
		if c.bad {
			return
		}
		r.queue = append(r.queue, words)
	}
}

// frameCursor reads a frame from front to end. After the first thing that
// cannot be, bad is set and everything is zero.
type frameCursor struct {
	rest []byte
	bad  bool
}

func (c *frameCursor) fail() {
	c.rest, c.bad = nil, true
}

func (c *frameCursor) byte() byte {
	if len(c.rest) == 0 {
		c.fail()
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b
}

func (c *frameCursor) fixed() uint64 {
	if len(c.rest) < 8 {
		c.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(c.rest)
	c.rest = c.rest[8:]
	return v
}

func (c *frameCursor) number() uint64 {
	v, n := binary.Uvarint(c.rest)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

// count reads how many things follow that have at least size bytes each.
func (c *frameCursor) count(size, most int) int {
	n := c.number()
	if n > uint64(most) || n > uint64(len(c.rest)/size) {
		c.fail()
		return 0
	}
	return int(n)
}

func (c *frameCursor) word() []byte {
	n := c.count(1, len(c.rest))
	if c.bad {
		return nil
	}
	word := c.rest[:n:n]
	c.rest = c.rest[n:]
	return word
}

// words reads words, at least one, into list.
func (c *frameCursor) words(list [][]byte) [][]byte {
	n := c.count(1, maxRemoteWords)
	if n == 0 {
		c.fail()
		return nil
	}
	for range n {
		list = append(list, c.word())
	}
	if c.bad {
		return nil
	}
	return list
}
