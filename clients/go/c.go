package smolwf

/*
#include <smolwf.h>
#include <stdlib.h>
*/
import "C"

import (
	"encoding/json"
	"fmt"
	"math"
	"unsafe"
)

// none stands for an empty text that is there: Go has no address for one.
var none = [1]byte{}

// str lends a text to a call; an empty one is there, and refused.
func str(s string) (*C.char, C.size_t) {
	if s == "" {
		return (*C.char)(unsafe.Pointer(&none[0])), 0
	}
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}

// optional lends a text to a call; an empty one is absent.
func optional(s string) (*C.char, C.size_t) {
	if s == "" {
		return nil, 0
	}
	return str(s)
}

// payload lends JSON to a call; nil is absent.
func payload(p json.RawMessage) (*C.char, C.size_t) {
	if p == nil {
		return nil, 0
	}
	if len(p) == 0 {
		return (*C.char)(unsafe.Pointer(&none[0])), 0
	}
	return (*C.char)(unsafe.Pointer(&p[0])), C.size_t(len(p))
}

// upTo lends a number of items to a call; what C cannot hold becomes what the library refuses.
func upTo(limit int) C.uint32_t {
	if limit < 0 || int64(limit) > math.MaxUint32 {
		return math.MaxUint32
	}
	return C.uint32_t(limit)
}

// arena holds copies of texts for option structs, which must not point into Go's memory.
type arena []unsafe.Pointer

func (a *arena) text(s string) (*C.char, C.size_t) {
	if s == "" {
		return nil, 0
	}
	p := C.CString(s)
	*a = append(*a, unsafe.Pointer(p))
	return p, C.size_t(len(s))
}

func (a *arena) json(v any) (*C.char, C.size_t, error) {
	raw, err := encode(v)
	if err != nil || raw == nil {
		return nil, 0, err
	}
	p, n := a.text(string(raw))
	return p, n, nil
}

func (a arena) free() {
	for _, p := range a {
		C.free(p)
	}
}

// take copies a text of the library and frees it.
func take(t *C.sw_text) json.RawMessage {
	if t == nil {
		return nil
	}
	defer C.sw_text_free(t)
	var n C.size_t
	p := C.sw_text_data(t, &n)
	return C.GoBytes(unsafe.Pointer(p), C.int(n))
}

// document reads what a call answered.
func document[T any](raw json.RawMessage, err error) (T, error) {
	var d T
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	return d, err
}

// idRoom is memory for one id.
type idRoom [C.SW_ID_CAP]C.char

func (r *idRoom) text() string { return C.GoString(&r[0]) }

// misfit says how a library differs from the header that this was compiled with; nothing if it fits. An
// ABI stays what it is, but for 0, which may change with each minor version.
func misfit(isOfABI bool, version, abi uint32) string {
	isNear := C.SW_ABI_VERSION != 0 || version>>8 == C.SW_VERSION_NUMBER>>8
	if isOfABI && isNear {
		return ""
	}
	dotted := func(v uint32) string { return fmt.Sprintf("%d.%d.%d", v>>16, v>>8&255, v&255) }
	return fmt.Sprintf("smolwf: the library is smolwf %s (ABI %d), this program was built for %s (ABI %d); use those of one version",
		dotted(version), abi, dotted(C.SW_VERSION_NUMBER), int(C.SW_ABI_VERSION))
}

func init() {
	isOfABI := C.sw_abi_check(C.SW_ABI_VERSION) == C.SW_OK
	if fault := misfit(isOfABI, VersionNumber(), ABIVersion()); fault != "" {
		panic(fault)
	}
}

// Version returns the version of the library that is loaded, such as "0.1.0".
func Version() string { return C.GoString(C.sw_version()) }

// ABIVersion returns the ABI of the library that is loaded.
func ABIVersion() uint32 { return uint32(C.sw_abi_version()) }

// VersionNumber returns the same as a number: major<<16 | minor<<8 | patch.
func VersionNumber() uint32 { return uint32(C.sw_version_number()) }

// BuildInfo returns how the library was built, JSON.
func BuildInfo() json.RawMessage { return json.RawMessage(C.GoString(C.sw_build_info())) }

// NewID makes a unique id of the form prefix_ulid, growing within the process for one prefix.
func NewID(prefix string) (string, error) {
	var room idRoom
	var err *C.sw_error
	p, n := str(prefix)
	code := C.sw_new_id(p, n, &room[0], C.size_t(len(room)), &err)
	return room.text(), check(code, &err)
}

// Quote writes a text as JSON, as the library does.
func Quote(text string) (json.RawMessage, error) {
	var out *C.sw_text
	var err *C.sw_error
	p, n := str(text)
	code := C.sw_json_quote(p, n, &out, &err)
	return take(out), check(code, &err)
}
