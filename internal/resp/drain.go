package resp

import "math"

// Chunks appends to list what is to be sent next, in order: runs of Buf and
// attachments, at most limit of them, and nothing behind an open hole. The
// slices are valid until the next change of the writer. Nothing is appended when
// there is nothing that can be sent.
func (w *Writer) Chunks(list [][]byte, limit int) [][]byte {
	from, skip := w.sent, w.sentRef
	full := len(list) + min(limit, math.MaxInt-len(list))
	if w.sentFront < len(w.front) && len(list) < full {
		list = append(list, w.front[w.sentFront:])
	}
	for i := range w.Attachments {
		a := &w.Attachments[i]
		if from < a.At && len(list) < full {
			list = append(list, w.Buf[from:a.At])
			from = a.At
		}
		if len(list) == full || a.open {
			return list
		}
		if skip < len(a.Data) {
			list = append(list, a.Data[skip:])
		}
		skip = 0
	}
	if from < len(w.Buf) && len(list) < full {
		list = append(list, w.Buf[from:])
	}
	return list
}

// Ready reports whether Chunks has something to be sent now.
func (w *Writer) Ready() bool {
	if w.sentFront < len(w.front) {
		return true
	}
	from, skip := w.sent, w.sentRef
	for i := range w.Attachments {
		a := &w.Attachments[i]
		switch {
		case from < a.At:
			return true
		case a.open:
			return false
		case skip < len(a.Data):
			return true
		}
		skip = 0
	}
	return from < len(w.Buf)
}

// Sent tells that the first n bytes of the output are gone. Attachments sent to
// the end are released. When nothing is left the buffer is empty again.
func (w *Writer) Sent(n int) {
	if rest := len(w.front) - w.sentFront; n < rest {
		w.sentFront += n
		return
	} else if len(w.front) > 0 {
		n -= rest
		w.front, w.sentFront = w.front[:0], 0
	}
	done := 0
	for done < len(w.Attachments) {
		a := &w.Attachments[done]
		run := a.At - w.sent
		if n < run {
			break
		}
		n -= run
		w.sent = a.At
		if a.open {
			break
		}
		if rest := len(a.Data) - w.sentRef; n < rest {
			w.sentRef += n
			w.attached -= n
			n = 0
			break
		} else {
			n -= rest
			w.attached -= rest
		}
		w.sentRef = 0
		w.drop(done)
		done++
	}
	w.forget(done)
	w.sent += n
	if w.sent == len(w.Buf) && len(w.Attachments) == 0 {
		w.Buf, w.sent = w.Buf[:0], 0
	}
}

// forget removes the first n attachments, which have been dropped. The others
// stay where they are as long as there is room behind them, so that many holes
// do not make each more expensive.
func (w *Writer) forget(n int) {
	w.forgotten += n
	w.Attachments = w.Attachments[n:]
	if len(w.Attachments) == 0 {
		if cap(w.whole) > keptAttachments {
			w.whole = nil
		}
		w.Attachments, w.forgotten = w.whole, 0
	}
}

// keptAttachments is the number of attachments that an empty writer keeps the
// room for.
const keptAttachments = 128

// attach appends an attachment and gives it its serial: every other number, so
// that there is one for a hole before it.
func (w *Writer) attach(a Attachment) {
	w.serial += 2
	a.serial = w.serial
	if n := len(w.Attachments); n < cap(w.Attachments) {
		w.Attachments = append(w.Attachments, a)
		return
	} else if w.forgotten > n {
		moved := w.whole[:n]
		copy(moved, w.Attachments)
		clear(w.Attachments)
		w.Attachments = append(moved, a)
	} else {
		w.Attachments = append(w.Attachments, a)
	}
	w.whole, w.forgotten = w.Attachments[:0], 0
}

// Gone returns how many bytes at the start of Buf have been sent already.
func (w *Writer) Gone() int { return w.sent }

// Compact moves the output that is still to be sent to buf, which is empty and
// whose room is used, and returns the former buffer. Positions in Buf change: it
// is for the time between two requests.
func (w *Writer) Compact(buf []byte) (former []byte) {
	former = w.Buf
	w.Buf = append(buf, former[w.sent:]...)
	for i := range w.Attachments {
		w.Attachments[i].At -= w.sent
	}
	w.sent = 0
	return former
}

// Detach returns the attachments and forgets them without releasing them: the
// caller sees to it that their data is sent, at their places in Buf. The slice
// is valid until the next attachment. There must be no open hole, and nothing
// may have been sent.
func (w *Writer) Detach() []Attachment {
	list := w.Attachments
	w.Attachments, w.forgotten, w.attached = w.whole, 0, 0
	return list
}

// drop releases the attachment with that index.
func (w *Writer) drop(i int) {
	if release := w.Attachments[i].Release; release != nil {
		release()
	}
	w.Attachments[i] = Attachment{}
}

// Take moves the output of from behind that of w.
//
// REQUIRES: neither has an open hole.
func (w *Writer) Take(from *Writer) {
	if w.Size() == 0 {
		// Nothing is in front of it: the buffers change places.
		version := w.Version
		*w, *from = *from, Writer{Buf: w.Buf[:0], Version: from.Version, serial: from.serial}
		w.Version = version
		return
	}
	w.Buf = append(w.Buf, from.front[from.sentFront:]...)
	shift := len(w.Buf) - from.sent
	w.Buf = append(w.Buf, from.Buf[from.sent:]...)
	for _, a := range from.Attachments {
		a.At += shift
		w.attach(a)
	}
	if from.sentRef > 0 {
		first := &w.Attachments[len(w.Attachments)-len(from.Attachments)]
		first.Data = first.Data[from.sentRef:]
	}
	w.attached += from.attached
	clear(from.Attachments)
	*from = Writer{Buf: from.Buf[:0], Attachments: from.whole, whole: from.whole, Version: from.Version, serial: from.serial}
}
