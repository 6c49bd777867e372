package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"encoding/json"
	"time"
	"unsafe"
)

// LeaseWhileAlive is a lease that holds as long as this process lives and has the store open.
const LeaseWhileAlive time.Duration = -1

// Attempt is one worker's try at a run. Its handle is freed by Close, which does not finish the run.
type Attempt struct {
	c     *C.sw_attempt
	store *Store
}

func (a *Attempt) view(p *C.char, n C.size_t) string {
	if p == nil {
		return ""
	}
	return C.GoStringN(p, C.int(n))
}

// ID returns the attempt's id.
func (a *Attempt) ID() string {
	var n C.size_t
	return a.view(C.sw_attempt_id(a.c, &n), n)
}

// RunID returns the run's id.
func (a *Attempt) RunID() string {
	var n C.size_t
	return a.view(C.sw_attempt_run_id(a.c, &n), n)
}

// RootRunID returns the id of the topmost run.
func (a *Attempt) RootRunID() string {
	var n C.size_t
	return a.view(C.sw_attempt_root_run_id(a.c, &n), n)
}

// ParentRunID returns the id of the run that submitted this one, or "".
func (a *Attempt) ParentRunID() string {
	var n C.size_t
	return a.view(C.sw_attempt_parent_run_id(a.c, &n), n)
}

// Workflow returns the workflow's name.
func (a *Attempt) Workflow() string {
	var n C.size_t
	return a.view(C.sw_attempt_workflow(a.c, &n), n)
}

// Queue returns the queue's name.
func (a *Attempt) Queue() string {
	var n C.size_t
	return a.view(C.sw_attempt_queue(a.c, &n), n)
}

// CodeVersion returns the version of the code that the run was submitted for, or "".
func (a *Attempt) CodeVersion() string {
	var n C.size_t
	return a.view(C.sw_attempt_code_version(a.c, &n), n)
}

// RawMetadata returns the run's metadata, JSON byte for byte; nil when there is none.
func (a *Attempt) RawMetadata() json.RawMessage {
	var n C.size_t
	p := C.sw_attempt_metadata(a.c, &n)
	if p == nil {
		return nil
	}
	return json.RawMessage(a.view(p, n))
}

// RawArgs returns the run's args, JSON byte for byte.
func (a *Attempt) RawArgs() json.RawMessage {
	var n C.size_t
	return json.RawMessage(a.view(C.sw_attempt_args(a.c, &n), n))
}

// Args reads the run's args into a value.
func (a *Attempt) Args(v any) error { return json.Unmarshal(a.RawArgs(), v) }

// Number returns the attempt's number, from 1: the fencing token.
func (a *Attempt) Number() int { return int(C.sw_attempt_number(a.c)) }

// LeaseExpiresAt returns when the lease ends, as far as this handle knows.
func (a *Attempt) LeaseExpiresAt() time.Time {
	return time.UnixMilli(int64(C.sw_attempt_lease_expires_at_ms(a.c)))
}

// Store returns the store that it was claimed from.
func (a *Attempt) Store() *Store { return a.store }

// leaseMS gives a length of a lease as the library takes it; 0 is the default.
func leaseMS(d time.Duration) C.uint32_t {
	if d == LeaseWhileAlive {
		return C.SW_LEASE_WHILE_ALIVE
	}
	return C.uint32_t(d.Milliseconds())
}

// Heartbeat extends the lease; 0 keeps its length.
func (a *Attempt) Heartbeat(lease time.Duration) error {
	var err *C.sw_error
	return check(C.sw_attempt_heartbeat(a.c, leaseMS(lease), &err), &err)
}

// Check answers ErrCancelled or ErrLeaseLost when the attempt is to stop.
func (a *Attempt) Check() error {
	var err *C.sw_error
	return check(C.sw_attempt_check(a.c, &err), &err)
}

// Complete ends the run with its result.
func (a *Attempt) Complete(result any) error {
	raw, e := encode(result)
	if e != nil {
		return e
	}
	p, n := payload(raw)
	var err *C.sw_error
	return check(C.sw_attempt_complete(a.c, p, n, &err), &err)
}

// FailOptions say what follows a failure.
type FailOptions struct {
	// Terminal makes it final, whatever tries are left.
	Terminal bool
	// RetryAfter names the delay instead of the backoff.
	RetryAfter time.Duration
}

func (o FailOptions) c() C.sw_fail_options {
	var c C.sw_fail_options
	c.struct_size = C.uint32_t(unsafe.Sizeof(c))
	if o.Terminal {
		c.flags = C.SW_FAIL_TERMINAL
	}
	c.retry_after_ms = C.int64_t(o.RetryAfter.Milliseconds())
	return c
}

// Fail ends the attempt with an error value, and returns whether the run will be tried again.
func (a *Attempt) Fail(failure any, o FailOptions) (again bool, _ error) {
	raw, e := encode(failure)
	if e != nil {
		return false, e
	}
	options := o.c()
	p, n := payload(raw)
	var err *C.sw_error
	code := C.sw_attempt_fail(a.c, p, n, &options, &err)
	return code == C.SW_SUSPEND, check(code, &err)
}

// Release gives the run back, claimable after a delay; no try is charged.
func (a *Attempt) Release(delay time.Duration) error {
	var err *C.sw_error
	return check(C.sw_attempt_release(a.c, C.int64_t(delay.Milliseconds()), &err), &err)
}

// Close frees the handle. It does not finish the attempt.
func (a *Attempt) Close() error {
	C.sw_attempt_free(a.c)
	a.c = nil
	return nil
}
