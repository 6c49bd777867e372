package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"encoding/json"
	"sync/atomic"
	"time"
	"unsafe"
)

// LeaseWhileAlive is a lease that holds as long as this process lives and has the store open.
const LeaseWhileAlive time.Duration = -1

// errEnded is what the calls of an attempt answer after its end.
var errEnded = &Error{Code: ErrLeaseLost, Message: "the attempt has ended"}

// Attempt is one worker's try at a run. Any goroutine may use it at any time, also after its end: its
// facts stay, and its calls answer ErrLeaseLost.
//
// A Worker ends and closes the attempts that it hands out. One that was claimed by hand is ended by
// Complete, Fail, Release or Suspend, and then freed by Close.
type Attempt struct {
	handle handle[*C.sw_attempt]
	store  *Store
	facts  facts
	// carried is nil when the attempt was claimed by hand.
	carried  *carried
	hasEnded atomic.Bool
}

// facts are what a claim says; they outlive the handle.
type facts struct {
	id, runID, rootRunID, parentRunID string
	workflow, queue, codeVersion      string
	args, metadata                    string
	number                            int
	hasMetadata                       bool
}

func newAttempt(c *C.sw_attempt, store *Store) *Attempt {
	view := func(f func(*C.size_t) *C.char) string {
		var n C.size_t
		p := f(&n)
		return C.GoStringN(p, C.int(n))
	}
	a := &Attempt{store: store}
	a.handle.c, a.handle.gone = c, errEnded
	a.facts = facts{
		id:          view(func(n *C.size_t) *C.char { return C.sw_attempt_id(c, n) }),
		runID:       view(func(n *C.size_t) *C.char { return C.sw_attempt_run_id(c, n) }),
		rootRunID:   view(func(n *C.size_t) *C.char { return C.sw_attempt_root_run_id(c, n) }),
		parentRunID: view(func(n *C.size_t) *C.char { return C.sw_attempt_parent_run_id(c, n) }),
		workflow:    view(func(n *C.size_t) *C.char { return C.sw_attempt_workflow(c, n) }),
		queue:       view(func(n *C.size_t) *C.char { return C.sw_attempt_queue(c, n) }),
		codeVersion: view(func(n *C.size_t) *C.char { return C.sw_attempt_code_version(c, n) }),
		args:        view(func(n *C.size_t) *C.char { return C.sw_attempt_args(c, n) }),
		metadata:    view(func(n *C.size_t) *C.char { return C.sw_attempt_metadata(c, n) }),
		number:      int(C.sw_attempt_number(c)),
	}
	a.facts.hasMetadata = a.facts.metadata != ""
	return a
}

// ID returns the attempt's id, "attempt_" and a ULID.
func (a *Attempt) ID() string { return a.facts.id }

// RunID returns the run's id, "run_" and a ULID.
func (a *Attempt) RunID() string { return a.facts.runID }

// RootRunID returns the id of the topmost run of the tree: the run's own when it is no child.
func (a *Attempt) RootRunID() string { return a.facts.rootRunID }

// ParentRunID returns the id of the run that submitted this one as a child, or "".
func (a *Attempt) ParentRunID() string { return a.facts.parentRunID }

// Workflow returns the workflow's name.
func (a *Attempt) Workflow() string { return a.facts.workflow }

// Queue returns the queue's name.
func (a *Attempt) Queue() string { return a.facts.queue }

// CodeVersion returns the version that the run was submitted with, or "".
func (a *Attempt) CodeVersion() string { return a.facts.codeVersion }

// RawArgs returns the run's args, JSON byte for byte as submitted; "null" when none were given.
func (a *Attempt) RawArgs() json.RawMessage { return json.RawMessage(a.facts.args) }

// Args reads the run's args into what v points to, as json.Unmarshal does. See Typed for workflows
// that take their args as a parameter.
func (a *Attempt) Args(v any) error { return json.Unmarshal(a.RawArgs(), v) }

// Metadata returns the run's metadata, a JSON object byte for byte as submitted; nil when there is
// none.
func (a *Attempt) Metadata() json.RawMessage {
	if !a.facts.hasMetadata {
		return nil
	}
	return json.RawMessage(a.facts.metadata)
}

// Number returns the attempt's number within its run, from 1; it grows with each claim.
func (a *Attempt) Number() int { return a.facts.number }

// LeaseExpiresAt returns when the lease ends, by the store's clock, as far as this handle knows: a
// time far away for LeaseWhileAlive, 1970 after Close.
func (a *Attempt) LeaseExpiresAt() time.Time {
	var ms int64
	a.handle.look(func(c *C.sw_attempt) { ms = int64(C.sw_attempt_lease_expires_at_ms(c)) })
	return time.UnixMilli(ms)
}

// Store returns the store that it was claimed from.
func (a *Attempt) Store() *Store { return a.store }

// call makes a call that begins something: in a worker it is made again while the store cannot, and
// refused once the attempt was told to end.
func (a *Attempt) call(name string, f func(c *C.sw_attempt, err **C.sw_error) C.int32_t) (C.int32_t, error) {
	var code C.int32_t
	err := a.carried.begin(name, func() (err error) {
		code, err = a.handle.call(f)
		return err
	})
	return code, err
}

