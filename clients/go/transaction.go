package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"reflect"
)

// Transaction is a step that changes tables of your own, in the store's file, once: work says by the Tx
// what is to be done, and that is committed together with the record of the step, or not at all. It
// returns the result that was recorded, JSON: what Tx.Result or Tx.ResultFrom said, else null; see As.
// A replay returns the record, and does not run work.
//
// When work returns an error, panics or calls runtime.Goexit, or when the transaction is refused (a
// constraint, ExpectChanges), nothing is done, and the step has failed as that of Do: ErrSuspend while
// tries are left, then a *Failed. Work may wait for others before it returns; it may run again when the
// process dies.
func (a *Attempt) Transaction(ctx context.Context, name string,
	work func(ctx context.Context, tx *Tx) error,
) (json.RawMessage, error) {
	return a.TransactionWith(ctx, name, StepOptions{}, work)
}

// TransactionWith is Transaction with options.
func (a *Attempt) TransactionWith(ctx context.Context, name string, o StepOptions,
	work func(ctx context.Context, tx *Tx) error,
) (json.RawMessage, error) {
	if err := refuseNested(ctx); err != nil {
		return nil, err
	}
	return a.do(ctx, name, o, job{
		run:  func(ctx context.Context) (any, error) { return collect(ctx, a.carried, work) },
		from: reflect.ValueOf(work).Pointer(),
		record: func(s *Step, value any) (json.RawMessage, error) {
			return value.(*Tx).commit(endsStep, s.transact)
		},
	})
}

// CompleteTx records the result of a transaction, with what that does; if it is refused, nothing is done.
func (s *Step) CompleteTx(ctx context.Context, work func(ctx context.Context, tx *Tx) error) error {
	tx, err := collect(ctx, s.run.carried, work)
	if err == nil {
		_, err = tx.commit(endsStep, s.transact)
	}
	return err
}

// Tx commits a transaction in the attempt's name, if it still has the run. Recorded by no step, it is
// done again by the next attempt: see Transaction.
func (a *Attempt) Tx(ctx context.Context, work func(ctx context.Context, tx *Tx) error) error {
	tx, err := collect(ctx, a.carried, work)
	if err != nil {
		return err
	}
	_, err = tx.commit(endsNothing, func(script json.RawMessage) (raw json.RawMessage, _ error) {
		err := a.carried.record("sw_tx_run", func() (err error) {
			raw, err = a.transact(a.handle.call, script)
			return err
		})
		return raw, err
	})
	return err
}

// CompleteTx ends the run with the result of a transaction, and with what that does.
func (a *Attempt) CompleteTx(ctx context.Context, work func(ctx context.Context, tx *Tx) error) error {
	tx, err := collect(ctx, a.carried, work)
	if err != nil {
		return err
	}
	_, err = tx.commit(endsAttempt, func(script json.RawMessage) (raw json.RawMessage, _ error) {
		err := a.carried.endsItself(EventCompleted, func() (err error) {
			raw, err = a.transact(a.end, script)
			return err
		})
		return raw, err
	})
	return err
}

// transact commits a script in the attempt's name, by call.
func (a *Attempt) transact(
	call func(func(c *C.sw_attempt, err **C.sw_error) C.int32_t) (C.int32_t, error), script json.RawMessage,
) (json.RawMessage, error) {
	var out *C.sw_text
	_, err := call(func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
		return a.store.run(c, nil, script, &out, err)
	})
	return take(out), err
}

// transact commits a script as the work of the step; in a worker it is made again while the store cannot.
func (s *Step) transact(script json.RawMessage) (json.RawMessage, error) {
	var out *C.sw_text
	_, err := s.finish("sw_tx_run", func(c *C.sw_step, err **C.sw_error) C.int32_t {
		return s.run.store.run(nil, c, script, &out, err)
	})
	return take(out), err
}

// run makes the call.
func (s *Store) run(attempt *C.sw_attempt, step *C.sw_step, script json.RawMessage,
	out **C.sw_text, err **C.sw_error,
) C.int32_t {
	code := C.int32_t(C.SW_ERR_CLOSED)
	s.handle.look(func(c *C.sw_store) {
		p, n := payload(script)
		code = C.sw_tx_run(c, attempt, step, p, n, out, err)
	})
	return code
}

// isRefusedTx says that a transaction was refused for what it does: nothing of it was done, and another
// try may fare better.
func isRefusedTx(err error) bool {
	switch code, _ := codeOf(err); code {
	case ErrConflict, ErrNotFound, ErrInvalid, ErrTooBig:
		return true
	}
	return false
}
