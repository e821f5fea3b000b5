package differential

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// source of random requests. Few keys and values that often have the shape a
// command wants, so that most requests do something.
type source struct{ *rand.Rand }

func (s source) pick(options ...string) string { return options[s.IntN(len(options))] }

func (s source) key() string {
	return s.pick("a", "b", "c", "k:1", "k:2", "k:3", "bin\x00\xff\r\n", "", strings.Repeat("long", 80))
}

func (s source) int() string {
	switch s.IntN(9) {
	case 0:
		return s.pick("9223372036854775807", "-9223372036854775808", "9223372036854775808", "-1", "0", "00", "+1", " 1", "1 ", "", "x", "1e3", "1.5")
	case 1:
		return strconv.FormatInt(s.Int64()-s.Int64(), 10)
	}
	return strconv.Itoa(s.IntN(40) - 10)
}

func (s source) float() string {
	switch s.IntN(4) {
	case 0:
		return s.pick("inf", "-inf", "nan", "1e400", "0x1p3", "3.0e3", "-0", "1e17", "1e-17", "abc", " 1", "5.0")
	case 1:
		return strconv.FormatFloat(s.NormFloat64()*1e6, 'g', 12, 64)
	}
	return fmt.Sprintf("%d.%d", s.IntN(200)-100, s.IntN(1000))
}

func (s source) value() string {
	switch s.IntN(7) {
	case 0:
		return s.int()
	case 1:
		return s.float()
	case 2:
		b := make([]byte, s.IntN(300))
		for i := range b {
			b[i] = byte(s.IntN(256))
		}
		return string(b)
	case 3:
		return strings.Repeat(s.pick("x", "ab", "\x00"), s.IntN(60))
	case 4:
		return ""
	}
	return s.pick("hello", "foobar", "This is a test", "mytext", "ohmytext", "\xff\xf0\x00")
}

func (s source) offset() string {
	switch s.IntN(12) {
	case 0:
		return s.pick("4294967296", "536870912", "-1", "x", "9223372036854775807")
	}
	return strconv.Itoa(s.IntN(90))
}

func (s source) field() string {
	return s.pick("u", "i", "u", "i", "x") + s.pick("1", "5", "8", "16", "31", "63", "64", "65", "0")
}

func (s source) keys(n int) []string {
	out := make([]string, 1+s.IntN(n))
	for i := range out {
		out[i] = s.key()
	}
	return out
}

func (s source) some(words ...[]string) (out []string) {
	for _, w := range words {
		if s.IntN(3) == 0 {
			out = append(out, w...)
		}
	}
	return out
}

func list(words ...string) []string { return words }

