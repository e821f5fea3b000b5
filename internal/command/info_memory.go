package command

import (
	"bufio"
	"bytes"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// memoryUse is what INFO memory and MEMORY STATS are made of, in bytes.
type memoryUse struct {
	memory.Stats
	startup  uint64 // Used when the executor began
	rss      uint64 // of the process; Used where the system does not tell
	system   uint64 // memory of the machine; 0: unknown
	keys     uint64
	max      uint64
	clients  uint64 // buffers of clients
	heap     uint64 // Go objects
	mappings uint64 // the engine and the Go runtime together
}

func (x *Executor) memoryUse() memoryUse {
	u := memoryUse{Stats: x.store.Stats(), startup: x.startupBytes, max: x.store.MaxBytes()}
	for db := range x.store.Databases() {
		u.keys += uint64(x.store.Len(db))
	}
	for _, s := range x.sessions.all() {
		query, free, output := s.Link.Buffers()
		u.clients += uint64(query + free + output)
	}
	u.heap = heapBytes()
	u.mappings = u.Resident + u.Overhead
	if u.rss = residentBytes(); u.rss == 0 {
		u.rss = u.mappings
	}
	u.system = systemBytes()
	u.startup = min(u.startup, u.Used)
	return u
}

// dataset returns the bytes of keys and values, headers included.
func (u *memoryUse) dataset() uint64 { return min(u.Blocks, u.Used) }

// share returns a part of the net memory in percent.
func (u *memoryUse) share(part uint64) float64 {
	if net := u.Used - u.startup; net > 0 {
		return min(100, 100*float64(part)/float64(net))
	}
	return 0
}

func ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// heapBytes returns the bytes of Go objects, without stopping the program as
// runtime.ReadMemStats does.
func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// residentBytes returns the resident memory of the process, 0 where the system
// does not tell by /proc.
func residentBytes() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(string(fields[1]), 10, 64)
	return pages * uint64(os.Getpagesize())
}

// systemBytes returns the memory of the machine, 0 where it is not told.
func systemBytes() uint64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
			kib, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

func (x *Executor) infoMemory(w *infoWriter) {
	u := x.memoryUse()
	sized := func(name string, n uint64) {
		w.field(name, n)
		w.field(name+"_human", human(n))
	}
	sized("used_memory", u.Used)
	sized("used_memory_rss", u.rss)
	sized("used_memory_peak", u.Peak)
	w.field("used_memory_peak_perc", strconv.FormatFloat(100*ratio(u.Used, u.Peak), 'f', 2, 64)+"%")
	w.field("used_memory_overhead", u.Used-u.dataset())
	w.field("used_memory_startup", u.startup)
	w.field("used_memory_dataset", u.dataset())
	w.field("used_memory_dataset_perc", strconv.FormatFloat(u.share(u.dataset()), 'f', 2, 64)+"%")
	w.field("allocator_allocated", u.Used)
	w.field("allocator_active", u.mappings)
	w.field("allocator_resident", u.mappings)
	sized("total_system_memory", u.system)
	w.field("used_memory_lua", 0)
	w.field("used_memory_vm_eval", 0)
	w.field("used_memory_lua_human", "0B")
	w.zeros("used_memory_scripts_eval", "number_of_cached_scripts", "number_of_functions", "number_of_libraries",
		"used_memory_vm_functions", "used_memory_vm_total")
	w.field("used_memory_vm_total_human", "0B")
	w.zeros("used_memory_functions", "used_memory_scripts")
	w.field("used_memory_scripts_human", "0B")
	sized("maxmemory", u.max)
	w.field("maxmemory_policy", x.store.Policy())
	w.field("allocator_frag_ratio", ratio(u.mappings, u.Used))
	w.field("allocator_frag_bytes", int64(u.mappings)-int64(u.Used))
	w.field("allocator_rss_ratio", "1.00")
	w.field("allocator_rss_bytes", 0)
	w.field("rss_overhead_ratio", ratio(u.rss, u.mappings))
	w.field("rss_overhead_bytes", int64(u.rss)-int64(u.mappings))
	w.field("mem_fragmentation_ratio", ratio(u.rss, u.Used))
	w.field("mem_fragmentation_bytes", int64(u.rss)-int64(u.Used))
	w.zeros("mem_not_counted_for_evict", "mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves")
	w.field("mem_clients_normal", u.clients)
	w.zeros("mem_cluster_links", "mem_aof_buffer")
	w.field("mem_allocator", "larder")
	w.zeros("active_defrag_running", "lazyfree_pending_objects", "lazyfreed_objects")
}

func (x *Executor) infoCPU(w *infoWriter) {
	user, system := processorTime()
	seconds := func(name string, d time.Duration) {
		w.field(name, strconv.FormatFloat(d.Seconds(), 'f', 6, 64))
	}
	seconds("used_cpu_sys", system)
	seconds("used_cpu_user", user)
	seconds("used_cpu_sys_children", 0)
	seconds("used_cpu_user_children", 0)
	seconds("used_cpu_sys_main_thread", system)
	seconds("used_cpu_user_main_thread", user)
}
