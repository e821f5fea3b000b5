package command

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// decode turns one raw reply into values: string, int64, nil, []any, and
// map[string]any. Sets are sorted. It returns what follows the reply.
func decode(t testing.TB, raw string) (v any, rest string) {
	t.Helper()
	head, rest, ok := strings.Cut(raw, "\r\n")
	if !ok {
		t.Fatalf("no reply: %.40q", raw)
	}
	n, _ := strconv.Atoi(head[1:])
	switch head[0] {
	case '+', '-', ',', '(':
		return head[1:], rest
	case ':':
		return int64(n), rest
	case '_':
		return nil, rest
	case '#':
		return head == "#t", rest
	case '$', '=':
		if n < 0 {
			return nil, rest
		}
		return rest[:n], rest[n+2:]
	case '%':
		m := map[string]any{}
		for range n {
			var key, value any
			key, rest = decode(t, rest)
			value, rest = decode(t, rest)
			m[fmt.Sprint(key)] = value
		}
		return m, rest
	}
	if n < 0 {
		return nil, rest
	}
	list := make([]any, n)
	for i := range list {
		list[i], rest = decode(t, rest)
	}
	if head[0] == '~' {
		slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	return list, rest
}

// dataCommands are the names of the commands about data.
func dataCommands() (names []string) {
	for _, group := range [][]*Command{stringCommands, bitmapCommands, genericCommands} {
		for _, c := range group {
			names = append(names, c.Name)
		}
	}
	return names
}

// notInRedis7 tells of commands and arguments that came later.
func notInRedis7(since string) bool {
	major, minor, _ := strings.Cut(since, ".")
	m, _ := strconv.Atoi(major)
	return m > 7 || m == 7 && !strings.HasPrefix(minor, "0.")
}

// plain takes out of a description what is worded in our own way.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, own := range []string{"notes", "summary", "complexity", "history", "replaced_by", "display_text"} {
			delete(v, own)
		}
		for k, inner := range v {
			v[k] = plain(inner)
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
		return slices.DeleteFunc(v, func(x any) bool {
			m, _ := x.(map[string]any)
			since, _ := m["since"].(string)
			return notInRedis7(since)
		})
	}
	return v
}

// The rows of the table say what Redis says of its commands.
func TestTableOfRedis(t *testing.T) {
	p := startPeer(t)
	r := newTester(t)
	p.do("HELLO", "3")
	r.do("HELLO", "3")
	for _, name := range dataCommands() {
		theirs, _ := decode(t, p.do("COMMAND", "INFO", name))
		ours, _ := decode(t, r.do("COMMAND", "INFO", name))
		their := theirs.([]any)[0]
		if their == nil {
			if c := r.x.Table().FindFull(name); !notInRedis7(c.Since) {
				t.Errorf("%s is since %s but redis does not know it", name, c.Since)
			}
			continue
		}
		compareRow(t, name, plain(ours.([]any)[0]).([]any), plain(their).([]any))
		docs, _ := decode(t, r.do("COMMAND", "DOCS", name))
		theirDocs, _ := decode(t, p.do("COMMAND", "DOCS", name))
		if ours, theirs := plain(docs), plain(theirDocs); !reflect.DeepEqual(ours, theirs) {
			t.Errorf("documentation of %s\n   ours %v\n theirs %v", name, ours, theirs)
		}
	}
}

func compareRow(t *testing.T, name string, ours, theirs []any) {
	t.Helper()
	if len(ours) != len(theirs) {
		t.Fatalf("%s: %d elements, not %d", name, len(ours), len(theirs))
	}
	columns := []string{"name", "arity", "flags", "first key", "last key", "step", "categories", "tips", "keys"}
	for i, column := range columns {
		if !reflect.DeepEqual(ours[i], theirs[i]) {
			t.Errorf("%s, %s: %v, redis says %v", name, column, ours[i], theirs[i])
		}
	}
	byName := func(a, b any) int { return strings.Compare(a.([]any)[0].(string), b.([]any)[0].(string)) }
	sub, theirSub := ours[9].([]any), theirs[9].([]any)
	if len(sub) != len(theirSub) {
		t.Fatalf("%s has %d subcommands, not %d", name, len(sub), len(theirSub))
	}
	slices.SortFunc(sub, byName)
	slices.SortFunc(theirSub, byName)
	for i := range sub {
		compareRow(t, sub[i].([]any)[0].(string), sub[i].([]any), theirSub[i].([]any))
	}
}

func TestKeyPositions(t *testing.T) {
	tests := []struct {
		request string
		want    []keyUse
	}{
		{"GET a", []keyUse{{1, KeyRO | KeyAccess}}},
		{"SET a 1", []keyUse{{1, KeyOW | KeyUpdate}}},
		{"SET a 1 GET", []keyUse{{1, KeyRW | KeyAccess | KeyUpdate}}},
		{"SET GET 1", []keyUse{{1, KeyOW | KeyUpdate}}},
		{"BITFIELD a GET u8 0 OVERFLOW SAT GET u8 1", []keyUse{{1, KeyRO | KeyAccess}}},
		{"BITFIELD a GET u8 0 SET u8 1 1", []keyUse{{1, KeyRW | KeyAccess | KeyUpdate}}},
		{"MSET a 1 b 2", []keyUse{{1, KeyOW | KeyUpdate}, {3, KeyOW | KeyUpdate}}},
		{"BITOP AND d a b", []keyUse{{2, KeyOW | KeyUpdate}, {3, KeyRO | KeyAccess}, {4, KeyRO | KeyAccess}}},
		{"LCS a b LEN", []keyUse{{1, KeyRO | KeyAccess}, {2, KeyRO | KeyAccess}}},
		{"SORT a BY store GET store STORE d LIMIT 0 1", []keyUse{{1, KeyRO | KeyAccess}, {7, KeyOW | KeyUpdate}}},
		{"SORT_RO a BY w_*", []keyUse{{1, KeyRO | KeyAccess}}},
		{"MSETEX 2 a 1 b 2 EX 5", []keyUse{{2, KeyOW | KeyUpdate}, {4, KeyOW | KeyUpdate}}},
		{"MSETEX x a 1", nil},
		{"MSETEX 9 a 1", nil},
		{"PING", nil},
		{"OBJECT ENCODING a", []keyUse{{2, KeyRO}}},
	}
	table := newTester(t).x.Table()
	for _, tt := range tests {
		args := make([][]byte, 0)
		for _, w := range words(t, tt.request) {
			args = append(args, []byte(w))
		}
		cmd, _ := resolve(table.Find(args[0]), args)
		if got := cmd.keyUses(args); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.request, got, tt.want)
		}
	}
}
