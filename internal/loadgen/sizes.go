package loadgen

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Sizes is a distribution of value sizes in bytes. The zero value is not valid;
// use [FixedSize] or [ParseSizes]. It is immutable and may be shared.
type Sizes struct {
	kind     sizeKind
	min, max int     // of fixed (equal), uniform and lognormal
	median   float64 // of lognormal
	sigma    float64 // of lognormal: standard deviation of the logarithm
	list     []weightedSize
	total    uint64 // sum of the weights of list
	text     string
}

type sizeKind uint8

const (
	sizeUnset sizeKind = iota
	sizeFixed
	sizeUniform
	sizeLognormal
	sizeList
)

type weightedSize struct {
	bytes  int
	weight uint64
}

// lognormalCap bounds the long tail when no maximum is given.
const lognormalCap = 1 << 20

// FixedSize is n bytes, always.
func FixedSize(n int) Sizes {
	return Sizes{kind: sizeFixed, min: n, max: n, text: strconv.Itoa(n)}
}

// ParseSizes reads "64" or "1KiB" (fixed), "uniform:64-4KiB" (both included),
// "lognormal:300,1.2" or "lognormal:300,1.2,64KiB" (median, sigma of the
// logarithm, maximum, by default 1 MiB) or "64:90,1KiB:9,100KiB:1" (sizes with
// weights). Units are B, KiB, MiB, also k and m, by 1024.
func ParseSizes(text string) (Sizes, error) {
	s, err := parseSizes(text)
	if err != nil {
		return Sizes{}, fmt.Errorf("value size %q: %w", text, err)
	}
	s.text = text
	if err := s.validate(); err != nil {
		return Sizes{}, err
	}
	return s, nil
}

func parseSizes(text string) (Sizes, error) {
	if rest, ok := strings.CutPrefix(text, "uniform:"); ok {
		lo, hi, ok := strings.Cut(rest, "-")
		if !ok {
			return Sizes{}, errors.New("uniform needs two sizes, as in uniform:64-4KiB")
		}
		a, err := ParseBytes(lo)
		if err != nil {
			return Sizes{}, err
		}
		b, err := ParseBytes(hi)
		return Sizes{kind: sizeUniform, min: a, max: b}, err
	}
	if rest, ok := strings.CutPrefix(text, "lognormal:"); ok {
		return parseLognormal(rest)
	}
	if strings.ContainsAny(text, ":,") {
		return parseSizeList(text)
	}
	n, err := ParseBytes(text)
	return FixedSize(n), err
}

func parseLognormal(text string) (Sizes, error) {
	parts := strings.Split(text, ",")
	if len(parts) < 2 || len(parts) > 3 {
		return Sizes{}, errors.New("lognormal needs median and sigma, and may have a maximum, as in lognormal:300,1.2,64KiB")
	}
	median, err := ParseBytes(parts[0])
	if err != nil {
		return Sizes{}, err
	}
	sigma, err := strconv.ParseFloat(parts[1], 64)
	if err != nil || !(sigma >= 0 && sigma <= 10) {
		return Sizes{}, fmt.Errorf("sigma %q must be a number from 0 to 10", parts[1])
	}
	s := Sizes{kind: sizeLognormal, min: 1, max: max(lognormalCap, median), median: float64(median), sigma: sigma}
	if len(parts) == 3 {
		s.max, err = ParseBytes(parts[2])
	}
	return s, err
}

func parseSizeList(text string) (Sizes, error) {
	s := Sizes{kind: sizeList}
	for _, item := range strings.Split(text, ",") {
		size, weight, ok := strings.Cut(item, ":")
		if !ok {
			weight = "1"
		}
		n, err := ParseBytes(size)
		if err != nil {
			return Sizes{}, err
		}
		w, err := strconv.ParseUint(weight, 10, 31)
		if err != nil || w == 0 {
			return Sizes{}, fmt.Errorf("weight %q must be a whole number above 0", weight)
		}
		s.list = append(s.list, weightedSize{n, w})
		s.total += w
		s.max = max(s.max, n)
	}
	s.min = s.list[0].bytes
	for _, l := range s.list {
		s.min = min(s.min, l.bytes)
	}
	return s, nil
}

// byteUnits are the suffixes of sizes, longest first where one ends another.
var byteUnits = []struct {
	suffix string
	factor float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"kb", 1 << 10}, {"mb", 1 << 20},
	{"k", 1 << 10}, {"m", 1 << 20}, {"b", 1},
}

// ParseBytes reads a number of bytes such as "64", "1KiB" or "1.5m".
func ParseBytes(text string) (int, error) {
	number, factor := strings.ToLower(strings.TrimSpace(text)), 1.0
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = rest, u.factor
			break
		}
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(f >= 0 && f*factor <= maxValueBytes) {
		return 0, fmt.Errorf("%q is not a size from 0 to 512MiB, such as 64 or 1KiB", text)
	}
	return int(math.Round(f * factor)), nil
}

func (s Sizes) validate() error {
	switch {
	case s.kind == sizeUnset:
		return errors.New("no value size is set")
	case s.min < 0 || s.max < s.min || s.max > maxValueBytes:
		return fmt.Errorf("value size %q: from %d to %d bytes is not a range below 512 MiB", s.text, s.min, s.max)
	}
	return nil
}

// String returns the distribution as [ParseSizes] reads it.
func (s Sizes) String() string { return s.text }

// Max returns the largest size the distribution gives, in bytes.
func (s Sizes) Max() int { return s.max }

// fixed reports whether there is only one size.
func (s *Sizes) fixed() bool { return s.min == s.max }

// draw returns a size.
func (s *Sizes) draw(r *rand.Rand) int {
	switch {
	case s.min == s.max:
		return s.min
	case s.kind == sizeUniform:
		return s.min + r.IntN(s.max-s.min+1)
	case s.kind == sizeLognormal:
		n := s.median * math.Exp(s.sigma*r.NormFloat64())
		return int(min(max(n, float64(s.min)), float64(s.max)))
	default:
		at := r.Uint64N(s.total)
		for _, l := range s.list {
			if at < l.weight {
				return l.bytes
			}
			at -= l.weight
		}
		return s.max
	}
}
