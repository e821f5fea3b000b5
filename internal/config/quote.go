package config

import (
	"strconv"
	"strings"
)

// yamlValue writes the value of a setting as the file has it.
func yamlValue(v value) string {
	many, ok := v.(list)
	if !ok {
		return yamlText(v.text())
	}
	items := make([]string, len(many.items()))
	for i, item := range many.items() {
		items[i] = yamlText(item)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// plainRunes are the characters that mean themselves anywhere in a text without
// quotes, : and space excepted.
const plainRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+%()=;-: "

// yamlText writes a text so that YAML reads it as one scalar: in quotes when
// there is anything in it that might mean something else.
func yamlText(s string) string {
	const first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/"
	plain := s != "" && strings.Contains(first, s[:1]) && strings.Trim(s, plainRunes) == "" &&
		!strings.Contains(s, ": ") && !strings.HasSuffix(s, ":") && !strings.HasSuffix(s, " ") && !strings.Contains(s, "  ")
	switch strings.ToLower(s) {
	case "null", "nan":
		plain = false
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}
