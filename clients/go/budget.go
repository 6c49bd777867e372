package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// Amounts are what is asked for or was used, by unit.
type Amounts map[string]int64

// Reserve sets amounts aside for a call, for a step or nil. ErrBudget says that there is not enough;
// the run may be suspended on it. With a source, again is the same as once.
func (a *Attempt) Reserve(step *Step, amounts Amounts, source string) (id string, existed bool, _ error) {
	raw, e := encode(amounts)
	if e != nil {
		return "", false, e
	}
	var room idRoom
	reserve := func(of *C.sw_step) (C.int32_t, error) {
		return a.call("sw_budget_reserve", func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
			p, n := payload(raw)
			sourcePtr, sourceLen := optional(source)
			return C.sw_budget_reserve(c, of, p, n, sourcePtr, sourceLen, &room[0], C.size_t(len(room)), err)
		})
	}
	var code C.int32_t
	if err := error(errEnded); step == nil {
		code, e = reserve(nil)
	} else {
		e = err
		step.handle.look(func(of *C.sw_step) { code, e = reserve(of) })
	}
	a.carried.waits("budget", units(amounts), errors.Is(e, ErrBudget))
	return room.text(), code == C.SW_EXISTS, e
}

// units names what is asked for.
func units(amounts Amounts) string {
	return strings.Join(slices.Sorted(maps.Keys(amounts)), ", ")
}

// Settle says what a reservation came to; empty amounts give all back.
func (s *Store) Settle(reservationID string, used Amounts) error {
	if used == nil {
		used = Amounts{}
	}
	raw, e := encode(used)
	if e != nil {
		return e
	}
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		idPtr, idLen := str(reservationID)
		p, n := payload(raw)
		return C.sw_budget_settle(c, idPtr, idLen, p, n, err)
	})
}

// CompleteUsage records the result, and what it cost, in one commit.
func (s *Step) CompleteUsage(result any, used Amounts) error {
	raw, e := encode(result)
	if e != nil {
		return e
	}
	usage, e := encode(used)
	if e != nil {
		return e
	}
	_, e = s.finish("sw_step_complete_usage", func(c *C.sw_step, err **C.sw_error) C.int32_t {
		p, n := payload(raw)
		usagePtr, usageLen := payload(usage)
		return C.sw_step_complete_usage(c, p, n, usagePtr, usageLen, err)
	})
	return e
}

// RaiseBudget moves a limit of the run's tree.
func (s *Store) RaiseBudget(runID, unit string, delta int64) error {
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		unitPtr, unitLen := str(unit)
		return C.sw_budget_raise(c, p, n, unitPtr, unitLen, C.int64_t(delta), err)
	})
}

// Budget returns what the run's tree may spend, has reserved and has spent, by unit.
func (s *Store) Budget(runID string) (*Budget, error) {
	return document[*Budget](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_budget_get(c, p, n, out, err)
	}))
}
