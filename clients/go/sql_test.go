package smolwf

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// through returns what SQLite makes of one parameter, and how it comes back.
func through(t *testing.T, store *Store, value any) (kind string, _ any) {
	t.Helper()
	rows, err := store.Query(context.Background(), "SELECT typeof(?1), ?1", value)
	must(t, err)
	return rows.Rows[0][0].(string), rows.Rows[0][1]
}

type (
	id   int64
	word string
	blob []byte
)

func TestEveryKindOfValueGoesInAndComesBackAsItWas(t *testing.T) {
	store, seven := memory(t), int64(7)
	var none *int64
	all := []struct {
		value any
		kind  string
		back  any
	}{
		{nil, "null", nil},
		{true, "integer", int64(1)},
		{false, "integer", int64(0)},
		{-5, "integer", int64(-5)},
		{int64(math.MaxInt64), "integer", int64(math.MaxInt64)},
		{int64(math.MinInt64), "integer", int64(math.MinInt64)},
		{uint64(math.MaxInt64), "integer", int64(math.MaxInt64)},
		{uint8(200), "integer", int64(200)},
		{1.0, "real", 1.0},
		{0.1, "real", 0.1},
		{float32(0.5), "real", 0.5},
		{math.MaxFloat64, "real", math.MaxFloat64},
		{-math.SmallestNonzeroFloat64, "real", -math.SmallestNonzeroFloat64},
		{1e21, "real", 1e21},
		{"", "text", ""},
		{"<\u00e4\U0001f600\x00\\\">", "text", "<\u00e4\U0001f600\x00\\\">"},
		{`{"$base64":"AA=="}`, "text", `{"$base64":"AA=="}`},
		{[]byte{0, 1, 127, 128, 255}, "blob", []byte{0, 1, 127, 128, 255}},
		{[]byte{}, "blob", []byte{}},
		{[]byte(nil), "null", nil},
		{json.RawMessage(`{"a": 1}`), "text", `{"a": 1}`},
		{id(3), "integer", int64(3)},
		{word("w"), "text", "w"},
		{blob("b"), "blob", []byte("b")},
		{&seven, "integer", int64(7)},
		{none, "null", nil},
		{sql.NullString{String: "s", Valid: true}, "text", "s"},
		{sql.NullString{}, "null", nil},
	}
	for _, one := range all {
		kind, back := through(t, store, one.value)
		if kind != one.kind || !reflect.DeepEqual(back, one.back) {
			t.Errorf("%#v: %s %#v", one.value, kind, back)
		}
	}
}

func TestParametersGoByNameAndNumbersWithoutAnEndComeOut(t *testing.T) {
	store := memory(t)
	rows, err := store.Query(context.Background(), "SELECT :a || $b AS joined, @c AS c, 9e999 AS wide, -9e999",
		Named{"a": "x", "b": "y", "c": 3})
	must(t, err)
	want := []any{"xy", int64(3), math.Inf(1), math.Inf(-1)}
	if !slices.Equal(rows.Columns[:2], []string{"joined", "c"}) || !reflect.DeepEqual(rows.Rows, [][]any{want}) || rows.More {
		t.Fatalf("%#v", rows)
	}
	raw, err := json.Marshal(rows)
	must(t, err)
	var again Rows
	must(t, json.Unmarshal(raw, &again))
	if !reflect.DeepEqual(&again, rows) {
		t.Fatalf("%s", raw)
	}
}

func TestAValueThatSQLHasNoneForIsRefusedAndItsPlaceNamed(t *testing.T) {
	store := memory(t)
	refused := map[string]any{
		"NaN": math.NaN(),
		"9223372036854775808, beyond the integers": uint64(math.MaxInt64) + 1,
		"a text that is no UTF-8":                  "\xff",
		"a time.Time: SQL takes":                   time.Now(),
		"a []int: SQL takes":                       []int{1},
		"a map[string]int":                         map[string]int{},
		"a struct {}":                              struct{}{},
		"a smolwf.Named":                           Named{},
		"a func()":                                 func() {},
		"a complex128: SQL takes ":                 1i,
	}
	for what, value := range refused {
		_, err := store.Query(context.Background(), "SELECT ?, ?", 1, value)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "params[1] is "+what) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err = store.Query(context.Background(), "SELECT :a", Named{"a": value}); !errors.Is(err, ErrInvalid) ||
			!strings.Contains(err.Error(), `params["a"] is `+what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := store.Query(context.Background(), "SELECT ?", sql.Null[time.Time]{V: time.Now(), Valid: true}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

const counting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "

func TestAQueryIsBoundedSaysWhetherThereIsMoreAndOnlyReads(t *testing.T) {
	store := file(t)
	rows, err := store.QueryWith(context.Background(), QueryOptions{RowsMax: 2}, counting+"SELECT i FROM n", 3)
	must(t, err)
	if !reflect.DeepEqual(rows.Rows, [][]any{{int64(1)}, {int64(2)}}) || !rows.More {
		t.Fatalf("%#v", rows)
	}
	endless := counting + "SELECT max(i) FROM n"
	_, err = store.QueryWith(context.Background(), QueryOptions{Timeout: time.Millisecond}, endless, math.MaxInt64)
	if !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	for range 2 { // the second finds it ended
		if _, err = store.Query(ctx, endless, math.MaxInt64); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	for _, text := range []string{"DELETE FROM sw_workflow_steps", "SELECT", "", "SELECT 1; SELECT 2", "SELECT ?", "PRAGMA user_version"} {
		if _, err := store.Query(context.Background(), text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := store.QueryWith(context.Background(), QueryOptions{RowsMax: 10_001}, "SELECT 1"); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	store.Close()
	if _, err := store.Query(context.Background(), "SELECT 1"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
