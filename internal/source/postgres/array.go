package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/larder-cache/larder/internal/source/row"
)

// errArray: text that is no array as PostgreSQL writes it.
var errArray = errors.New("malformed array")

// maxDimensions is PostgreSQL's own limit.
const maxDimensions = 6

// decodeArray reads the text form of an array, {1,NULL,"a\"b"}, to any
// dimension; lower bounds other than 1 ([0:1]={...}) are dropped. The grammar is
// in section 8.15.6 of PostgreSQL's manual.
func decodeArray(types *pgtype.Map, element uint32, text string) (row.Cell, error) {
	if strings.HasPrefix(text, "[") {
		_, body, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errArray
		}
		text = body
	}
	r := arrayReader{types: types, element: element, rest: text}
	cells, err := r.array(1)
	if err == nil && r.rest != "" {
		err = errArray
	}
	if err != nil {
		return nil, err
	}
	return cells, nil
}

type arrayReader struct {
	types   *pgtype.Map
	element uint32
	rest    string
}

// take passes c if it is next.
func (r *arrayReader) take(c byte) bool {
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *arrayReader) array(depth int) ([]row.Cell, error) {
	if depth > maxDimensions || !r.take('{') {
		return nil, errArray
	}
	cells := []row.Cell{}
	if r.take('}') {
		return cells, nil
	}
	for {
		cell, err := r.cell(depth)
		if err != nil {
			return nil, err
		}
		cells = append(cells, cell)
		switch {
		case r.take('}'):
			return cells, nil
		case !r.take(','):
			return nil, errArray
		}
	}
}

func (r *arrayReader) cell(depth int) (row.Cell, error) {
	switch {
	case strings.HasPrefix(r.rest, "{"):
		return r.array(depth + 1)
	case r.take('"'):
		text, err := r.quoted()
		if err != nil {
			return nil, err
		}
		return r.decode(text)
	}
	end := strings.IndexAny(r.rest, `,{}"\`)
	if end < 1 {
		return nil, errArray
	}
	text := r.rest[:end]
	r.rest = r.rest[end:]
	if text == "NULL" {
		return nil, nil
	}
	return r.decode(text)
}

// decode reads an element's text; times stay as the server wrote them, since
// their text form depends on its settings.
func (r *arrayReader) decode(text string) (row.Cell, error) {
	if _, binary := binaryResults[r.element]; binary && r.element != pgtype.ByteaOID {
		return text, nil
	}
	return decode(r.types, r.element, pgx.TextFormatCode, []byte(text))
}

func (r *arrayReader) quoted() (string, error) {
	var b strings.Builder
	for i := 0; i < len(r.rest); i++ {
		switch c := r.rest[i]; c {
		case '"':
			r.rest = r.rest[i+1:]
			return b.String(), nil
		case '\\':
			if i++; i == len(r.rest) {
				return "", errArray
			}
			b.WriteByte(r.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", errArray
}
