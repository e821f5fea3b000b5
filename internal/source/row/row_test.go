package row_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/source/row"
)

func TestCells(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.FixedZone("", 3600))
	for _, tt := range []struct {
		name         string
		cell         row.Cell
		column, json string
	}{
		{"string", `a<"ü`, `a<"ü`, `"a<\"ü"`},
		{"empty string", "", "", `""`},
		{"bytes", []byte{0, 0xff}, "\x00\xff", `"AP8="`},
		{"integer", int64(math.MinInt64), "-9223372036854775808", "-9223372036854775808"},
		{"float", 0.1, "0.1", "0.1"},
		{"whole float", 3.0, "3", "3"},
		{"large float", 1e300, "1e+300", "1e+300"},
		{"not a number", math.NaN(), "NaN", `"NaN"`},
		{"infinity", math.Inf(-1), "-Infinity", `"-Infinity"`},
		{"bool", true, "true", "true"},
		{"time", at, "2026-03-04T04:06:07.89Z", `"2026-03-04T04:06:07.89Z"`},
		{"number", row.Number("1.50"), "1.50", "1.50"},
		{"json", json.RawMessage(`{"a": [1, 2]}`), `{"a": [1, 2]}`, `{"a":[1,2]}`},
		{"broken json", json.RawMessage(`{"a"`), `{"a"`, `"{\"a\""`},
		{"array", []row.Cell{int64(1), nil, []row.Cell{"x"}}, `[1,null,["x"]]`, `[1,null,["x"]]`},
		{"empty array", []row.Cell{}, `[]`, `[]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := row.Encode(source.ResultColumn, []string{"c"}, []row.Cell{tt.cell})
			if err != nil || string(v.Data) != tt.column {
				t.Errorf("column: %q, %v; want %q", v.Data, err, tt.column)
			}
			v, err = row.Encode(source.ResultJSON, []string{"z", "a"}, []row.Cell{tt.cell, nil})
			if want := `{"z":` + tt.json + `,"a":null}`; err != nil || string(v.Data) != want || !json.Valid(v.Data) {
				t.Errorf("json: %s, %v; want %s", v.Data, err, want)
			}
		})
	}
}

func TestValueIsACopy(t *testing.T) {
	cell := []byte("abc")
	v, _ := row.Encode(source.ResultColumn, []string{"c"}, []row.Cell{cell})
	cell[0] = 'x'
	if string(v.Data) != "abc" {
		t.Errorf("the value changed to %q", v.Data)
	}
}

func TestNullColumnIsNoValue(t *testing.T) {
	if _, err := row.Encode(source.ResultColumn, []string{"c"}, []row.Cell{nil}); !errors.Is(err, source.ErrNotFound) {
		t.Errorf("error = %v, want ErrNotFound", err)
	}
}

func TestShapes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		form    source.Result
		columns []string
		want    string
	}{
		{"two for one", source.ResultColumn, []string{"id", "name"}, "needs exactly 1 column, the query returned 2; columns: id, name (select that column only, or write result: json)"},
		{"none", source.ResultJSON, nil, "no columns"},
		{"same name", source.ResultJSON, []string{"id", "name", "id"}, `two columns are called "id"`},
		{"no name", source.ResultJSON, []string{"id", "?column?"}, "column 2 has no name"},
	} {
		err := row.CheckColumns(tt.form, tt.columns)
		var shape *source.ShapeError
		if !errors.As(err, &shape) || !errors.Is(err, source.ErrShape) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want …%s…", tt.name, err, tt.want)
		}
	}
	if err := row.TooMany([]string{"id"}); !errors.Is(err, source.ErrShape) {
		t.Errorf("TooMany is %v", err)
	}
}
