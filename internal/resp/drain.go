package resp

// Chunks appends to list what is to be sent next, in order: runs of Buf and
// attachments, at most limit of them. The slices are valid until the next
// change of the writer. Nothing is appended when there is no output.
func (w *Writer) Chunks(list [][]byte, limit int) [][]byte {
	from, skip := w.sent, w.sentRef
	full := len(list) + limit
	for _, a := range w.Attachments {
		if from < a.At && len(list) < full {
			list = append(list, w.Buf[from:a.At])
			from = a.At
		}
		if len(list) == full {
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

// Sent tells that the first n bytes of the output are gone. Attachments sent to
// the end are released. When nothing is left the buffer is empty again.
func (w *Writer) Sent(n int) {
	done := 0
	for done < len(w.Attachments) {
		a := &w.Attachments[done]
		if run := a.At - w.sent; n < run {
			break
		} else if run > 0 {
			n -= run
			w.sent = a.At
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
	if done > 0 {
		kept := copy(w.Attachments, w.Attachments[done:])
		clear(w.Attachments[kept:])
		w.Attachments = w.Attachments[:kept]
	}
	w.sent += n
	if w.sent == len(w.Buf) && len(w.Attachments) == 0 {
		w.Buf, w.sent = w.Buf[:0], 0
	}
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

// drop releases the attachment with that index.
func (w *Writer) drop(i int) {
	if release := w.Attachments[i].Release; release != nil {
		release()
	}
	w.Attachments[i] = Attachment{}
}

// Take moves the output of from behind that of w.
func (w *Writer) Take(from *Writer) {
	shift := len(w.Buf) - from.sent
	if w.Size() == 0 {
		// Nothing is in front of it: the buffers change places.
		version := w.Version
		*w, *from = *from, Writer{Buf: w.Buf[:0], Version: from.Version}
		w.Version = version
		return
	}
	w.Buf = append(w.Buf, from.Buf[from.sent:]...)
	for _, a := range from.Attachments {
		a.At += shift
		w.Attachments = append(w.Attachments, a)
	}
	if from.sentRef > 0 {
		first := &w.Attachments[len(w.Attachments)-len(from.Attachments)]
		first.Data = first.Data[from.sentRef:]
	}
	w.attached += from.attached
	clear(from.Attachments)
	*from = Writer{Buf: from.Buf[:0], Attachments: from.Attachments[:0], Version: from.Version}
}
