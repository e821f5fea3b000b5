// Package row makes the row of a database the value of a key: its only column as
// it is, or all of it as a JSON object.
//
// A source reads a cell as one of few Go types ([Cell]); how each of them looks
// in a value is decided here, once for all databases. Everything here is pure.
package row

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/larder-cache/larder/internal/source"
)

// Cell is a value of a column. As a column's bytes and in JSON it is:
//
//	nil              no value (source.ErrNotFound)      null
//	string           as it is                           string
//	[]byte           as it is                           string, base64
//	int64, float64   shortest decimal                   number; not finite: string
//	bool             true, false                        true, false
//	time.Time        RFC 3339 in UTC                    string
//	Number           as it is                           number
//	json.RawMessage  as it is                           embedded, compacted
//	[]Cell           as JSON                            array
//
// Other types are a programming error.
type Cell = any

// Number is a decimal number in JSON's own syntax, of any precision.
type Number string

// Encode makes a value of one row. columns and cells correspond and are not
// kept. The error is source.ErrNotFound or a *source.ShapeError.
func Encode(form source.Result, columns []string, cells []Cell) (source.Value, error) {
	if form == source.ResultColumn {
		return encodeColumn(columns, cells)
	}
	return encodeObject(columns, cells)
}

// TooMany is the error for a second row.
func TooMany(columns []string) error {
	return &source.ShapeError{
		Problem: "the query returned more than one row", Columns: slices.Clone(columns),
		Hint: "select by a unique key, or add LIMIT 1 with an ORDER BY that says which one",
	}
}

// CheckColumns refuses columns that the form cannot take; the sources call it
// for answers without a row too, so that a wrong query shows on its first load.
func CheckColumns(form source.Result, columns []string) error {
	fail := func(hint, problem string, args ...any) error {
		return &source.ShapeError{Problem: fmt.Sprintf(problem, args...), Hint: hint, Columns: slices.Clone(columns)}
	}
	if len(columns) == 0 {
		return fail("write a SELECT", "the query returned no columns")
	}
	if form == source.ResultColumn {
		if len(columns) != 1 {
			return fail("select that column only, or write result: json",
				"result: column needs exactly 1 column, the query returned %d", len(columns))
		}
		return nil
	}
	for i, name := range columns {
		switch {
		case name == "" || name == "?column?":
			return fail("name it: ... AS name", "column %d has no name", i+1)
		case slices.Contains(columns[:i], name):
			return fail("rename one: "+name+" AS other_name", "two columns are called %q", name)
		}
	}
	return nil
}

func encodeColumn(columns []string, cells []Cell) (source.Value, error) {
	if err := CheckColumns(source.ResultColumn, columns); err != nil {
		return source.Value{}, err
	}
	switch c := cells[0].(type) {
	case nil:
		return source.Value{}, source.ErrNotFound
	case string:
		return source.Value{Data: []byte(c)}, nil
	case []byte:
		return source.Value{Data: bytes.Clone(c)}, nil
	case json.RawMessage:
		return source.Value{Data: bytes.Clone(c)}, nil
	case time.Time:
		return source.Value{Data: appendTime(nil, c)}, nil
	case float64:
		return source.Value{Data: appendFloat(nil, c)}, nil
	default:
		return source.Value{Data: appendJSON(nil, c)}, nil
	}
}

func encodeObject(columns []string, cells []Cell) (source.Value, error) {
	if err := CheckColumns(source.ResultJSON, columns); err != nil {
		return source.Value{}, err
	}
	b := []byte{'{'}
	for i, cell := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, columns[i])
		b = append(b, ':')
		b = appendJSON(b, cell)
	}
	return source.Value{Data: append(b, '}')}, nil
}

func appendJSON(b []byte, cell Cell) []byte {
	switch c := cell.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, c)
	case []byte:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, c)
		return append(b, '"')
	case int64:
		return strconv.AppendInt(b, c, 10)
	case float64:
		if math.IsNaN(c) || math.IsInf(c, 0) {
			b = append(b, '"')
			b = appendFloat(b, c)
			return append(b, '"')
		}
		return appendFloat(b, c)
	case bool:
		return strconv.AppendBool(b, c)
	case time.Time:
		b = append(b, '"')
		b = appendTime(b, c)
		return append(b, '"')
	case Number:
		return append(b, c...)
	case json.RawMessage:
		return appendRaw(b, c)
	case []Cell:
		return appendArray(b, c)
	default:
		panic(fmt.Sprintf("row: a cell of type %T", cell))
	}
}

func appendArray(b []byte, cells []Cell) []byte {
	b = append(b, '[')
	for i, cell := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, cell)
	}
	return append(b, ']')
}

// appendRaw embeds a database's JSON; what is not valid JSON becomes a string,
// so that the object around it stays valid.
func appendRaw(b []byte, raw json.RawMessage) []byte {
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return appendString(b, string(raw))
	}
	return append(b, compact.Bytes()...)
}

// appendString writes a JSON string. Broken UTF-8 becomes U+FFFD: JSON has no
// bytes. Unlike json.Marshal it leaves <, > and & alone.
func appendString(b []byte, s string) []byte {
	out := bytes.NewBuffer(b)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("row: a string has no JSON: " + err.Error())
	}
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'})
}

// appendFloat writes the shortest text that reads back as f, with an exponent
// only where it is shorter to read.
func appendFloat(b []byte, f float64) []byte {
	if math.IsInf(f, 1) {
		return append(b, "Infinity"...)
	}
	if math.IsInf(f, -1) {
		return append(b, "-Infinity"...)
	}
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

func appendTime(b []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(b, time.RFC3339Nano)
}
