package demo

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/source/sqlite"
)

func TestCharacters(t *testing.T) {
	want := map[rune]Character{
		'A': {Code: "U+0041", Decimal: 65, Char: "A", Name: "LATIN CAPITAL LETTER A", Category: "Lu", Script: "Latin",
			Bidi: "L", Width: "narrow", Upper: "A", Lower: "a", NFD: "A", NFKD: "A", UTF16: "0041"},
		'각': {Code: "U+AC01", Decimal: 0xAC01, Char: "각", Name: "HANGUL SYLLABLE GAG", Category: "Lo", Script: "Hangul",
			Bidi: "L", Width: "wide", Upper: "각", Lower: "각", NFD: "\u1100\u1161\u11a8", NFKD: "\u1100\u1161\u11a8", UTF16: "AC01"},
		'😀': {Code: "U+1F600", Decimal: 0x1F600, Char: "😀", Name: "GRINNING FACE", Category: "So", Script: "Common",
			Bidi: "ON", Width: "wide", Upper: "😀", Lower: "😀", NFD: "😀", NFKD: "😀", UTF16: "D83D DE00"},
		0: {Code: "U+0000", Name: "CONTROL-0000", Category: "Cc", Script: "Common", Bidi: "BN", Width: "neutral", UTF16: "0000"},
	}
	err := Characters([]rune{'A', '각', '😀', 0}, func(c *Character) error {
		got := *c
		got.UTF8, got.HTML, got.About = "", "", "" // below
		if w := want[rune(c.Decimal)]; got != w {
			t.Errorf("%+v\nwant %+v", got, w)
		}
		if c.Char == "😀" && (c.UTF8 != "F0 9F 98 80" || c.HTML != "&#128512;" ||
			!strings.Contains(c.About, "GRINNING FACE has the code point U+1F600 (128512) and is in the category symbol, other")) {
			t.Errorf("%+v", c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAssignedNamesAreDistinct(t *testing.T) {
	codes := Assigned()
	if len(codes) < 140_000 {
		t.Errorf("%d characters are assigned, want at least 140,000", len(codes))
	}
	seen := make(map[string]rune, len(codes))
	for _, r := range codes {
		name := characterName(r)
		if other, twice := seen[name]; twice {
			t.Fatalf("%s and %s are both %q", Code(r), Code(other), name)
		}
		seen[name] = r
	}
}

func TestByCode(t *testing.T) {
	codes := []rune{0, 'z', 0x1000, 0x10000, 0x1001, 0x10010, 0x100000, 0xFFFF, 0xFFFFF}
	slices.SortFunc(codes, byCode)
	if !slices.IsSortedFunc(codes, func(a, b rune) int { return strings.Compare(Code(a), Code(b)) }) {
		t.Errorf("order %U", codes)
	}
}

// quiet is a progress nobody watches.
func quiet(int, int) {}

func TestSQLiteHangs(t *testing.T) {
	ctx := context.Background()
	db, err := NewSQLite(ctx, []rune{'a', 'b', 'c'}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(db.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", db.dir, err)
		}
	}()
	c := db.Source()
	c.Timeout = 50 * time.Millisecond
	reader, err := sqlite.Open("demo", c)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	pattern, err := source.ParsePattern("char:{code}")
	if err != nil {
		t.Fatal(err)
	}
	lookup, err := reader.Prepare(source.Question{Query: CharacterQuery, Pattern: pattern, Result: source.ResultJSON})
	if err != nil {
		t.Fatal(err)
	}
	params, _ := pattern.Params([]byte("char:U+0062"))
	load := func() (string, error) {
		v, err := lookup.Load(ctx, params)
		return string(v.Data), err
	}
	if v, err := load(); err != nil || !strings.Contains(v, `"name":"LATIN SMALL LETTER B"`) {
		t.Fatalf("%s, %v", v, err)
	}
	resume, err := db.Hang(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load(); !errors.Is(err, source.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a read of the locked database: %v", err)
	}
	if err := resume(); err != nil {
		t.Fatal(err)
	}
	if _, err := load(); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestSQLiteFullDisk(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	_, err := newSQLite(context.Background(), Assigned()[:20_000], quiet, 50)
	if !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func BenchmarkNewSQLite(b *testing.B) {
	codes := Assigned()
	for b.Loop() {
		db, err := NewSQLite(context.Background(), codes, quiet)
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(codes)), "rows")
}

func BenchmarkAssigned(b *testing.B) {
	for b.Loop() {
		Assigned()
	}
}
