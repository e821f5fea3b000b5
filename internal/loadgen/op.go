package loadgen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// op is a command of the mix, compiled: bytes that are always the same, and
// pieces that are filled in per request. Immutable, shared by all workers.
type op struct {
	name   string // what results call it: the command in lower case
	weight int
	reads  bool // its replies count as hits and misses
	data   bool // it carries a value
	pieces []piece
}

// piece is a part of a request.
type piece struct {
	kind pieceKind
	text string // of literal
	add  int    // of dataLen: bytes of the same word beside the value
}

type pieceKind uint8

const (
	literal pieceKind = iota
	aKey              // a key, always KeyLength bytes
	aNumber           // a uniform number below Keys, 12 digits
	aValue            // the value
	dataLen           // decimal: length of the value, plus add
	ttlBulk           // the time to live as a RESP bulk string
	ttlText           // the time to live in decimal
)

const numberDigits = 12

// compileOps returns the commands of the mix.
func compileOps(c *Config) ([]op, error) {
	var ops []op
	for _, cmd := range c.Commands {
		o, err := compileRESP(c, cmd.Template)
		if err != nil {
			return nil, fmt.Errorf("command %q: %w", cmd.Template, err)
		}
		o.weight = cmd.Weight
		ops = append(ops, o)
	}
	if len(ops) > 0 {
		return ops, nil
	}
	if c.Gets > 0 {
		o := getOp(c)
		o.weight = c.Gets
		ops = append(ops, o)
	}
	if c.Sets > 0 {
		o := setOp(c)
		o.weight = c.Sets
		ops = append(ops, o)
	}
	return ops, nil
}

func getOp(c *Config) op {
	switch c.Protocol {
	case Memcached:
		return op{name: "get", reads: true, pieces: []piece{{text: "get "}, {kind: aKey}, {text: "\r\n"}}}
	case MemcachedMeta:
		return op{name: "get", reads: true, pieces: []piece{{text: "mg "}, {kind: aKey}, {text: " v\r\n"}}}
	}
	o, err := compileRESP(c, "GET __key__")
	if err != nil {
		panic("loadgen: the built-in GET does not compile: " + err.Error())
	}
	return o
}

func setOp(c *Config) op {
	o := op{name: "set", data: true}
	switch c.Protocol {
	case Memcached:
		o.pieces = []piece{{text: "set "}, {kind: aKey}, {text: " 0 "}}
		if c.TTL.Max > 0 {
			o.pieces = append(o.pieces, piece{kind: ttlText})
		} else {
			o.pieces = append(o.pieces, piece{text: "0"})
		}
		o.pieces = append(o.pieces, piece{text: " "}, piece{kind: dataLen}, piece{text: "\r\n"})
	case MemcachedMeta:
		o.pieces = []piece{{text: "ms "}, {kind: aKey}, {text: " "}, {kind: dataLen}}
		if c.TTL.Max > 0 {
			o.pieces = append(o.pieces, piece{text: " T"}, piece{kind: ttlText})
		}
		o.pieces = append(o.pieces, piece{text: "\r\n"})
	default:
		template := "SET __key__ __data__"
		if c.TTL.Max > 0 {
			template += " PX __ttl__"
		}
		o, err := compileRESP(c, template)
		if err != nil {
			panic("loadgen: the built-in SET does not compile: " + err.Error())
		}
		return o
	}
	o.pieces = append(o.pieces, piece{kind: aValue}, piece{text: "\r\n"})
	o.pieces = settle(o.pieces, &c.Values)
	return o
}

