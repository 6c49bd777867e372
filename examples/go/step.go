package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"time"
	"unsafe"
)

// StepOptions of Begin and Do; the zero value of each field is its default.
type StepOptions struct {
	// Kind is a label, such as "model".
	Kind string
	// Input is hashed, and compared when the step is replayed.
	Input any
	// Occurrence names one; 0 is the next of the name.
	Occurrence int
	// Durability of its record.
	Durability Durability
	// MaxAttempts is the number of tries: 3.
	MaxAttempts int
	// BackoffInitial and BackoffMax: 1 s, doubling to an hour.
	BackoffInitial, BackoffMax time.Duration
	// Track records the start, so that a start without an end counts as a try.
	Track bool
	// Cleanup lets it begin on a cancelled run.
	Cleanup bool
}

func (o *StepOptions) c(texts *arena) C.sw_step_options {
	var c C.sw_step_options
	c.struct_size = C.uint32_t(unsafe.Sizeof(c))
	if o.Track {
		c.flags |= C.SW_STEP_TRACK
	}
	if o.Cleanup {
		c.flags |= C.SW_STEP_CLEANUP
	}
	c.kind, c.kind_len = texts.text(o.Kind)
	c.occurrence = C.uint32_t(o.Occurrence)
	c.durability = C.uint32_t(o.Durability)
	c.max_attempts = C.uint32_t(o.MaxAttempts)
	c.backoff_initial_ms = C.int64_t(o.BackoffInitial.Milliseconds())
	c.backoff_max_ms = C.int64_t(o.BackoffMax.Milliseconds())
	return c
}

// Step is one memoised call of a run. Its handle is freed by Close.
type Step struct {
	c *C.sw_step
	// Replayed says that Result holds what was recorded before.
	Replayed bool
}

// Begin begins a step: to be run, or Replayed. A remembered failure is a *Failed, a step that backs
// off is ErrSuspend.
func (a *Attempt) Begin(name string, o StepOptions) (*Step, error) {
	var texts arena
	defer func() { texts.free() }()
	input, e := encode(o.Input)
	if e != nil {
		return nil, e
	}
	options := o.c(&texts)
	namePtr, nameLen := str(name)
	inputPtr, inputLen := payload(input)
	var step *C.sw_step
	var err *C.sw_error
	code := C.sw_step_begin(a.c, namePtr, nameLen, inputPtr, inputLen, &options, &step, &err)
	if e := check(code, &err); e != nil {
		return nil, e
	}
	s := &Step{c: step, Replayed: code == C.SW_REPLAYED}
	switch code {
	case C.SW_FAILED:
		defer s.Close()
		return nil, &Failed{s.Error()}
	case C.SW_SUSPEND:
		return nil, ErrSuspend
	}
	return s, nil
}

// ID returns the step's id: the same in every attempt, so it serves as idempotency key outwards.
func (s *Step) ID() string {
	var n C.size_t
	return C.GoStringN(C.sw_step_id(s.c, &n), C.int(n))
}

// Name returns the step's name.
func (s *Step) Name() string {
	var n C.size_t
	return C.GoStringN(C.sw_step_name(s.c, &n), C.int(n))
}

// Result returns the recorded result, JSON byte for byte; nil when there is none.
func (s *Step) Result() json.RawMessage {
	var n C.size_t
	p := C.sw_step_result(s.c, &n)
	if p == nil {
		return nil
	}
	return C.GoBytes(unsafe.Pointer(p), C.int(n))
}

// Error returns the recorded failure, JSON byte for byte; nil when there is none.
func (s *Step) Error() json.RawMessage {
	var n C.size_t
	p := C.sw_step_error(s.c, &n)
	if p == nil {
		return nil
	}
	return C.GoBytes(unsafe.Pointer(p), C.int(n))
}

// Occurrence returns which one of its name it is, from 1.
func (s *Step) Occurrence() int { return int(C.sw_step_occurrence(s.c)) }

// Tries returns how often its work was started, this time included.
func (s *Step) Tries() int { return int(C.sw_step_tries(s.c)) }

// RetryAt returns when a failed step may be tried again.
func (s *Step) RetryAt() time.Time { return time.UnixMilli(int64(C.sw_step_retry_at_ms(s.c))) }

// Complete records the result.
func (s *Step) Complete(result any) error {
	raw, e := encode(result)
	if e != nil {
		return e
	}
	p, n := payload(raw)
	var err *C.sw_error
	return check(C.sw_step_complete(s.c, p, n, &err), &err)
}

// Fail records a failure, and returns whether the step may be tried again.
func (s *Step) Fail(failure any, o FailOptions) (again bool, _ error) {
	raw, e := encode(failure)
	if e != nil {
		return false, e
	}
	options := o.c()
	p, n := payload(raw)
	var err *C.sw_error
	code := C.sw_step_fail(s.c, p, n, &options, &err)
	return code == C.SW_SUSPEND, check(code, &err)
}

// Close frees the handle; a step that was not finished may be begun again.
func (s *Step) Close() error {
	C.sw_step_free(s.c)
	s.c = nil
	return nil
}

// Retry is the failure of a step's work that says when to try again, and what to record.
type Retry struct {
	// Failure is recorded; nil is the text of Err.
	Failure any
	// Err is why.
	Err error
	// After is the delay; 0 is the step's backoff.
	After time.Duration
	// Terminal makes the failure final.
	Terminal bool
}

func (r *Retry) Error() string {
	if r.Err == nil {
		return "smolwf: the step failed"
	}
	return r.Err.Error()
}

func (r *Retry) Unwrap() error { return r.Err }

// Do runs work once and records what it returns; ever after it returns the record.
//
// Work that returns an error has failed: the failure is recorded, and Do returns ErrSuspend while
// tries are left, then *Failed. A *Retry says more. Work may run again when the process dies before
// its result is recorded.
func Do[T any](ctx context.Context, a *Attempt, name string, work func(context.Context) (T, error)) (T, error) {
	return DoWith(ctx, a, name, StepOptions{}, work)
}

// DoWith is Do with options.
func DoWith[T any](ctx context.Context, a *Attempt, name string, o StepOptions,
	work func(context.Context) (T, error),
) (T, error) {
	var result T
	step, err := a.Begin(name, o)
	if err != nil {
		return result, err
	}
	defer step.Close()
	if step.Replayed {
		err = json.Unmarshal(step.Result(), &result)
		return result, err
	}
	result, err = work(context.WithValue(ctx, stepKey{}, step))
	if err == nil {
		return result, step.Complete(result)
	}
	if ctx.Err() != nil {
		return result, err
	}
	return result, step.failed(err)
}

type stepKey struct{}

// CurrentStep returns the step whose work runs under this context; nil outside of Do.
func CurrentStep(ctx context.Context) *Step {
	step, _ := ctx.Value(stepKey{}).(*Step)
	return step
}

// failed records why the work failed, and returns what the workflow is to return.
func (s *Step) failed(why error) error {
	var code Code
	if errors.As(why, &code) || errors.As(why, new(*Error)) || errors.Is(why, ErrSuspend) {
		return why
	}
	retry := &Retry{Err: why}
	errors.As(why, &retry)
	failure := retry.Failure
	if failure == nil {
		failure = retry.Error()
	}
	again, err := s.Fail(failure, FailOptions{Terminal: retry.Terminal, RetryAfter: retry.After})
	if err != nil {
		return err
	}
	if again {
		return ErrSuspend
	}
	raw, err := encode(failure)
	if err != nil {
		return err
	}
	return &Failed{raw}
}
