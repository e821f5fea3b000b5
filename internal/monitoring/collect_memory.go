package monitoring

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// memoryNumber is a number of the engine that has no label.
type memoryNumber struct {
	family
	value func(*memory.Stats) uint64
}

var memoryNumbers = []memoryNumber{
	{gauge("larder_memory_used_bytes", "What counts against the limit: entries, index, and what the Go runtime holds."), func(s *memory.Stats) uint64 { return s.Used }},
	{gauge("larder_memory_peak_bytes", "The most that was used."), func(s *memory.Stats) uint64 { return s.Peak }},
	{gauge("larder_memory_entries_bytes", "Entries with their headers and slack."), func(s *memory.Stats) uint64 { return s.Blocks }},
	{gauge("larder_memory_index_bytes", "The index."), func(s *memory.Stats) uint64 { return s.Index }},
	{gauge("larder_memory_holes_bytes", "Free stretches between entries."), func(s *memory.Stats) uint64 { return s.Holes }},
	{gauge("larder_memory_free_bytes", "Pages kept for large values to come."), func(s *memory.Stats) uint64 { return s.FreePages }},
	{gauge("larder_memory_resident_bytes", "Memory the engine has mapped and touched."), func(s *memory.Stats) uint64 { return s.Resident }},
	{gauge("larder_memory_runtime_bytes", "Memory the Go runtime holds."), func(s *memory.Stats) uint64 { return s.Overhead }},
	{gauge("larder_entries", "Entries, remembered absences included."), func(s *memory.Stats) uint64 { return s.Entries }},
	{gauge("larder_entries_negative", "Remembered absences: keys whose source has no such row."), func(s *memory.Stats) uint64 { return s.Negatives }},
	{counter("larder_entries_evicted_total", "Entries evicted to make room."), func(s *memory.Stats) uint64 { return s.Evicted }},
	{counter("larder_entries_expired_total", "Entries removed since their time to live was over."), func(s *memory.Stats) uint64 { return s.Expired }},
	{counter("larder_entries_moved_total", "Entries moved to join holes."), func(s *memory.Stats) uint64 { return s.Moved }},
}

// memoryCollector exports what the engine counts.
func (m *Monitor) memoryCollector() prometheus.Collector {
	limit := gauge("larder_memory_max_bytes", "The limit for the memory used; 0 is none.")
	fragments := gauge("larder_memory_fragmentation_ratio", "Resident bytes of the engine for each one in use by entries and index.")
	keys := gauge("larder_database_keys", "Keys by numbered database; those without keys are left out.", "db")
	expiring := gauge("larder_database_expiring_keys", "Keys with a time to live.", "db")
	policy := gauge("larder_eviction_policy_info", "Always 1; the label is the eviction policy.", "policy")
	families := []family{limit, fragments, keys, expiring, policy}
	return &collector{append(families, familiesOf(memoryNumbers)...), func(s sink) {
		store := m.cfg.Cache.Store()
		stats := store.Stats()
		for _, n := range memoryNumbers {
			s.count(n.family, n.value(&stats))
		}
		s.count(limit, store.MaxBytes())
		s.put(fragments, fragmentation(stats.Resident, stats.Blocks+stats.Index))
		s.put(policy, 1, string(store.Policy()))
		for _, db := range m.databases() {
			s.put(keys, float64(db.Keys), strconv.Itoa(db.DB))
			s.put(expiring, float64(db.Expires), strconv.Itoa(db.DB))
		}
	}}
}
