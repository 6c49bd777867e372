//go:build cgo

package smolwf

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// Retry is a failure that says when to try again, and what to record; work of a step returns it, and
// a workflow.
type Retry struct {
	// Failure is recorded as it is, any value that encoding/json writes; nil is the form of Err.
	Failure any
	// Err is why.
	Err error
	// After is the delay before the next try; 0 is the backoff.
	After time.Duration
	// Terminal makes the failure final, whatever tries are left.
	Terminal bool
}

// Error returns the text of Err.
func (r *Retry) Error() string {
	if r.Err == nil {
		return "smolwf: failed"
	}
	return r.Err.Error()
}

// Unwrap returns Err.
func (r *Retry) Unwrap() error { return r.Err }

// Do runs work once, records what it returns, and ever after returns the record; the first time too it
// returns the result as it was recorded and decoded, so that a field that is not encoded is not there.
//
// Work that returns an error, panics or calls runtime.Goexit has failed: the failure is recorded, and
// Do returns ErrSuspend while tries are left, then a *Failed. A *Retry says more. Work may run again
// when the process dies before its result is recorded.
//
// A result that cannot be encoded or stored ends the step for good, as a *Failed that names the place
// of the value. Numbers decode into an any as float64: use a type of your own, or json.RawMessage, for
// integers above 2^53.
//
// Work runs in a goroutine of its own, under the given context; CurrentStep finds the step there. A
// context that its author cancels calls the step off: nothing is recorded, and Do returns what the work
// returned; that its deadline passed is a failure.
func Do[T any](ctx context.Context, a *Attempt, name string, work func(context.Context) (T, error)) (T, error) {
	return DoWith(ctx, a, name, StepOptions{}, work)
}

// DoWith is Do with options.
func DoWith[T any](ctx context.Context, a *Attempt, name string, o StepOptions,
	work func(context.Context) (T, error),
) (T, error) {
	var result T
	raw, err := a.do(ctx, name, o, job{
		run:  func(ctx context.Context) (any, error) { return work(ctx) },
		from: reflect.ValueOf(work).Pointer(),
	})
	if err != nil {
		return result, err
	}
	if err := json.Unmarshal(raw, &result); err != nil {
		return result, &DecodeError{Of: fmt.Sprintf("the result of step %q", name), Err: err}
	}
	return result, nil
}

// job is the work of a step, where its code is, and how a transaction is recorded.
type job struct {
	run    func(context.Context) (any, error)
	from   uintptr
	record func(s *Step, value any) (json.RawMessage, error)
}

type stepKey struct{}

// CurrentStep returns the step whose work runs under this context; nil outside of Do.
func CurrentStep(ctx context.Context) *Step {
	step, _ := ctx.Value(stepKey{}).(*Step)
	return step
}

// do returns what is recorded for a step, once it is.
func (a *Attempt) do(ctx context.Context, name string, o StepOptions, work job) (json.RawMessage, error) {
	if err := a.carried.enter(working); err != nil {
		return nil, err
	}
	defer a.carried.leave(working)
	step, err := a.Begin(name, o)
	if err != nil {
		return nil, err
	}
	defer step.Close()
	if step.Replayed {
		return step.Result(), nil
	}
	step.isCleanup = o.Cleanup
	ctx, free := a.carried.contextOf(ctx, o.Cleanup)
	defer free()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return step.perform(ctx, work)
}

// perform does the work of a step and records what it came to.
func (s *Step) perform(ctx context.Context, work job) (json.RawMessage, error) {
	began := time.Now()
	c := s.run.carried
	ctx = c.tellStep(ctx, s, WorkerEvent{Kind: EventStepRun})
	var value any
	why := perform(func() (err error) {
		value, err = work.run(context.WithValue(ctx, stepKey{}, s))
		return err
	})
	if why != nil {
		return nil, s.failed(ctx, began, why, work.from)
	}
	raw, err := work.recorded(s, value)
	switch {
	case err == nil:
		c.tellStep(ctx, s, WorkerEvent{Kind: EventStepDone, Duration: time.Since(began)})
		return raw, nil
	case work.record != nil && isRefusedTx(err):
		return nil, s.failed(ctx, began, err, work.from)
	case !isRefused(err):
		return nil, err
	}
	// It was done and paid for, and doing it again would give the same value.
	why = fmt.Errorf("the result of step %q cannot be recorded: %w", s.name, err)
	return nil, s.fails(ctx, began, judged(why, work.from).finally())
}

// recorded records what the work returned.
func (j job) recorded(s *Step, value any) (json.RawMessage, error) {
	if j.record != nil {
		return j.record(s, value)
	}
	raw, err := encode(value)
	if err == nil {
		err = s.complete(raw)
	}
	if raw == nil {
		raw = json.RawMessage("null")
	}
	return raw, err
}

// failed records why the work failed, and returns what the workflow is to return.
func (s *Step) failed(ctx context.Context, began time.Time, why error, from uintptr) error {
	if told := s.run.carried.told(s.isCleanup); told != nil || why == errEnded {
		return cmp.Or(told, why)
	}
	if ctx.Err() == context.Canceled && isCancel(ctx, why) {
		return why // its author called it off, such as for an error of another goroutine
	}
	verdict := judged(why, from)
	if verdict.suspends {
		return why
	}
	return s.fails(ctx, began, verdict)
}

// isCancel says whether an error is that a context has ended.
func isCancel(ctx context.Context, err error) (isIt bool) {
	cause := context.Cause(ctx)
	_ = perform(func() error {
		visit(err, func(err error) bool {
			isIt = err == context.Canceled || err == cause
			return isIt
		})
		return nil
	})
	return isIt
}

func (s *Step) fails(ctx context.Context, began time.Time, v verdict) error {
	var again bool
	raw, err := v.record(func(raw json.RawMessage) (err error) {
		again, err = s.fail(raw, v.options)
		return err
	})
	if err != nil {
		return err
	}
	e := WorkerEvent{Kind: EventStepFailed, Duration: time.Since(began), Err: v.err, Trace: v.trace}
	if again {
		e.RetryAt = s.RetryAt()
	}
	s.run.carried.tellStep(ctx, s, e)
	if again {
		return ErrSuspend
	}
	return &Failed{Of: fmt.Sprintf("step %q", s.name), Payload: raw}
}
