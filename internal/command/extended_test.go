package command

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// sumText returns what INCRBYFLOAT answers, errors in short.
func sumText(a, b string) string {
	x, ok := parseExtended([]byte(a))
	y, ok2 := parseExtended([]byte(b))
	if !ok || !ok2 {
		return "not a float"
	}
	text, ok := addExtended(x, y)
	if !ok {
		return "not finite"
	}
	return string(text)
}

func TestExtendedSums(t *testing.T) {
	tests := []struct{ a, b, want string }{
		{"0", "0.1", "0.1"},
		{"0.1", "0.2", "0.3"},
		{"10.5", "0.1", "10.6"},
		{"3", "-3", "0"},
		{"-0", "0", "0"},
		{"-1", "0.5", "-0.5"},
		{"1e19", "1", "10000000000000000001"},
		{"1e20", "1", "100000000000000000000"}, // more than 64 bits would be needed
		{"0", "1e-18", "0"},
		{"0", "6e-18", "0.00000000000000001"},
		{"+5.", ".5", "5.5"},
		{"0x1p-1", "0xA", "10.5"},
		{"0X.8", "0x1P+4", "16.5"},
		{"Inf", "1", "not finite"},
		{"-infinity", "1", "not finite"},
		{"1e4932", "1.1e4932", "not finite"},
		{"0", "1.2e4932", "not a float"},
		{"0", "1e-4951", "not a float"},
		{"0", "1e-4950", "0"},
		{"0", "0x1p-16446", "not a float"},
		{"0", "0x1.8p-16446", "0"},
		{"0", "0e99999999999", "0"},
		{"0", "1e99999999999", "not a float"},
		{"nan", "1", "not a float"},
		{"", "1", "not a float"},
		{" 1", "1", "not a float"},
		{"1 ", "1", "not a float"},
		{"1_0", "1", "not a float"},
		{"1e", "1", "not a float"},
		{"e1", "1", "not a float"},
		{".", "1", "not a float"},
		{"--1", "1", "not a float"},
		{"1p3", "1", "not a float"},
		{"0x", "1", "not a float"},
		{"1.2.3", "1", "not a float"},
	}
	for _, tt := range tests {
		if got := sumText(tt.a, tt.b); got != tt.want {
			t.Errorf("%q + %q = %s, want %s", tt.a, tt.b, got, tt.want)
		}
	}
}

// Random numbers against the long doubles of a real Redis.
func TestExtendedSumsOfRedis(t *testing.T) {
	p := startPeer(t)
	r := rand.New(rand.NewPCG(7, 7))
	number := func() string {
		switch r.IntN(6) {
		case 0:
			return fmt.Sprint(r.IntN(2000) - 1000)
		case 1:
			return fmt.Sprintf("%d.%d", r.IntN(1000), r.IntN(100000))
		case 2:
			return fmt.Sprintf("%.*g", r.IntN(20)+1, r.NormFloat64())
		case 3:
			return fmt.Sprintf("%de%d", r.Int64(), r.IntN(60)-40)
		case 4:
			return fmt.Sprintf("%d.%d%de%d", r.Int64(), r.Int64(), r.Int64(), r.IntN(10000)-5000)
		}
		return fmt.Sprintf("-0x%x.%xp%d", r.Int64(), r.IntN(1000), r.IntN(100)-60)
	}
	for range 3000 {
		a, b := number(), number()
		p.do("SET", "a", a)
		reply := p.do("INCRBYFLOAT", "a", b)
		want := map[string]string{
			"-ERR value is not a valid float\r\n":              "not a float",
			"-ERR increment would produce NaN or Infinity\r\n": "not finite",
		}[reply]
		if want == "" {
			want = bulk(t, reply)
		}
		if got := sumText(a, b); got != want {
			t.Errorf("%s + %s = %s, redis says %s", a, b, got, want)
		}
	}
}