// request returns a random request.
func (s source) request() []string {
	k := s.key()
	ttl := strconv.Itoa(1000 + 1000*s.IntN(50))
	when := s.pick(ttl, "0", "-5", "x", "9223372036854775807", "92233720368547758")
	if s.IntN(3) > 0 {
		when = ttl
	}
	switch s.IntN(62) {
	case 0, 1, 2, 3:
		return append(list("SET", k, s.value()), s.some(list(s.pick("NX", "XX", "nx")), list("GET"), list("KEEPTTL"), list(s.pick("EX", "PX"), when), list("PXAT", "32503680000000"))...)
	case 4, 5:
		return list("GET", k)
	case 6:
		return append(list("GETEX", k), s.some(list("PERSIST"), list("EX", when))...)
	case 7:
		return list("GETDEL", k)
	case 8:
		return list("GETSET", k, s.value())
	case 9:
		return list(s.pick("SETEX", "PSETEX"), k, when, s.value())
	case 10:
		return list("SETNX", k, s.value())
	case 11:
		return append(list("MGET"), s.keys(4)...)
	case 12:
		return list(s.pick("MSET", "MSETNX"), s.key(), s.value(), s.key(), s.value())
	case 13, 14:
		return list("APPEND", k, s.value())
	case 15:
		return list("STRLEN", k)
	case 16:
		return list(s.pick("GETRANGE", "SUBSTR"), k, s.int(), s.int())
	case 17, 18:
		return list("SETRANGE", k, s.offset(), s.value())
	case 19, 20:
		return list(s.pick("INCR", "DECR"), k)
	case 21, 22:
		return list(s.pick("INCRBY", "DECRBY"), k, s.int())
	case 23, 24:
		return list("INCRBYFLOAT", k, s.float())
	case 25:
		return append(list("LCS", s.key(), s.key()), s.some(list("LEN"), list("IDX"), list("WITHMATCHLEN"), list("MINMATCHLEN", s.int()))...)
	case 26, 27:
		return list("SETBIT", k, s.offset(), s.pick("0", "1", "2"))
	case 28:
		return list("GETBIT", k, s.offset())
	case 29:
		return append(list("BITCOUNT", k), s.some(list(s.int(), s.int()), list(s.pick("BIT", "BYTE", "x")))...)
	case 30:
		return append(list("BITPOS", k, s.pick("0", "1", "2")), s.some(list(s.int()), list(s.int()), list(s.pick("BIT", "BYTE")))...)
	case 31, 32:
		return append(list("BITOP", s.pick("AND", "OR", "XOR", "NOT", "nor"), k), s.keys(3)...)
	case 33, 34:
		return append(list(s.pick("BITFIELD", "BITFIELD_RO"), k), s.some(
			list("GET", s.field(), s.pick("#", "")+s.offset()),
			list("OVERFLOW", s.pick("WRAP", "SAT", "FAIL", "x")),
			list("SET", s.field(), s.pick("#", "")+s.offset(), s.int()),
			list("INCRBY", s.field(), s.offset(), s.int()))...)
	case 35:
		return append(list(s.pick("DEL", "UNLINK")), s.keys(3)...)
	case 36:
		return append(list(s.pick("EXISTS", "TOUCH")), s.keys(3)...)
	case 37:
		return list("TYPE", k)
	case 38:
		return list(s.pick("RENAME", "RENAMENX"), k, s.key())
	case 39:
		return append(list("COPY", k, s.key()), s.some(list("REPLACE"), list("DB", s.pick("0", "1", "99", "x")))...)
	case 40:
		return list("MOVE", k, s.pick("0", "1", "99"))
	case 41, 42:
		return append(list(s.pick("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"), k, s.pick(when, when+"000", "32503680000")), s.some(list(s.pick("NX", "XX", "GT", "LT", "q")))...)
	case 43:
		return list(s.pick("TTL", "EXPIRETIME"), k)
	case 44:
		return list("PERSIST", k)
	case 45:
		return list("OBJECT", s.pick("ENCODING", "FREQ", "x", "HELP"), k)
	case 46:
		return list("DBSIZE")
	case 47:
		return append(list(s.pick("SORT", "SORT_RO"), k), s.some(list("LIMIT", s.int(), s.int()), list("ASC"), list("BY", "nosort"), list("STORE", s.key()))...)
	case 48:
		return list("DUMP", k)
	case 49:
		return list("SELECT", s.pick("0", "0", "1", "16", "x"))
	case 50:
		return list(s.pick("FLUSHDB", "FLUSHALL"), s.pick("ASYNC", "SYNC", "x"))
	case 51:
		return list("SWAPDB", s.pick("0", "1"), s.pick("1", "0", "77"))
	case 52:
		return list(s.pick("nosuch", "GET", "SET", "MGET", "OBJECT", "client", "config"), s.value())
	case 53:
		return list("ECHO", s.value())
	case 54:
		return append(list("PING"), s.some(list(s.value()))...)
	case 55:
		return list("RESTORE", k, s.pick("0", ttl, "-1", "x"), s.pick("\x00\xc0\x05\x0a\x00"+"12345678", "", "x"))
	case 56:
		return list("PUBLISH", k, s.value())
	case 57:
		return list("KEYS", s.pick("*", "k:*", "[ab]", "k:?", "nothing", "[^a]*", "\\a"))
	case 58:
		return list("SCAN", s.pick("0", "0", "x"), "COUNT", s.pick("1000", "0", "x"), "MATCH", s.pick("*", "k:*"))
	case 59:
		return list("CLIENT", s.pick("GETNAME", "SETNAME", "NO-EVICT", "REPLY", "TRACKINGINFO", "x"), s.pick("on", "n1", "with space", ""))
	case 60:
		return list("COMMAND", s.pick("COUNTS", "GETKEYS", "LIST"), s.pick("GET", "MSET", "nosuch"), k, s.value())
	}
	return list("SETRANGE", k, "0", s.value())
}
