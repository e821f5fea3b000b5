// Package stats has what the comparisons say about a few values.
package stats

import (
	"math"
	"slices"
)

// Median returns the middle of values, of an even number the mean of the two,
// and NaN of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// Spread returns the distance from the lowest to the highest value as a share
// of the median, 0 for fewer than two values.
func Spread(values []float64) float64 {
	m := Median(values)
	if len(values) < 2 || m == 0 {
		return 0
	}
	return (slices.Max(values) - slices.Min(values)) / m
}