// compileRESP turns a template into a RESP array of bulk strings.
func compileRESP(c *Config, template string) (op, error) {
	words, err := splitWords(template)
	if err != nil {
		return op{}, err
	}
	if len(words) == 0 {
		return op{}, errors.New("it has no words")
	}
	o := op{name: strings.ToLower(words[0]), reads: countsHits(words[0])}
	o.pieces = append(o.pieces, piece{text: "*" + strconv.Itoa(len(words)) + "\r\n"})
	for _, w := range words {
		if w == "__ttl__" {
			if c.TTL.Max == 0 {
				return op{}, errors.New("__ttl__ needs a ttl")
			}
			o.pieces = append(o.pieces, piece{kind: ttlBulk})
			continue
		}
		parts, fixed, values := splitPlaceholders(w, c.KeyLength)
		if values > 1 {
			return op{}, fmt.Errorf("word %q holds __data__ more than once", w)
		}
		o.pieces = append(o.pieces, piece{text: "$"})
		if values == 1 {
			o.data = true
			o.pieces = append(o.pieces, piece{kind: dataLen, add: fixed})
		} else {
			o.pieces = append(o.pieces, piece{text: strconv.Itoa(fixed)})
		}
		o.pieces = append(o.pieces, piece{text: "\r\n"})
		o.pieces = append(o.pieces, parts...)
		o.pieces = append(o.pieces, piece{text: "\r\n"})
	}
	o.pieces = settle(o.pieces, &c.Values)
	return o, nil
}

// splitPlaceholders cuts a word at its placeholders. fixed is its length
// without values, values the number of values in it.
func splitPlaceholders(word string, keyLength int) (parts []piece, fixed, values int) {
	for word != "" {
		at, kind, name := len(word), literal, ""
		for text, k := range map[string]pieceKind{"__key__": aKey, "__data__": aValue, "__rand__": aNumber} {
			if i := strings.Index(word, text); i >= 0 && i < at {
				at, kind, name = i, k, text
			}
		}
		if at > 0 {
			parts = append(parts, piece{text: word[:at]})
			fixed += at
		}
		switch kind {
		case aKey:
			fixed += keyLength
		case aNumber:
			fixed += numberDigits
		case aValue:
			values++
		}
		if kind != literal {
			parts = append(parts, piece{kind: kind})
		}
		word = word[at+len(name):]
	}
	return parts, fixed, values
}

// settle writes down what is the same in every request, and joins neighbours.
func settle(in []piece, sizes *Sizes) []piece {
	var out []piece
	for _, p := range in {
		if p.kind == dataLen && sizes.fixed() {
			p = piece{text: strconv.Itoa(sizes.max + p.add)}
		}
		if last := len(out) - 1; last >= 0 && p.kind == literal && out[last].kind == literal {
			out[last].text += p.text
			continue
		}
		out = append(out, p)
	}
	return out
}

// splitWords splits at blanks, except inside '...' and "...".
func splitWords(text string) ([]string, error) {
	var words []string
	var word []byte
	var quote byte
	inWord := false
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case quote != 0 && b == quote:
			quote = 0
		case quote != 0:
			word = append(word, b)
		case b == '\'' || b == '"':
			quote, inWord = b, true
		case b == ' ' || b == '\t':
			if inWord {
				words = append(words, string(word))
			}
			word, inWord = word[:0], false
		default:
			word, inWord = append(word, b), true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c is not closed", quote)
	}
	if inWord {
		words = append(words, string(word))
	}
	return words, nil
}

// countsHits reports whether a null in the reply to command is a miss.
func countsHits(command string) bool {
	switch strings.ToUpper(command) {
	case "GET", "GETEX", "GETDEL", "MGET", "HGET", "HMGET":
		return true
	}
	return false
}

// encode appends one request to out.
func (o *op) encode(out *outbox, g *generator) {
	var size int
	if o.data {
		size = g.sizes.draw(g.rnd)
	}
	for i := range o.pieces {
		p := &o.pieces[i]
		switch p.kind {
		case literal:
			out.buf = append(out.buf, p.text...)
		case aKey:
			out.buf = g.appendKey(out.buf, g.key())
		case aNumber:
			out.buf = appendPadded(out.buf, g.below(g.keys), numberDigits)
		case dataLen:
			out.buf = strconv.AppendUint(out.buf, uint64(size+p.add), 10)
		case aValue:
			if v := g.value(size); size >= bigValue {
				out.addBig(v)
			} else {
				out.buf = append(out.buf, v...)
			}
		case ttlBulk:
			t := g.lifetime()
			out.buf = append(out.buf, '$')
			out.buf = strconv.AppendInt(out.buf, int64(decimals(t)), 10)
			out.buf = append(out.buf, "\r\n"...)
			out.buf = strconv.AppendUint(out.buf, t, 10)
			out.buf = append(out.buf, "\r\n"...)
		case ttlText:
			out.buf = strconv.AppendUint(out.buf, g.lifetime(), 10)
		}
	}
}
