//go:build cgo

package smolwf

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
)

// Typed makes a Workflow of a function that takes its args decoded. Args that do not fit fail the run
// for good, with a *DecodeError.
func Typed[A, R any](f func(ctx context.Context, run *Attempt, args A) (R, error)) Workflow {
	return func(ctx context.Context, run *Attempt) (any, error) {
		if run.carried != nil {
			run.carried.from = reflect.ValueOf(f).Pointer()
		}
		args, err := decode[A]("the args of run "+run.RunID(), run.RawArgs())
		if err != nil {
			return nil, err
		}
		return f(ctx, run, args)
	}
}

// As decodes what a wait or a transaction of an attempt answered, and hands its error on:
//
//	order, err := smolwf.As[Order](run.SignalAwait("order", time.Hour))
//
// A value that does not fit is a *DecodeError.
func As[T any](raw json.RawMessage, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return decode[T]("what was answered", raw)
}

// Result returns the result of a run that has ended, decoded. A run that failed or was cancelled is a
// *Failed, one that has not ended ErrConflict, and a result that does not fit a *DecodeError.
func Result[T any](run *Run) (T, error) {
	var none T
	switch run.State {
	case "completed":
		return decode[T]("the result of run "+run.RunID, run.Result)
	case "failed", "cancelled":
		return none, &Failed{Of: run.RunID, Payload: run.Error}
	}
	return none, &Error{Code: ErrConflict, Message: fmt.Sprintf("%s is %s, it has no result yet", run.RunID, run.State)}
}

// WaitResult waits until a run has ended and returns its Result. It ends with its context.
func WaitResult[T any](ctx context.Context, s *Store, runID string) (T, error) {
	run, err := s.Wait(ctx, runID)
	if err != nil {
		var none T
		return none, err
	}
	return Result[T](run)
}

func decode[T any](of string, raw json.RawMessage) (T, error) {
	var value T
	if raw == nil {
		return value, nil
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return value, &DecodeError{Of: of, Err: err}
	}
	return value, nil
}
