package resp

import (
	"math"
	"strconv"
)

// FormatDouble formats a number as Redis does: integers in full as far as they
// surely fit 64 bits, everything else in the shortest digits that read back as
// the same number, with an exponent only where the zeros would be many.
func FormatDouble(v float64) string {
	const safe = math.MaxInt64 / 2
	switch {
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	case math.IsNaN(v):
		return "nan"
	case v == 0 && math.Signbit(v):
		return "-0"
	case v >= -safe && v <= safe && v == math.Trunc(v):
		return strconv.FormatInt(int64(v), 10)
	}
	digits, point := decompose(v)
	switch {
	case point >= digits && point <= digits+7, point < digits && (digits-point < 7 || point > -3 && point <= 4):
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	text := strconv.FormatFloat(v, 'e', -1, 64)
	// Redis writes exponents without a leading zero.
	if n := len(text); text[n-2] == '0' && (text[n-3] == '+' || text[n-3] == '-') {
		return text[:n-2] + text[n-1:]
	}
	return text
}

// decompose returns how many digits the shortest form of v has and how many
// of them stand before the decimal point (zero or less: none).
func decompose(v float64) (digits, point int) {
	var room [32]byte
	text := strconv.AppendFloat(room[:0], math.Abs(v), 'e', -1, 64)
	for i, c := range text {
		if c == 'e' {
			exponent, _ := strconv.Atoi(string(text[i+1:]))
			return digits, exponent + 1
		}
		if c != '.' {
			digits++
		}
	}
	return digits, point
}
