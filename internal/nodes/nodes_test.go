package nodes

import (
	"bufio"
	"slices"
	"strings"
	"testing"
)

// over returns a connection that reads text.
func over(text string) *Conn {
	return &Conn{in: bufio.NewReader(strings.NewReader(text))}
}

func TestReceive(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       Reply
	}{
		{"simple", "+OK\r\n", Reply{Kind: '+', Text: "OK"}},
		{"error", "-ERR no\r\n", Reply{Kind: '-', Text: "ERR no"}},
		{"number", ":-7\r\n", Reply{Kind: ':', Int: -7}},
		{"bulk", "$4\r\na\r\nb\r\n", Reply{Kind: '$', Text: "a\r\nb"}},
		{"empty", "$0\r\n\r\n", Reply{Kind: '$'}},
		{"null", "$-1\r\n", Reply{Kind: '$', Null: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := over(row.text).Receive()
			if err != nil || r.Kind != row.want.Kind || r.Text != row.want.Text || r.Int != row.want.Int || r.Null != row.want.Null {
				t.Fatalf("%+v, %v; want %+v", r, err, row.want)
			}
		})
	}
	r, err := over("*2\r\n:1\r\n*1\r\n$1\r\nx\r\n").Receive()
	if err != nil || len(r.List) != 2 || r.List[0].Int != 1 || r.List[1].List[0].Text != "x" {
		t.Errorf("nested: %+v, %v", r, err)
	}
	for _, bad := range []string{"", "+OK", "+OK\n", "$x\r\n", "$-2\r\n", "?1\r\n", "$5\r\nab\r\n", "\r\n", "$99999999999\r\n"} {
		if r, err := over(bad).Receive(); err == nil {
			t.Errorf("%q is taken as %+v", bad, r)
		}
	}
}

func TestConditions(t *testing.T) {
	s := &Status{Members: 3, Serving: Partitions}
	for p := range s.Owner {
		s.Owner[p] = []string{"a", "b", "c"}[p%3]
	}
	a, e, d := &Node{Name: "a", id: "a"}, &Node{Name: "e", id: "e"}, &Node{Name: "d", id: "d"}
	copied := *s
	for p := range copied.InSync {
		copied.InSync[p] = []string{"a", "e"}[:1+p%2]
	}
	moving := *s
	moving.Moving = 1
	for _, row := range []struct {
		name  string
		holds Condition
		s     *Status
		want  bool
	}{
		{"members", Members(3), s, true},
		{"too few members", Members(4), s, false},
		{"still", Still, s, true},
		{"moving", Still, &moving, false},
		{"balanced", Balanced(3), s, true},
		{"balanced while moving", Balanced(3), &moving, false},
		{"without the fourth", Balanced(4), s, false},
		{"empty", Empty(d), s, true},
		{"not empty", Empty(d, a), s, false},
		{"holding", Holding(a, []int{0, 3}), s, true},
		{"done", Done([]Move{{0, "a"}, {1, "b"}}), s, true},
		{"not done", Done([]Move{{0, "a"}, {1, "c"}}), s, false},
		{"not holding", Holding(a, []int{0, 1}), s, false},
		{"a copy of each", Copied(1), &copied, true},
		{"two copies of each", Copied(2), &copied, false},
		{"no copies", Copied(1), s, false},
		{"without", Without(d), &copied, true},
		{"not without, as an owner", Without(a), s, false},
		{"not without, as a copy", Without(e), &copied, false},
	} {
		if err := row.holds(row.s); (err == nil) != row.want {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func TestOwners(t *testing.T) {
	r, err := over("*2\r\n" +
		"*3\r\n:0\r\n:31\r\n*3\r\n$1\r\nh\r\n:1\r\n$1\r\na\r\n" +
		"*4\r\n:16368\r\n:16383\r\n*3\r\n$1\r\nh\r\n:2\r\n$1\r\nb\r\n*3\r\n$1\r\nh\r\n:1\r\n$1\r\na\r\n").Receive()
	if err != nil {
		t.Fatal(err)
	}
	var s Status
	if err := s.addOwners(r); err != nil {
		t.Fatal(err)
	}
	if s.Owned("a") != 2 || s.Owned("b") != 1 || s.Owner[1023] != "b" || s.Owner[2] != "" || s.InSync[0] != nil || !slices.Equal(s.InSync[1023], []string{"a"}) {
		t.Errorf("owners %q, in sync %q", s.Owner, s.InSync)
	}
	for _, bad := range []string{"*1\r\n*1\r\n:0\r\n", "*1\r\n*3\r\n:0\r\n:16384\r\n*3\r\n$1\r\nh\r\n:1\r\n$1\r\na\r\n"} {
		r, err := over(bad).Receive()
		if err != nil {
			t.Fatal(err)
		}
		if (&Status{}).addOwners(r) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
