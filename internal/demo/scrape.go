package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/source"
)

// maxMetrics bounds what is read of a node's metrics, in bytes.
const maxMetrics = 8 << 20

// scrape reads the counts of a node from the metrics that it has for Prometheus.
func scrape(ctx context.Context, httpAddr string) (Counts, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+httpAddr+"/metrics", nil)
	if err != nil {
		return Counts{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return Counts{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return Counts{}, fmt.Errorf("metrics of %s: %s", httpAddr, response.Status)
	}
	return parseMetrics(io.LimitReader(response.Body, maxMetrics))
}

// parseMetrics reads the text format of Prometheus, as far as nodes write it.
func parseMetrics(r io.Reader) (Counts, error) {
	c := Counts{Namespaces: map[string]Reading{}}
	sourced := map[string]bool{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		if !strings.HasPrefix(text, "larder_") {
			continue
		}
		name, labels, value, err := parseSample(text)
		if err != nil {
			return Counts{}, err
		}
		if labels["namespace"] == "" {
			c.Held.sample(name, value)
			continue
		}
		reading := c.Namespaces[labels["namespace"]]
		reading.sample(name, labels, value)
		c.Namespaces[labels["namespace"]] = reading
		if name == "larder_source_loads_total" {
			sourced[labels["namespace"]] = true
		}
	}
	for name, r := range c.Namespaces {
		if r.Queries -= min(r.Spared, r.Queries); !sourced[name] {
			delete(c.Namespaces, name)
			continue
		}
		c.Namespaces[name] = r
	}
	return c, lines.Err()
}

// parseSample takes a line apart: name{label="value"} number. No label of a node
// has a quotation mark or a comma in it, but for those of build information,
// which nobody asks for.
func parseSample(line string) (name string, labels map[string]string, value float64, err error) {
	name, text, _ := strings.Cut(line, " ")
	if at := strings.IndexByte(line, '{'); at >= 0 {
		end := strings.LastIndexByte(line, '}')
		if end < at {
			return "", nil, 0, fmt.Errorf("metric %.40q has no end of labels", line)
		}
		labels = map[string]string{}
		for _, pair := range strings.Split(line[at+1:end], ",") {
			key, quoted, _ := strings.Cut(pair, "=")
			labels[key] = strings.Trim(quoted, `"`)
		}
		name, text = line[:at], line[end+1:]
	}
	value, err = strconv.ParseFloat(strings.TrimSpace(text), 64)
	return name, labels, value, err
}

// sample takes a number of the engine.
func (h *Held) sample(name string, value float64) {
	switch name {
	case "larder_entries":
		h.Entries = uint64(value)
	case "larder_memory_entries_bytes", "larder_memory_index_bytes":
		h.Bytes += uint64(value)
	case "larder_entries_evicted_total":
		h.Evicted = uint64(value)
	case "larder_entries_expired_total":
		h.Expired = uint64(value)
	}
}

// sample takes a number of the namespace. Queries has those that were spared in
// it until all numbers are there.
func (r *Reading) sample(name string, labels map[string]string, value float64) {
	n := uint64(value)
	switch name {
	case "larder_namespace_hits_total":
		r.Hits = n
		r.Reads += n
	case "larder_namespace_misses_total":
		r.Reads += n
	case "larder_namespace_negative_hits_total":
		r.Negative = n
	case "larder_namespace_stale_hits_total":
		r.Stale = n
	case "larder_namespace_failed_reads_total":
		r.Failed = n
	case "larder_source_loads_total":
		r.Queries = n
	case "larder_source_loads_collapsed_total":
		r.Collapsed = n
	case "larder_source_errors_total":
		if fault := labels[source.FaultLabel]; fault == source.FaultBreakerOpen.String() || fault == source.FaultBusy.String() {
			r.Spared += n
		}
	case source.LatencyMetric + "_sum":
		r.QueryTime = time.Duration(value * float64(time.Second))
	case source.LatencyMetric + "_count":
		r.Measured = n
	}
}
