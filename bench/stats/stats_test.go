package stats

import (
	"math"
	"testing"
)

func TestMedianAndSpread(t *testing.T) {
	for _, row := range []struct {
		values       []float64
		median, wide float64
	}{
		{[]float64{5}, 5, 0},
		{[]float64{3, 1, 2}, 2, 1},
		{[]float64{4, 1, 2, 3}, 2.5, 1.2},
		{[]float64{0, 0}, 0, 0},
		{[]float64{3}, 3, 0},
		{[]float64{1, 3}, 2, 1},
		{[]float64{4, 1, 2}, 2, 1.5},
	} {
		if m, s := Median(row.values), Spread(row.values); m != row.median || math.Abs(s-row.wide) > 1e-9 {
			t.Errorf("%v: median %g, spread %g", row.values, m, s)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("nothing has a median")
	}
}
