package command

import (
	"bytes"
	"math/big"
)

// INCRBYFLOAT computes with the 80-bit numbers of the x87 unit, the long double
// of the machines Redis runs on: 64 bits of mantissa and 15 of exponent. Here
// they are big.Floats of 64 bits, whose sums round the same way, kept within
// that range of exponents.
const (
	extendedBits   = 64
	extendedMaxExp = 16384  // of a mantissa in [0.5, 1)
	extendedMinExp = -16445 // of half the smallest number, which rounds to zero
	extendedMaxLen = 5*1024 - 1
	extendedPlaces = 17 // decimals shown, trailing zeros not
)

func zeroExtended() *big.Float { return new(big.Float).SetPrec(extendedBits) }

// parseExtended reads a number as strtold does, the whole text being one: with
// or without fraction and exponent, hexadecimal too, or an infinity. What is
// too large or too small for the range is refused.
func parseExtended(text []byte) (v *big.Float, ok bool) {
	if len(text) == 0 || len(text) > extendedMaxLen {
		return nil, false
	}
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	switch {
	case equalFold(text, "inf"), equalFold(text, "infinity"):
		return zeroExtended().SetInf(negative), true
	case len(text) > 2 && text[0] == '0' && lower(text[1]) == 'x':
		v, ok = parseExtendedDigits(text[2:], 16)
	default:
		v, ok = parseExtendedDigits(text, 10)
	}
	if !ok || v.IsInf() || v.MantExp(nil) > extendedMaxExp {
		return nil, false
	}
	if negative {
		v.Neg(v)
	}
	return v, true
}

// parseExtendedDigits reads a number without its sign. Its digits make an
// integer, which is then scaled, so that there is only one rounding.
func parseExtendedDigits(text []byte, base int) (v *big.Float, ok bool) {
	digits := make([]byte, 0, len(text))
	places, seenPoint, i := 0, false, 0
	for ; i < len(text); i++ {
		if text[i] == '.' && !seenPoint {
			seenPoint = true
			continue
		}
		if !isDigit(text[i], base) {
			break
		}
		digits = append(digits, text[i])
		if seenPoint {
			places++
		}
	}
	if len(digits) == 0 {
		return nil, false
	}
	exponent, ok := parseExponent(text[i:], base)
	if !ok {
		return nil, false
	}
	mantissa, _ := new(big.Int).SetString(string(digits), base)
	if mantissa.Sign() == 0 {
		return zeroExtended(), true
	}
	if base == 16 {
		v = zeroExtended().SetInt(mantissa)
		v.SetMantExp(v, exponent-4*places)
	} else {
		v = scaleExtended(mantissa, exponent-places)
	}
	return v, v.Cmp(extendedZero) > 0
}

// extendedZero is the largest number that rounds to zero.
var extendedZero = zeroExtended().SetMantExp(big.NewFloat(0.5), extendedMinExp)

// scaleExtended returns mantissa x 10^exponent, rounded once.
func scaleExtended(mantissa *big.Int, exponent int) *big.Float {
	// Far outside of the range there is no need to compute a huge power.
	if size := exponent + len(mantissa.Text(10)); size > 5000 || size < -5000 {
		v := zeroExtended()
		if size > 0 {
			v.SetInf(false)
		}
		return v
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	if exponent >= 0 {
		return zeroExtended().SetInt(mantissa.Mul(mantissa, power))
	}
	// SetInt of a Float without precision is exact.
	return zeroExtended().Quo(new(big.Float).SetInt(mantissa), new(big.Float).SetInt(power))
}

// parseExponent reads what follows the digits: nothing, or a letter, a sign if
// any, and at least one digit. Exponents far outside of the range are cut.
func parseExponent(text []byte, base int) (exponent int, ok bool) {
	const limit = 100000
	if len(text) == 0 {
		return 0, true
	}
	letter := byte('e')
	if base == 16 {
		letter = 'p'
	}
	if lower(text[0]) != letter {
		return 0, false
	}
	text = text[1:]
	negative := bytes.HasPrefix(text, []byte("-"))
	if negative || bytes.HasPrefix(text, []byte("+")) {
		text = text[1:]
	}
	for _, b := range text {
		if !isDigit(b, 10) {
			return 0, false
		}
		exponent = min(exponent*10+int(b-'0'), limit)
	}
	if negative {
		exponent = -exponent
	}
	return exponent, len(text) > 0
}

func isDigit(b byte, base int) bool {
	return b >= '0' && b <= '9' || base == 16 && lower(b) >= 'a' && lower(b) <= 'f'
}

// addExtended returns the text of a sum: seventeen decimals without trailing
// zeros and never an exponent. ok is false when the sum is no finite number.
func addExtended(a, b *big.Float) (text []byte, ok bool) {
	if a.IsInf() || b.IsInf() {
		return nil, false
	}
	sum := zeroExtended().Add(a, b)
	if sum.IsInf() || sum.MantExp(nil) > extendedMaxExp {
		return nil, false
	}
	text = sum.Append(nil, 'f', extendedPlaces)
	text = bytes.TrimRight(text, "0")
	text = bytes.TrimSuffix(text, []byte("."))
	if string(text) == "-0" {
		text = []byte("0")
	}
	return text, true
}
