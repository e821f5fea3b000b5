package command

// globMatch reports whether text matches a pattern of Redis's glob dialect:
// * (any run), ? (any byte), [abc], [a-z], [^a] and \x (x itself). With fold
// the case of ASCII letters does not matter.
//
// The dialect's corners are those of Redis: a class without its closing
// bracket ends with the pattern, a range may be given backwards and compares
// signed bytes, a backslash at the very end stands for itself, and the empty
// text matches the empty pattern only, not even a star.
//
// Of several stars only the last one is ever tried again, since what an earlier
// one could swallow in addition is swallowed by the later one as well. So the
// time is at most len(pattern) x len(text), not exponential in the stars.
func globMatch(pattern, text []byte, fold bool) bool {
	if len(text) == 0 {
		return len(pattern) == 0
	}
	p, t := 0, 0
	star, from := -1, 0 // pattern behind the last star; text where its rest was tried
	for t < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			for p < len(pattern) && pattern[p] == '*' {
				p++
			}
			if p == len(pattern) {
				return true
			}
			star, from = p, t
			continue
		}
		if p < len(pattern) {
			if next, ok := globOne(pattern, p, text[t], fold); ok {
				p = next
				t++
				continue
			}
		}
		if star < 0 {
			return false
		}
		from++
		p, t = star, from
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// globOne matches one byte of text with the element of the pattern at p, which
// is no star, and returns where the next element starts.
func globOne(pattern []byte, p int, b byte, fold bool) (next int, ok bool) {
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return globClass(pattern, p+1, b, fold)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	if fold {
		return p + 1, lower(pattern[p]) == lower(b)
	}
	return p + 1, pattern[p] == b
}

// globClass matches one byte with the class whose first byte behind the
// bracket is at p.
func globClass(pattern []byte, p int, b byte, fold bool) (next int, ok bool) {
	negated := p < len(pattern) && pattern[p] == '^'
	if negated {
		p++
	}
	found := false
	for ; p < len(pattern); p++ {
		switch x := pattern[p]; {
		case x == '\\' && p+1 < len(pattern):
			// An escaped byte is compared as it is, whatever fold says.
			p++
			found = found || pattern[p] == b
		case x == ']':
			return p + 1, found != negated
		case p+2 < len(pattern) && pattern[p+1] == '-':
			found = found || globRange(x, pattern[p+2], b, fold)
			p += 2
		case fold:
			found = found || lower(x) == lower(b)
		default:
			found = found || x == b
		}
	}
	return p, found != negated
}

func globRange(from, to, b byte, fold bool) bool {
	lo, hi := int8(from), int8(to)
	if lo > hi {
		lo, hi = hi, lo
	}
	if fold {
		lo, hi, b = int8(lower(byte(lo))), int8(lower(byte(hi))), lower(b)
	}
	return lo <= int8(b) && int8(b) <= hi
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}
