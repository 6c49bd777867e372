package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Code is what a call of the library answers when it fails. It is an error, so that errors.Is(err,
// smolwf.ErrBusy) tells.
type Code int32

// Error returns the code's name, such as "SW_ERR_BUSY".
func (c Code) Error() string { return C.GoString(C.sw_code_name(C.int32_t(c))) }

// What a failed call answers.
const (
	ErrMisuse         Code = C.SW_ERR_MISUSE
	ErrInvalid        Code = C.SW_ERR_INVALID
	ErrNotFound       Code = C.SW_ERR_NOT_FOUND
	ErrTooBig         Code = C.SW_ERR_TOO_BIG
	ErrUnsupported    Code = C.SW_ERR_UNSUPPORTED
	ErrClosed         Code = C.SW_ERR_CLOSED
	ErrForked         Code = C.SW_ERR_FORKED
	ErrSecondCopy     Code = C.SW_ERR_SECOND_COPY
	ErrLeaseLost      Code = C.SW_ERR_LEASE_LOST
	ErrCancelled      Code = C.SW_ERR_CANCELLED
	ErrNondeterminism Code = C.SW_ERR_NONDETERMINISM
	ErrConflict       Code = C.SW_ERR_CONFLICT
	ErrSchemaOld      Code = C.SW_ERR_SCHEMA_OLD
	ErrSchemaNew      Code = C.SW_ERR_SCHEMA_NEW
	ErrSchemaForeign  Code = C.SW_ERR_SCHEMA_FOREIGN
	ErrTargetOlder    Code = C.SW_ERR_TARGET_OLDER
	ErrBudget         Code = C.SW_ERR_BUDGET
	ErrSchemaEdited   Code = C.SW_ERR_SCHEMA_EDITED
	ErrMoved          Code = C.SW_ERR_MOVED
	ErrBusy           Code = C.SW_ERR_BUSY
	ErrIO             Code = C.SW_ERR_IO
	ErrFull           Code = C.SW_ERR_FULL
	ErrReadOnly       Code = C.SW_ERR_READONLY
	ErrCorrupt        Code = C.SW_ERR_CORRUPT
	ErrNoMem          Code = C.SW_ERR_NOMEM
	ErrNotAStore      Code = C.SW_ERR_NOT_A_STORE
	ErrCannotOpen     Code = C.SW_ERR_CANNOT_OPEN
	ErrInternal       Code = C.SW_ERR_INTERNAL
	ErrPanic          Code = C.SW_ERR_PANIC
	ErrPoisoned       Code = C.SW_ERR_POISONED
	ErrWalLost        Code = C.SW_ERR_WAL_LOST
)

// Outcomes that are no failures of a call, as errors: a workflow returns ErrSuspend to be parked.
var (
	// ErrSuspend says that what was asked for is not there yet: return it, or an error that wraps it, and
	// the run is parked. Once a wait has answered it, a run does not complete, however it is caught.
	ErrSuspend = errors.New("smolwf: not ready, the run waits")
	// ErrTimeout says that the deadline of an await passed first.
	ErrTimeout = errors.New("smolwf: the deadline passed first")
)

// mayPass says that the same call may succeed later: the lock, the disk, the memory may be free then.
func (c Code) mayPass() bool {
	return c == ErrBusy || c == ErrIO || c == ErrNoMem || c == ErrFull
}

// endsWorker says that the store cannot go on.
func (c Code) endsWorker() bool {
	switch c {
	case ErrWalLost, ErrPoisoned, ErrCorrupt, ErrReadOnly, ErrNotAStore, ErrForked, ErrSecondCopy,
		ErrSchemaOld, ErrSchemaNew, ErrSchemaForeign, ErrSchemaEdited, ErrMoved:
		return true
	}
	return false
}

// Failed is the remembered failure of a step, or the failure or cancel of a run. A workflow that
// returns it fails for good, since another try would replay it.
type Failed struct {
	// Of says what failed, such as `step "pay"`, or the id of a run.
	Of string
	// Payload is the failure as it was recorded, JSON byte for byte; an object with the key "$smolwf"
	// when the library recorded it.
	Payload json.RawMessage
}

// Error names what failed, and shows the beginning of the payload.
func (f *Failed) Error() string {
	return fmt.Sprintf("smolwf: %s failed: %s", f.Of, clip(string(f.Payload), 1024))
}

// DecodeError says that what is recorded does not fit the type that it is read into. A workflow that
// returns it fails for good: retry the run when the code is mended.
type DecodeError struct {
	// Of says what, such as `the result of step "pay"`.
	Of string
	// Err is what encoding/json says.
	Err error
}

// Error says what does not fit.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("smolwf: %s cannot be read: %v", e.Of, e.Err)
}

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }

// Error is a failure that the library told, with its sentence.
type Error struct {
	// Code says what kind of failure; errors.Is compares it.
	Code Code
	// EngineCode is SQLite's extended code, or 0.
	EngineCode int
	// Retryable says that the same call may succeed later.
	Retryable bool
	// Message is one sentence, which names the value and the limit.
	Message string
}

// Error returns the code and the sentence.
func (e *Error) Error() string { return fmt.Sprintf("smolwf: %s: %s", e.Code.Error(), e.Message) }

// Is returns whether the target is this error's code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// check makes an error of a code below 0, and takes what the library tells of it.
func check(code C.int32_t, out **C.sw_error) error {
	if code >= 0 {
		return nil
	}
	err := *out
	defer C.sw_error_free(err)
	e := &Error{Code: Code(code)}
	if err == nil && e.Code == ErrClosed {
		return errClosed
	}
	if err != nil {
		e.Code = Code(C.sw_error_code(err))
		e.EngineCode = int(C.sw_error_engine_code(err))
		e.Retryable = C.sw_error_is_retryable(err) != 0
		e.Message = C.GoString(C.sw_error_message(err))
	}
	return e
}