// milliseconds rounds up: what is short is not nothing.
func milliseconds(d time.Duration) int64 {
	ms := d.Milliseconds()
	if d > 0 && time.Duration(ms)*time.Millisecond != d {
		ms++
	}
	return ms
}

// leaseMS gives a length of a lease as the library takes it; 0 is the default.
func leaseMS(d time.Duration) C.uint32_t {
	if d == LeaseWhileAlive {
		return C.SW_LEASE_WHILE_ALIVE
	}
	return C.uint32_t(milliseconds(d))
}

// Heartbeat extends the lease to that long from now, 1 s to 1 h or LeaseWhileAlive; 0 keeps the length
// that it has. A Worker does it by itself. It answers ErrCancelled or ErrLeaseLost when the attempt is
// to stop.
func (a *Attempt) Heartbeat(lease time.Duration) error {
	return a.carried.heard(a.handle.do(func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
		return C.sw_attempt_heartbeat(c, leaseMS(lease), err)
	}))
}

// Check answers ErrCancelled or ErrLeaseLost when the attempt is to stop. It writes nothing.
func (a *Attempt) Check() error {
	return a.carried.heard(a.handle.do(func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
		return C.sw_attempt_check(c, err)
	}))
}

// Complete ends the run with its result, any value that encoding/json writes. In a worker, return the
// result from the workflow instead. ErrCancelled says that the run was cancelled, ErrLeaseLost that
// another attempt has it.
func (a *Attempt) Complete(result any) error {
	raw, err := encode(result)
	if err != nil {
		return err
	}
	return a.carried.endsItself(EventCompleted, func() error { return a.complete(raw) })
}

func (a *Attempt) complete(raw json.RawMessage) error {
	_, err := a.end(func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
		p, n := payload(raw)
		return C.sw_attempt_complete(c, p, n, err)
	})
	return err
}

// FailOptions say what follows a failure.
type FailOptions struct {
	// Terminal makes it final, whatever tries are left.
	Terminal bool
	// RetryAfter names the delay instead of the backoff; 0 is the backoff, at most a hundred years.
	RetryAfter time.Duration
}

func (o FailOptions) c() C.sw_fail_options {
	var c C.sw_fail_options
	c.struct_size = C.uint32_t(unsafe.Sizeof(c))
	if o.Terminal {
		c.flags = C.SW_FAIL_TERMINAL
	}
	c.retry_after_ms = C.int64_t(milliseconds(o.RetryAfter))
	return c
}

// Fail ends the attempt with an error value, anything that encoding/json writes, and returns whether
// the run will be tried again. In a worker, return an error, such as a *Retry, instead.
func (a *Attempt) Fail(failure any, o FailOptions) (again bool, _ error) {
	raw, err := encode(failure)
	if err != nil {
		return false, err
	}
	err = a.carried.endsItself(EventFailed, func() (err error) {
		again, err = a.fail(raw, o)
		return err
	})
	return again, err
}

func (a *Attempt) fail(raw json.RawMessage, o FailOptions) (again bool, _ error) {
	code, err := a.end(func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
		options := o.c()
		p, n := payload(raw)
		return C.sw_attempt_fail(c, p, n, &options, err)
	})
	return code == C.SW_SUSPEND, err
}

// Release gives the run back, claimable after a delay of up to a hundred years; no try is charged.
func (a *Attempt) Release(delay time.Duration) error {
	return a.carried.endsItself(EventReleased, func() error { return a.release(delay) })
}

func (a *Attempt) release(delay time.Duration) error {
	_, err := a.end(func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
		return C.sw_attempt_release(c, C.int64_t(milliseconds(delay)), err)
	})
	return err
}

// Suspend parks the run on everything that answered ErrSuspend or ErrBudget and nothing else since;
// ErrConflict says that there is no such thing. In a worker, return the error of the wait instead.
func (a *Attempt) Suspend() error {
	return a.carried.endsItself(EventParked, a.suspend)
}

func (a *Attempt) suspend() error {
	_, err := a.end(func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
		return C.sw_attempt_suspend(c, err)
	})
	return err
}

// end makes a call that ends the attempt, and notes whether it has.
func (a *Attempt) end(f func(c *C.sw_attempt, err **C.sw_error) C.int32_t) (C.int32_t, error) {
	code, err := a.handle.call(f)
	if err == nil || code == C.SW_ERR_CANCELLED || code == C.SW_ERR_LEASE_LOST {
		a.hasEnded.Store(true)
	}
	return code, err
}

// Close frees the handle, once no call has it; an attempt that was not ended is given back at once, as
// by Release. Again is the same as once.
func (a *Attempt) Close() error {
	if !a.hasEnded.Load() {
		_ = a.release(0) // else its run comes back when the lease lapses or the store is closed
	}
	C.sw_attempt_free(a.handle.take())
	return nil
}
