package hashing

import "math"

// bounds say how many partitions (or copies of them) a node may have.
//
// Invariant: low <= share <= high <= low+1, so that nobody is more than one
// partition away from its share.
type bounds struct {
	share     float64
	low, high int
}

// tolerance is what rounding of shares may add up to.
const tolerance = 1e-7

func boundsOf(share float64) bounds {
	return bounds{share: share, low: int(math.Floor(share + tolerance)), high: int(math.Ceil(share - tolerance))}
}

// ownerBounds are the bounds of each node for owning: by weight alone.
func (r *Ring) ownerBounds() []bounds {
	weights := r.weights()
	out := make([]bounds, len(weights))
	for n, share := range spread(float64(r.partitions), weights, nil, nil) {
		out[n] = boundsOf(share)
	}
	return out
}

// copyBounds are the bounds of each node for holding a copy, as an owner or as
// a replica: by weight, as far as zones allow it. A node of a small zone gets
// more than its weight says when every partition needs a copy in that zone.
func (r *Ring) copyBounds(copies int) []bounds {
	weights := r.weights()
	all := float64(r.partitions)
	zoneWeight, zoneNodes := make([]float64, r.zones), make([]float64, r.zones)
	for n, w := range weights {
		zoneWeight[r.zone[n]] += w
		zoneNodes[r.zone[n]]++
	}
	low, high := make([]float64, r.zones), make([]float64, r.zones)
	for z := range r.zones {
		high[z] = all
		if r.zones <= copies { // every partition has at least one copy in each zone
			low[z], high[z] = all, all*min(zoneNodes[z], float64(copies-r.zones+1))
		}
	}
	shares := make([]bounds, len(weights))
	for z, zoneShare := range spread(all*float64(copies), zoneWeight, low, high) {
		var inside []float64
		var ceilings []float64
		for n, w := range weights {
			if r.zone[n] == z {
				inside, ceilings = append(inside, w), append(ceilings, all)
			}
		}
		split := spread(zoneShare, inside, nil, ceilings)
		for n := range weights {
			if r.zone[n] == z {
				shares[n] = boundsOf(split[0])
				split = split[1:]
			}
		}
	}
	return shares
}

func (r *Ring) weights() []float64 {
	w := make([]float64, len(r.nodes))
	for n := range r.nodes {
		w[n] = float64(r.nodes[n].Weight)
	}
	return w
}

// spread divides total in proportion to weights, but gives nobody less than its
// low or more than its high; nil lists mean zero and no bound. When the bounds
// leave no way, it comes as near to total as they let it.
func spread(total float64, weights, low, high []float64) []float64 {
	out := make([]float64, len(weights))
	at := func(level float64) (sum float64) {
		for i, w := range weights {
			x := level * w
			if low != nil {
				x = max(x, low[i])
			}
			if high != nil {
				x = min(x, high[i])
			}
			out[i] = x
			sum += x
		}
		return sum
	}
	var sum float64
	for _, w := range weights {
		sum += w
	}
	if sum == 0 {
		return out
	}
	if low == nil && high == nil {
		at(total / sum)
		return out
	}
	// The sum grows with the level: find the level by halving.
	from, to := 0.0, 1.0
	for at(to) < total-tolerance/2 && to < 1e12 {
		to *= 2
	}
	for range 100 {
		if mid := (from + to) / 2; at(mid) < total {
			from = mid
		} else {
			to = mid
		}
	}
	at(to)
	return out
}
