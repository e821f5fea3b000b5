package command

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// refusal is an error for a client in words of Redis, which begin with a
// capital where theirs do.
type refusal string

// Error implements error.
func (r refusal) Error() string { return string(r) }

// normalize checks a value and returns it as CONFIG GET will show it.
func (p *parameter) normalize(value string) (string, error) {
	switch p.kind {
	case kindYesNo:
		switch v := strings.ToLower(value); v {
		case "yes", "no":
			return v, nil
		}
		return "", refusal("argument must be 'yes' or 'no'")
	case kindWord:
		if v := strings.ToLower(value); slices.Contains(p.words, v) {
			return v, nil
		}
		return "", refusal("argument(s) must be one of the following: " + strings.Join(p.words, ", "))
	case kindInteger:
		v, ok := parseInt([]byte(value))
		if !ok {
			return "", refusal("argument couldn't be parsed into an integer")
		}
		return p.within(v)
	case kindBytes:
		return p.normalizeBytes(value)
	}
	return value, nil
}

func (p *parameter) normalizeBytes(value string) (string, error) {
	if v, ok := ParseBytes(value); ok {
		return p.within(v)
	}
	if !p.percent {
		return "", refusal("argument must be a memory value")
	}
	v, ok := parseInt([]byte(strings.TrimSuffix(value, "%")))
	switch {
	case !ok || v < 0 || !strings.HasSuffix(value, "%"):
		return "", refusal("argument must be a memory or percent value")
	case v > 100:
		return "", refusal("percentage argument must be less or equal to 100")
	}
	return value, nil
}

func (p *parameter) within(v int64) (string, error) {
	if v < p.low || v > p.high {
		return "", refusal(fmt.Sprintf("argument must be between %d and %d inclusive", p.low, p.high))
	}
	return strconv.FormatInt(v, 10), nil
}

// byteUnits are the units Redis knows: those with a b are powers of 1024.
var byteUnits = map[string]int64{
	"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 1e6, "mb": 1 << 20, "g": 1e9, "gb": 1 << 30,
}

// ParseBytes reads a number of bytes with an optional unit, in any case: b, k,
// kb, m, mb, g, gb; k is 1000 and kb 1024.
func ParseBytes(s string) (int64, bool) {
	digits := strings.TrimRight(strings.ToLower(s), "bkmg")
	unit, known := byteUnits[strings.ToLower(s[len(digits):])]
	v, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || !known || int64(v) > math.MaxInt64/unit {
		return 0, false
	}
	return int64(v) * unit, true
}

// parseOutputLimits reads client-output-buffer-limit: groups of class, hard
// limit, soft limit and seconds. Classes not named keep theirs.
func parseOutputLimits(value string, limits *[3]OutputLimit) error {
	words := strings.Fields(value)
	if len(words)%4 != 0 {
		return refusal("Wrong number of arguments in buffer limit configuration.")
	}
	changed := *limits
	for i := 0; i < len(words); i += 4 {
		class, ok := clientTypeByName([]byte(words[i]))
		if !ok || class == typeMaster {
			return refusal("Invalid client class specified in buffer limit configuration.")
		}
		hard, ok1 := ParseBytes(words[i+1])
		soft, ok2 := ParseBytes(words[i+2])
		seconds, err := strconv.ParseInt(words[i+3], 10, 32)
		if !ok1 || !ok2 || err != nil || seconds < 0 {
			return refusal("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		changed[class] = OutputLimit{Hard: int(hard), Soft: int(soft), SoftFor: asSeconds(seconds)}
	}
	*limits = changed
	return nil
}

func formatOutputLimits(limits *[3]OutputLimit) string {
	var parts []string
	for i, name := range []string{"normal", "slave", "pubsub"} {
		l := limits[i]
		parts = append(parts, fmt.Sprintf("%s %d %d %d", name, l.Hard, l.Soft, int(l.SoftFor.Seconds())))
	}
	return strings.Join(parts, " ")
}

// parsePercentiles reads latency-tracking-info-percentiles.
func parsePercentiles(value string) ([]float64, error) {
	var list []float64
	for _, word := range strings.Fields(value) {
		v, err := strconv.ParseFloat(word, 64)
		switch {
		case err != nil || math.IsNaN(v):
			return nil, refusal("Invalid latency-tracking-info-percentiles parameters")
		case v < 0 || v > 100:
			return nil, refusal("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
		}
		list = append(list, v)
	}
	return list, nil
}

func formatPercentiles(list []float64) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strings.Join(words, " ")
}
