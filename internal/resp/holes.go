package resp

import (
	"bytes"
	"cmp"
	"slices"
)

// Holes
//
// A hole keeps the place of a reply that somebody else is going to supply. The
// replies behind it are written as always, but stay until it is filled:
//
//	front | Buf[sent:] with attachments and holes
//	 sent first
//
// Holes are filled in any order. What stands before the first open hole moves to
// front as far as it is short, so that a pipeline of forwarded and local requests
// leaves as one run of bytes rather than one for each reply. Each byte moves at
// most once.

const (
	// copiedFill is the length in bytes from which on the reply that fills a hole
	// is not copied.
	copiedFill = 16 << 10
	// copiedRun is the length of the run of Buf before a hole from which on it
	// stays where it is.
	copiedRun = 16 << 10
)

// Hole reserves the place of a reply and returns an id that no other hole of
// the writer has had. [Writer.Truncate] takes it back.
func (w *Writer) Hole() (id uint64) {
	w.waiting++
	w.attach(Attachment{At: len(w.Buf), open: true})
	return w.serial
}

// HoleAt is Hole for a place before output that is already written: what stands
// behind the mark waits. It is for the time between two requests or the end of
// one: marks taken behind m before are not valid any more, and no hole behind it may have been
// filled.
func (w *Writer) HoleAt(m Mark) (id uint64) {
	at := len(w.Attachments)
	for at > 0 && w.Attachments[at-1].serial > m.serial {
		at--
	}
	w.waiting++
	hole := Attachment{At: m.at, open: true}
	w.attach(hole)
	if last := len(w.Attachments) - 1; at < last {
		copy(w.Attachments[at+1:], w.Attachments[at:last])
		hole.serial = m.serial + 1 // which attach leaves free
		w.Attachments[at] = hole
		return hole.serial
	}
	return w.serial
}

// Lift takes a hole away: nothing belongs there, what stands behind it need not
// wait for it any more. It reports false when there is no such hole.
func (w *Writer) Lift(id uint64) bool {
	i, found := w.find(id)
	if !found || !w.Attachments[i].open {
		return false
	}
	w.waiting--
	if i > 0 {
		copy(w.Attachments[1:i+1], w.Attachments[:i])
	}
	w.Attachments[0] = Attachment{}
	w.forget(1)
	if i == 0 && len(w.Attachments) > 0 {
		w.forget(w.advance(0))
	}
	if w.sent == len(w.Buf) && len(w.Attachments) == 0 {
		w.Buf, w.sent = w.Buf[:0], 0
	}
	return true
}

// Has reports whether there is a hole with that id that is not filled.
func (w *Writer) Has(id uint64) bool {
	i, found := w.find(id)
	return found && w.Attachments[i].open
}

// Waiting returns the number of holes that have not been filled.
func (w *Writer) Waiting() int { return w.waiting }

// Fill supplies the reply of a hole, RESP already. Unless release is nil the
// writer owns data until it calls release, which happens exactly once; otherwise
// data is copied. It reports false, having dropped the data, when there is no
// such hole: it was taken back, or is filled.
func (w *Writer) Fill(id uint64, data []byte, release func()) bool {
	i, found := w.find(id)
	if !found || !w.Attachments[i].open {
		if release != nil {
			release()
		}
		return false
	}
	a := &w.Attachments[i]
	a.open = false
	w.waiting--
	if len(data) < copiedFill {
		if i == 0 && w.isNear(a) {
			w.move(a, data)
			w.forget(1 + w.advance(1))
		} else {
			a.Data = bytes.Clone(data)
			w.attached += len(data)
		}
		if release != nil {
			release()
		}
		return true
	}
	if release == nil {
		data = bytes.Clone(data)
	}
	a.Data, a.Release = data, release
	w.attached += len(data)
	return true
}

// find returns the place of the attachment with a serial.
func (w *Writer) find(serial uint64) (at int, found bool) {
	if len(w.Attachments) > 0 && w.Attachments[0].serial == serial {
		return 0, true
	}
	return slices.BinarySearchFunc(w.Attachments, serial, func(a Attachment, serial uint64) int {
		return cmp.Compare(a.serial, serial)
	})
}

// isNear reports whether what stands before the first attachment is short, and
// none of the attachment has been sent.
func (w *Writer) isNear(a *Attachment) bool { return w.sentRef == 0 && a.At-w.sent <= copiedRun }

// move appends to front what stands before the first attachment, and then data.
func (w *Writer) move(a *Attachment, data []byte) {
	w.front = append(w.front, w.Buf[w.sent:a.At]...)
	w.front = append(w.front, data...)
	w.sent = a.At
	*a = Attachment{serial: a.serial}
}

// advance moves to front what has been filled from the given place on, up to
// the first open hole or the first attachment that is better sent from where it
// is. It returns how many attachments it has moved.
func (w *Writer) advance(from int) (n int) {
	for ; from+n < len(w.Attachments); n++ {
		a := &w.Attachments[from+n]
		if a.open || len(a.Data) >= copiedFill || a.Release != nil || !w.isNear(a) {
			break
		}
		w.attached -= len(a.Data)
		w.move(a, a.Data)
	}
	return n
}

// Furnish gives the writer memory to gather the replies of holes in. It reports
// false when the writer has some. [Writer.Vacate] takes it back.
func (w *Writer) Furnish(room []byte) bool {
	if cap(w.front) > 0 {
		return false
	}
	w.front = room[:0]
	return true
}

// Vacate returns the memory that the replies of holes were gathered in, nil
// while it is in use.
func (w *Writer) Vacate() (room []byte) {
	if len(w.front) > 0 {
		return nil
	}
	room, w.front = w.front, nil
	return room
}
