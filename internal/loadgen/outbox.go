package loadgen

// bigValue is the size in bytes from which a value is sent from where it lies
// instead of being copied behind its header. Below it one copy is cheaper than
// a longer list for the kernel.
const bigValue = 16 << 10

// outbox is the bytes a session has still to send: a buffer of requests, with
// references to big values that belong between its bytes. Not safe for
// concurrent use; the zero value is empty.
type outbox struct {
	buf  []byte
	bigs []big

	at  int // sent of buf
	big int // sent whole of bigs
	off int // sent of bigs[big]
}

// big is data to be sent before buf[before].
type big struct {
	before int
	data   []byte
}

// addBig appends data without copying; it must not change until it is sent.
func (o *outbox) addBig(data []byte) {
	o.bigs = append(o.bigs, big{len(o.buf), data})
}

func (o *outbox) empty() bool { return o.at == len(o.buf) && o.big == len(o.bigs) }

// pieces appends the next unsent pieces to dst, until it is full or nothing is
// left. They are valid until the next call that changes the outbox.
func (o *outbox) pieces(dst [][]byte) [][]byte {
	at, i, off := o.at, o.big, o.off
	for len(dst) < cap(dst) {
		end := len(o.buf)
		if i < len(o.bigs) {
			end = o.bigs[i].before
		}
		switch {
		case at < end:
			dst = append(dst, o.buf[at:end])
			at = end
		case i < len(o.bigs):
			if rest := o.bigs[i].data[off:]; len(rest) > 0 {
				dst = append(dst, rest)
			}
			i, off = i+1, 0
		default:
			return dst
		}
	}
	return dst
}

// advance marks the next n bytes as sent; when they were the last, the memory
// is used again.
func (o *outbox) advance(n int) {
	for n > 0 || o.big < len(o.bigs) {
		end := len(o.buf)
		if o.big < len(o.bigs) {
			end = o.bigs[o.big].before
		}
		if o.at < end {
			k := min(n, end-o.at)
			if k == 0 {
				return
			}
			o.at += k
			n -= k
			continue
		}
		if o.big == len(o.bigs) {
			break
		}
		k := min(n, len(o.bigs[o.big].data)-o.off)
		o.off += k
		n -= k
		if o.off < len(o.bigs[o.big].data) {
			return
		}
		o.big, o.off = o.big+1, 0
	}
	if o.empty() {
		o.buf, o.bigs, o.at, o.big = o.buf[:0], o.bigs[:0], 0, 0
	}
}
