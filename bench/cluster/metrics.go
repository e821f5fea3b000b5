package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/larder-cache/larder/internal/nodes"
)

// metricsOf returns the numbers of a node's /metrics that have no labels, by name.
func metricsOf(ctx context.Context, n *nodes.Node) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.HTTP+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("metrics of node %s: %w", n.Name, err)
	}
	defer r.Body.Close()
	numbers := map[string]float64{}
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if f, err := strconv.ParseFloat(value, 64); err == nil {
			numbers[name] = f
		}
	}
	return numbers, lines.Err()
}
