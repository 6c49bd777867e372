package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"context"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Named are parameters of a statement by name, {"id": 1} for :id, @id or $id; it is given alone.
type Named map[string]any

// Rows is what a query answers.
type Rows struct {
	// Columns are their names, as SQLite gives them; may repeat.
	Columns []string
	// Rows have a value for each column: nil, an int64, a float64, a string or a []byte.
	Rows [][]any
	// More says that there were more rows than are here: ask on from the last key.
	More bool
}

// rows is how the library writes them.
type rows struct {
	Columns []string `json:"columns"`
	Rows    [][]cell `json:"rows"`
	More    bool     `json:"more"`
}

// UnmarshalJSON reads rows as the library writes them.
func (r *Rows) UnmarshalJSON(raw []byte) error {
	var wire rows
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*r = wire.open()
	return nil
}

// MarshalJSON writes rows as the library does.
func (r Rows) MarshalJSON() ([]byte, error) {
	wire := rows{Columns: r.Columns, Rows: make([][]cell, len(r.Rows)), More: r.More}
	for i, row := range r.Rows {
		for _, value := range row {
			wire.Rows[i] = append(wire.Rows[i], cell{value})
		}
	}
	return marshal(wire)
}

func (r rows) open() Rows {
	open := Rows{Columns: r.Columns, Rows: make([][]any, len(r.Rows)), More: r.More}
	for i, row := range r.Rows {
		open.Rows[i] = make([]any, len(row))
		for j, cell := range row {
			open.Rows[i][j] = cell.value
		}
	}
	return open
}

// cell is one value as the library writes it.
type cell struct{ value any }

// UnmarshalJSON reads it.
func (c *cell) UnmarshalJSON(raw []byte) (err error) {
	switch raw[0] {
	case 'n':
		c.value = nil
	case '"':
		var text string
		err = json.Unmarshal(raw, &text)
		c.value = text
	case '{':
		var coded struct {
			Base64 []byte `json:"$base64"` // as encoding/json has bytes
			Real   string `json:"$real"`   // Infinity, -Infinity
		}
		err = json.Unmarshal(raw, &coded)
		if c.value = coded.Base64; coded.Real != "" {
			c.value, err = strconv.ParseFloat(coded.Real, 64)
		}
	default:
		c.value, err = number(string(raw))
	}
	return err
}

// number reads an integer exactly; a number with a fraction or an exponent is REAL.
func number(text string) (any, error) {
	if !strings.ContainsAny(text, ".eE") {
		return strconv.ParseInt(text, 10, 64)
	}
	return strconv.ParseFloat(text, 64)
}

// MarshalJSON writes it.
func (c cell) MarshalJSON() ([]byte, error) {
	return appendValue(nil, c.value, "a value")
}

// QueryOptions of a query; the zero value of each field is its default.
type QueryOptions struct {
	// RowsMax is after how many rows the answer ends: 1000, at most 10,000.
	RowsMax int
	// Timeout is after how long the query is given up: what the context's deadline leaves, or else 5 s;
	// at most an hour.
	Timeout time.Duration
}

func (o QueryOptions) encode(ctx context.Context) (json.RawMessage, error) {
	wait := o.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		left := max(time.Until(deadline), time.Millisecond)
		if wait == 0 || left < wait {
			wait = min(left, C.SW_SQL_TIMEOUT_MS_MAX*time.Millisecond)
		}
	}
	return encode(struct {
		RowsMax   int   `json:"rows_max,omitempty"`
		TimeoutMS int64 `json:"timeout_ms,omitempty"`
	}{o.RowsMax, milliseconds(wait)})
}

// Query asks one statement that only reads, of your own tables in the store's file or of the library's.
// Parameters are nil, a bool, an integer, a float, a string or bytes, a type of these, a pointer to one
// or a driver.Valuer; or one Named.
//
// A query is given up at the deadline of its context, or if there is none after 5 s, as ErrTooBig.
func (s *Store) Query(ctx context.Context, sql string, params ...any) (*Rows, error) {
	return s.QueryWith(ctx, QueryOptions{}, sql, params...)
}

