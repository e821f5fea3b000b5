package demo

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/rangetable"
	"golang.org/x/text/unicode/runenames"
	"golang.org/x/text/width"
)

// Character is one row of the database.
type Character struct {
	Code     string // U+1F600
	Decimal  int64
	Char     string // UTF-8
	Name     string
	Category string // of two letters: Lu, So
	Script   string // Latin, Han; Common for those of many
	Bidi     string // direction class: L, R, AL, EN
	Width    string // East Asian width: neutral, wide
	Upper    string
	Lower    string
	NFD      string // canonical decomposition
	NFKD     string // compatibility decomposition
	UTF16    string // hexadecimal units
	UTF8     string // hexadecimal bytes
	HTML     string // character reference
	About    string // a sentence for people
}

// Columns are the columns of the table, in the order of [Character.Cells].
var Columns = []string{
	"code", "decimal", "character", "name", "category", "script", "bidi", "width",
	"upper", "lower", "nfd", "nfkd", "utf16", "utf8", "html", "about",
}

// Cells returns the values of a row, in the order of [Columns].
func (c *Character) Cells() []any {
	return []any{
		c.Code, c.Decimal, c.Char, c.Name, c.Category, c.Script, c.Bidi, c.Width,
		c.Upper, c.Lower, c.NFD, c.NFKD, c.UTF16, c.UTF8, c.HTML, c.About,
	}
}

// Code returns the notation of a code point, U+0041 for A.
func Code(r rune) string { return fmt.Sprintf("U+%04X", r) }

// Assigned returns the code points that have a character, in ascending order:
// all that have a name or a rule for one, without private use and surrogates.
func Assigned() []rune {
	var out []rune
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.In(r, unicode.Co, unicode.Cs) {
			continue
		}
		if runenames.Name(r) != "" {
			out = append(out, r)
		}
	}
	return out
}

// describer knows the properties that are kept as tables of ranges.
type describer struct {
	categories, scripts map[rune]string
}

func newDescriber(count int) *describer {
	d := &describer{categories: make(map[rune]string, count), scripts: make(map[rune]string, count)}
	for name, table := range unicode.Categories {
		if len(name) == 2 && name != "Co" && name != "Cs" && name != "Cn" && name != "LC" {
			rangetable.Visit(table, func(r rune) { d.categories[r] = name })
		}
	}
	for name, table := range unicode.Scripts {
		rangetable.Visit(table, func(r rune) { d.scripts[r] = name })
	}
	return d
}

// describe returns the row of a code point.
func (d *describer) describe(r rune) Character {
	s := string(r)
	class, _ := bidi.LookupRune(r)
	c := Character{
		Code: Code(r), Decimal: int64(r), Char: s, Name: characterName(r),
		Category: d.categories[r], Script: d.scripts[r],
		Bidi: bidiNames[class.Class()], Width: widthNames[width.LookupRune(r).Kind()],
		Upper: string(unicode.ToUpper(r)), Lower: string(unicode.ToLower(r)),
		NFD: norm.NFD.String(s), NFKD: norm.NFKD.String(s),
		UTF8: fmt.Sprintf("% X", s), HTML: "&#" + strconv.Itoa(int(r)) + ";",
	}
	c.About = about(&c)
	for i, unit := range utf16.AppendRune(nil, r) {
		if i > 0 {
			c.UTF16 += " "
		}
		c.UTF16 += fmt.Sprintf("%04X", unit)
	}
	if r == 0 {
		// No database keeps a zero byte in text.
		c.Char, c.Upper, c.Lower, c.NFD, c.NFKD = "", "", "", "", ""
	}
	return c
}

// about describes a character in a sentence.
func about(c *Character) string {
	return c.Name + " has the code point " + c.Code + " (" + strconv.FormatInt(c.Decimal, 10) + ") and is in the category " +
		categoryNames[c.Category] + " of the script " + c.Script + "; in HTML it is written " + c.HTML +
		", and UTF-8 encodes it in " + strconv.Itoa(len(c.Char)) + " bytes, " + c.UTF8 + "."
}

var categoryNames = map[string]string{
	"Lu": "letter, uppercase", "Ll": "letter, lowercase", "Lt": "letter, titlecase", "Lm": "letter, modifier", "Lo": "letter, other",
	"Mn": "mark, nonspacing", "Mc": "mark, spacing", "Me": "mark, enclosing",
	"Nd": "number, decimal digit", "Nl": "number, letter", "No": "number, other",
	"Pc": "punctuation, connector", "Pd": "punctuation, dash", "Ps": "punctuation, open", "Pe": "punctuation, close",
	"Pi": "punctuation, initial quote", "Pf": "punctuation, final quote", "Po": "punctuation, other",
	"Sm": "symbol, math", "Sc": "symbol, currency", "Sk": "symbol, modifier", "So": "symbol, other",
	"Zs": "separator, space", "Zl": "separator, line", "Zp": "separator, paragraph",
	"Cc": "other, control", "Cf": "other, format",
}

var bidiNames = map[bidi.Class]string{
	bidi.L: "L", bidi.R: "R", bidi.EN: "EN", bidi.ES: "ES", bidi.ET: "ET", bidi.AN: "AN", bidi.CS: "CS",
	bidi.B: "B", bidi.S: "S", bidi.WS: "WS", bidi.ON: "ON", bidi.BN: "BN", bidi.NSM: "NSM", bidi.AL: "AL",
	bidi.Control: "control",
}

var widthNames = map[width.Kind]string{
	width.Neutral: "neutral", width.EastAsianAmbiguous: "ambiguous", width.EastAsianWide: "wide",
	width.EastAsianNarrow: "narrow", width.EastAsianFullwidth: "fullwidth", width.EastAsianHalfwidth: "halfwidth",
}

// characterName returns the name of a character; where Unicode has a rule
// instead of a list, the name by that rule.
func characterName(r rune) string {
	name := runenames.Name(r)
	switch {
	case strings.HasPrefix(name, "<CJK Ideograph"):
		return fmt.Sprintf("CJK UNIFIED IDEOGRAPH-%04X", r)
	case strings.HasPrefix(name, "<Tangut Ideograph"):
		return fmt.Sprintf("TANGUT IDEOGRAPH-%04X", r)
	case strings.HasPrefix(name, "<Hangul Syllable"):
		return hangulName(r)
	case name == "<control>":
		return fmt.Sprintf("CONTROL-%04X", r)
	}
	return name
}

// The short names of the letters in a Hangul syllable: Unicode Standard,
// section 3.12.
var (
	hangulFirst  = strings.Split("G GG N D DD R M B BB S SS  J JJ C K T P H", " ")
	hangulVowel  = strings.Split("A AE YA YAE EO E YEO YE O WA WAE OE YO U WEO WE WI YU EU YI I", " ")
	hangulSecond = strings.Split(" G GG GS N NJ NH D L LG LM LB LS LT LP LH M B BS S SS NG J C K T P H", " ")
)

func hangulName(r rune) string {
	i := int(r - 0xAC00)
	last, vowel := len(hangulSecond), len(hangulVowel)
	return "HANGUL SYLLABLE " + hangulFirst[i/(last*vowel)] + hangulVowel[i/last%vowel] + hangulSecond[i%last]
}

// Characters calls yield with the row of each code point, in the order given.
// The row is the callee's until it returns.
func Characters(codes []rune, yield func(*Character) error) error {
	d := newDescriber(len(codes))
	for _, r := range codes {
		c := d.describe(r)
		if err := yield(&c); err != nil {
			return err
		}
	}
	return nil
}
