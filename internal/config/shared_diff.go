package config

import (
	"slices"
	"strings"
)

// Diff tells what makes settings b of settings a, a line for each side of each
// setting that differs, in the order of the reference. Secrets are not in it,
// only that they differ.
func Diff(a, b Shared) string {
	var out strings.Builder
	line := func(sign string, s Shared, path string) {
		if t, there := s.texts[path]; there {
			out.WriteString(sign + " " + path + ": " + redactText(path, t).yaml() + "\n")
		}
	}
	for _, path := range a.Differences(b) {
		before, had := a.texts[path]
		after, has := b.texts[path]
		if had && has && redactText(path, before).equal(redactText(path, after)) {
			out.WriteString("~ " + path + ": " + redactText(path, after).yaml() + " (the secret differs)\n")
			continue
		}
		line("-", a, path)
		line("+", b, path)
	}
	return out.String()
}

// Restart returns the settings that differ between two configurations and need
// a restart of the node, in the order of the reference.
func Restart(running, wanted Config) []string {
	var paths []string
	for _, path := range Changed(running, wanted) {
		if row, _ := locate(path); !row.live {
			paths = append(paths, path)
		}
	}
	return paths
}

// Changed returns the settings that differ between two configurations, in the
// order of the reference.
func Changed(a, b Config) []string {
	var paths []string
	all := placesOf(&a)
	for _, path := range placesOf(&b) {
		if !slices.Contains(all, path) {
			all = append(all, path)
		}
	}
	for _, path := range all {
		row, _ := locate(path)
		before, _ := row.of(&a)
		after, _ := row.of(&b)
		if !textsOf(before).equal(textsOf(after)) {
			paths = append(paths, path)
		}
	}
	slices.SortFunc(paths, comparePaths)
	return paths
}

// ParameterChanges returns the changes that lead to the values which a
// configuration has for parameters of CONFIG SET, by Redis's names. Of a
// parameter that sets several settings only those are in it that differ from
// now.
func ParameterChanges(now, wanted Config, parameters []string) []Change {
	var changes []Change
	count := map[string]int{}
	for _, s := range settings {
		count[s.redis]++
	}
	for i := range settings {
		s := &settings[i]
		if s.redis == "" || !slices.Contains(parameters, s.redis) {
			continue
		}
		before, after := textsOf(s.at(&now)), textsOf(s.at(&wanted))
		if count[s.redis] > 1 && before.equal(after) {
			continue
		}
		value := after.items
		if after.list {
			changes = append(changes, Change{Path: s.path, Value: strings.Join(value, ", ")})
			continue
		}
		changes = append(changes, Change{Path: s.path, Value: value[0]})
	}
	return changes
}

// Parameter returns Redis's name of a setting, empty when it has none.
func Parameter(path string) string {
	row, _ := locate(path)
	return row.redis
}