// QueryWith is Query with options.
func (s *Store) QueryWith(ctx context.Context, o QueryOptions, sql string, params ...any) (*Rows, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	given, err := paramsJSON(params)
	if err != nil {
		return nil, err
	}
	options, err := o.encode(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := document[*Rows](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		sqlPtr, sqlLen := str(sql)
		givenPtr, givenLen := payload(given)
		p, n := payload(options)
		return C.sw_query(c, sqlPtr, sqlLen, givenPtr, givenLen, p, n, out, err)
	}))
	if err == nil {
		return rows, nil
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return nil, context.DeadlineExceeded
	}
	return nil, err
}

// paramsJSON writes the parameters of a statement; nil for none.
func paramsJSON(params []any) (json.RawMessage, error) {
	if len(params) == 0 {
		return nil, nil
	}
	if named, ok := params[0].(Named); ok && len(params) == 1 {
		return namedJSON(named)
	}
	out := []byte{'['}
	var err error
	for i, value := range params {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendValue(out, value, fmt.Sprintf("params[%d]", i)); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func namedJSON(named Named) (json.RawMessage, error) {
	wire := make(map[string]json.RawMessage, len(named))
	for name, value := range named {
		raw, err := appendValue(nil, value, fmt.Sprintf("params[%q]", name))
		if err != nil {
			return nil, err
		}
		wire[name] = raw
	}
	return marshal(wire)
}

// appendValue writes a value of SQL: whole numbers of Go's integers, with a fraction or an exponent its
// floats, which are REAL.
func appendValue(out []byte, value any, place string) ([]byte, error) {
	switch value := value.(type) {
	case nil:
		return append(out, "null"...), nil
	case json.RawMessage: // the text of a column of JSON
		return appendText(out, string(value), place)
	case driver.Valuer:
		return appendOwn(out, value, place)
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(out, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(out, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if v.Uint() > math.MaxInt64 {
			return nil, noValue(place, fmt.Sprintf("%d, beyond the integers of 64 bits with a sign", v.Uint()))
		}
		return strconv.AppendUint(out, v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return appendReal(out, v.Float(), place)
	case reflect.String:
		return appendText(out, v.String(), place)
	case reflect.Pointer:
		if v.IsNil() {
			return append(out, "null"...), nil
		}
		return appendValue(out, v.Elem().Interface(), place)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return appendBytes(out, v.Bytes()), nil
		}
	}
	takes := "SQL takes nil, bool, integers, floats, string and []byte"
	return nil, noValue(place, fmt.Sprintf("a %T: %s", value, takes))
}

// appendOwn asks a value for what stands for it; a nil pointer is NULL, as for database/sql.
func appendOwn(out []byte, value driver.Valuer, place string) ([]byte, error) {
	if v := reflect.ValueOf(value); v.Kind() == reflect.Pointer && v.IsNil() {
		return append(out, "null"...), nil
	}
	given, err := value.Value()
	if err != nil {
		return nil, fmt.Errorf("smolwf: %s: %w", place, err)
	}
	if _, isSame := given.(driver.Valuer); isSame {
		return nil, noValue(place, fmt.Sprintf("a %T, whose Value is no value", value))
	}
	return appendValue(out, given, place)
}

func appendReal(out []byte, real float64, place string) ([]byte, error) {
	switch {
	case math.IsNaN(real):
		return nil, noValue(place, "NaN")
	case math.IsInf(real, 1):
		return append(out, `{"$real":"Infinity"}`...), nil
	case math.IsInf(real, -1):
		return append(out, `{"$real":"-Infinity"}`...), nil
	}
	text := strconv.FormatFloat(real, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return append(out, text...), nil
}

func appendText(out []byte, text, place string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return nil, noValue(place, "a text that is no UTF-8: pass its bytes")
	}
	raw, err := marshal(text)
	return append(out, raw...), err
}

func appendBytes(out, value []byte) []byte {
	if value == nil {
		return append(out, "null"...)
	}
	out = append(out, `{"$base64":"`...)
	out = base64.StdEncoding.AppendEncode(out, value)
	return append(out, `"}`...)
}

// noValue is the refusal of a parameter.
func noValue(place, what string) error {
	return &Error{Code: ErrInvalid, Message: place + " is " + what}
}
