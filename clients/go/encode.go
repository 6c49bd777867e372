//go:build cgo

package smolwf

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

// EncodeError says that a value has no form in JSON.
type EncodeError struct {
	// Place is where the value stands, such as "$.items[1].price"; "$" is the whole.
	Place string
	// What stands there.
	What string
	// Err is what encoding/json says.
	Err error
}

// Error names the place and what stands there.
func (e *EncodeError) Error() string {
	return fmt.Sprintf("smolwf: %s is %s, which has no form in JSON", e.Place, e.What)
}

// Unwrap returns Err.
func (e *EncodeError) Unwrap() error { return e.Err }

// encode writes a value as JSON; nil is absent, raw JSON stays as it is, byte for byte.
func encode(v any) (json.RawMessage, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		return v, nil
	}
	raw, err := marshal(v)
	if err != nil {
		place, what := find(v)
		if what == "" {
			place, what = "$", fmt.Sprintf("a %T (%s)", v, textOf(err))
		}
		return nil, &EncodeError{Place: place, What: what, Err: err}
	}
	return raw, nil
}

// marshal is json.Marshal that leaves <, > and & as they are, and survives methods that panic.
func marshal(v any) (raw json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Panic{Value: p, Stack: stack()}
		}
	}()
	var room bytes.Buffer
	encoder := json.NewEncoder(&room)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(room.Bytes(), []byte("\n")), nil
}

// find looks for the first value inside of another that has no form in JSON; encoding/json does not say
// where it stands.
func find(v any) (place, what string) {
	defer func() {
		if recover() != nil { // a method of the value's, asked once more
			place, what = "", ""
		}
	}()
	f := finder{above: map[any]string{}}
	f.look(reflect.ValueOf(v), "$")
	return f.place, f.what
}

type finder struct {
	// above are the places of what holds the value that is looked at.
	above       map[any]string
	place, what string
}

func (f *finder) found(place, what string) bool {
	f.place, f.what = place, what
	return true
}

func (f *finder) look(v reflect.Value, at string) bool {
	if !v.IsValid() {
		return false
	}
	if own, isOwn := f.encodesItself(v, at); isOwn {
		return own
	}
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if n := v.Float(); math.IsNaN(n) || math.IsInf(n, 0) {
			return f.found(at, fmt.Sprint(n))
		}
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return f.found(at, "a "+v.Type().String())
	case reflect.Interface:
		return f.look(v.Elem(), at)
	case reflect.Pointer, reflect.Map, reflect.Slice:
		return !v.IsNil() && f.within(v, at)
	case reflect.Array:
		return f.list(v, at)
	case reflect.Struct:
		return f.fields(v, at)
	}
	return false
}

// encodesItself asks a value that has methods for it.
func (f *finder) encodesItself(v reflect.Value, at string) (isFound, isOwn bool) {
	if !v.CanInterface() || v.Kind() == reflect.Pointer && v.IsNil() {
		return false, false
	}
	if v.CanAddr() && v.Kind() != reflect.Pointer {
		v = v.Addr() // its methods may want a pointer
	}
	switch v.Interface().(type) {
	case json.Marshaler, encoding.TextMarshaler:
		if _, err := marshal(v.Interface()); err != nil {
			return f.found(at, fmt.Sprintf("a %s (%s)", v.Type(), textOf(err))), true
		}
		return false, true
	}
	return false, false
}

// within looks into what may hold itself.
func (f *finder) within(v reflect.Value, at string) bool {
	type key struct {
		p   uintptr
		len int
		of  reflect.Type
	}
	this := key{v.Pointer(), 0, v.Type()}
	if v.Kind() == reflect.Slice {
		this.len = v.Len()
	}
	if first, isAbove := f.above[this]; isAbove {
		return f.found(at, "the same as "+first+", a cycle")
	}
	f.above[this] = at
	defer delete(f.above, this)
	switch v.Kind() {
	case reflect.Map:
		return f.entries(v, at)
	case reflect.Slice:
		return f.list(v, at)
	}
	return f.look(v.Elem(), at)
}

func (f *finder) list(v reflect.Value, at string) bool {
	for i := range v.Len() {
		if f.look(v.Index(i), fmt.Sprintf("%s[%d]", at, i)) {
			return true
		}
	}
	return false
}

func (f *finder) entries(v reflect.Value, at string) bool {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
	for _, key := range keys {
		if f.look(v.MapIndex(key), at+member(fmt.Sprint(key))) {
			return true
		}
	}
	if _, err := marshal(reflect.MakeMap(v.Type()).Interface()); err != nil {
		return f.found(at, "a "+v.Type().String())
	}
	return false
}

func (f *finder) fields(v reflect.Value, at string) bool {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		tag := field.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		isLeftOut := tag == "-" || !field.IsExported() && !field.Anonymous ||
			strings.Contains(options, "omit") && v.Field(i).IsZero()
		if isLeftOut {
			continue
		}
		place := at
		if name != "" {
			place += member(name)
		} else if !field.Anonymous {
			place += member(field.Name)
		}
		if f.look(v.Field(i), place) {
			return true
		}
	}
	return false
}

// member writes the name of a member as part of a place.
func member(name string) string {
	for _, r := range name {
		if r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return fmt.Sprintf("[%q]", clip(name, 64))
		}
	}
	return "." + clip(name, 64)
}
