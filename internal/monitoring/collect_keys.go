package monitoring

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// rankedKeys is how many hot keys have metrics.
const rankedKeys = 10

// keyCollector exports what is known about hot and big keys, without their
// names. Even ten names at a time would be a new series for each key that was
// ever hot, and names may be personal (an address, a session id), while metrics
// leave the machine and are kept for long. Ranks are ten series for ever, and
// answer what an alert asks: whether one key has too large a share. Which one,
// INFO hotkeys and /api/status tell.
func (m *Monitor) keyCollector() prometheus.Collector {
	share := gauge("larder_hot_key_share_ratio", "Share of the requests for keys that the key of this rank has now; rank 1 is the hottest.", "rank")
	sampled := counter("larder_hot_keys_sampled_total", "Requests looked at to find hot keys.")
	largest := gauge("larder_largest_entry_bytes", "Size of the largest entry found.")
	sizes := gauge("larder_entries_by_size", "Entries by size in the last complete walk through the store.", "size")
	scanned := counter("larder_entries_scanned_total", "Entries looked at to find big keys.")
	passes := counter("larder_scan_passes_total", "Complete walks through the store to find big keys.")
	passTime := gauge("larder_scan_pass_seconds", "Time the last complete walk took.")
	return &collector{[]family{share, sampled, largest, sizes, scanned, passes, passTime}, func(s sink) {
		for i, k := range m.cfg.HotKeys.Top(rankedKeys) {
			s.put(share, k.Share, strconv.Itoa(i+1))
		}
		s.count(sampled, m.cfg.HotKeys.Seen())
		r := m.big.Report(1)
		size := 0
		if len(r.Largest) > 0 {
			size = r.Largest[0].Bytes
		}
		s.put(largest, float64(size))
		for i, n := range r.Counts {
			s.count(sizes, n, sizeClass(r.Bounds, i))
		}
		s.count(scanned, r.Scanned)
		s.count(passes, r.Passes)
		s.put(passTime, r.PassTime.Seconds())
	}}
}
