package config

import "strings"

// Nearest returns the candidate that word is most likely a misspelling of,
// empty when none is near enough: a third of the letters may be wrong, two that
// changed places count once, case and the choice of - or _ do not count.
func Nearest(word string, candidates []string) string {
	word = plainSpelling(word)
	best, limit := "", max(1, len([]rune(word))/3)+1
	for _, c := range candidates {
		if d := distance(word, plainSpelling(c)); d < limit {
			best, limit = c, d
		}
	}
	return best
}

func plainSpelling(s string) string {
	return strings.ReplaceAll(strings.ToLower(s), "-", "_")
}

// distance counts insertions, deletions, replacements and exchanges of
// neighbours (optimal string alignment) that make b of a.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	var before []int
	last := make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := range s {
		row := make([]int, len(t)+1)
		row[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(t)]
}
