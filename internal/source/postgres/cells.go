package postgres

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/larder-cache/larder/internal/source/row"
)

// binaryResults are the types whose text depends on settings of the server
// (DateStyle, TimeZone, bytea_output). All others come as text, in which
// PostgreSQL writes every type, also those that nobody here has heard of.
var binaryResults = pgx.QueryResultFormatsByOID{
	pgtype.TimestampOID:   pgx.BinaryFormatCode,
	pgtype.TimestamptzOID: pgx.BinaryFormatCode,
	pgtype.DateOID:        pgx.BinaryFormatCode,
	pgtype.ByteaOID:       pgx.BinaryFormatCode,
}

// decode reads a column's bytes as a cell. raw is only valid during the call;
// the cell has copies.
//
// A timestamp without time zone is taken as UTC, as by most drivers. Enums, UUIDs,
// intervals, ranges, composites and the like are strings as psql shows them.
func decode(types *pgtype.Map, oid uint32, format int16, raw []byte) (row.Cell, error) {
	if raw == nil {
		return nil, nil
	}
	switch oid {
	case pgtype.BoolOID:
		return string(raw) == "t", nil
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID:
		return strconv.ParseInt(string(raw), 10, 64)
	case pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID:
		return number(string(raw)), nil
	case pgtype.JSONOID, pgtype.JSONBOID:
		return append(json.RawMessage(nil), raw...), nil
	case pgtype.ByteaOID:
		var b []byte
		err := types.Scan(oid, format, raw, &b)
		return append([]byte{}, b...), err
	case pgtype.TimestampOID, pgtype.TimestamptzOID, pgtype.DateOID:
		return decodeTime(types, oid, format, raw)
	}
	if element, ok := elementOf(types, oid); ok {
		return decodeArray(types, element, string(raw))
	}
	return string(raw), nil
}

// number keeps the digits as the server wrote them, which may be more than a
// float64 holds. NaN and Infinity are no numbers in JSON and become strings.
func number(text string) row.Cell {
	if json.Valid([]byte(text)) {
		return row.Number(text)
	}
	return text
}

func decodeTime(types *pgtype.Map, oid uint32, format int16, raw []byte) (row.Cell, error) {
	t, ok := types.TypeForOID(oid)
	if !ok {
		return string(raw), nil
	}
	v, err := t.Codec.DecodeValue(types, oid, format, raw)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case time.Time:
		if oid == pgtype.DateOID {
			return v.Format(time.DateOnly), nil
		}
		return v, nil
	case pgtype.InfinityModifier:
		return v.String(), nil
	}
	return nil, fmt.Errorf("type %s came as %T", t.Name, v)
}

// elementOf returns the type of an array's elements. Types whose arrays use
// another delimiter than a comma are left as text.
func elementOf(types *pgtype.Map, oid uint32) (uint32, bool) {
	t, ok := types.TypeForOID(oid)
	if !ok || oid == pgtype.BoxArrayOID {
		return 0, false
	}
	codec, ok := t.Codec.(*pgtype.ArrayCodec)
	if !ok {
		return 0, false
	}
	return codec.ElementType.OID, true
}
