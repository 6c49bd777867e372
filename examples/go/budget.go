package smolwf

/*
#include <smolwf.h>
*/
import "C"

import "encoding/json"

// Amounts are what is asked for or was used, by unit.
type Amounts map[string]int64

// Reserve sets amounts aside for a call, for a step or nil. ErrBudget says that there is not enough;
// the run may be suspended on it. With a source, again is the same as once.
func (a *Attempt) Reserve(step *Step, amounts Amounts, source string) (id string, existed bool, _ error) {
	raw, e := json.Marshal(amounts)
	if e != nil {
		return "", false, e
	}
	var of *C.sw_step
	if step != nil {
		of = step.c
	}
	var room idRoom
	var err *C.sw_error
	p, n := payload(raw)
	sourcePtr, sourceLen := optional(source)
	code := C.sw_budget_reserve(a.c, of, p, n, sourcePtr, sourceLen, &room[0], C.size_t(len(room)), &err)
	return room.String(), code == C.SW_EXISTS, check(code, &err)
}

// Settle says what a reservation came to; empty amounts give all back.
func (s *Store) Settle(reservationID string, used Amounts) error {
	if used == nil {
		used = Amounts{}
	}
	raw, e := json.Marshal(used)
	if e != nil {
		return e
	}
	var err *C.sw_error
	idPtr, idLen := str(reservationID)
	p, n := payload(raw)
	code := C.sw_budget_settle(s.c, idPtr, idLen, p, n, &err)
	return check(code, &err)
}

// CompleteUsage records the result, and what it cost, in one commit.
func (s *Step) CompleteUsage(result any, used Amounts) error {
	raw, e := encode(result)
	if e != nil {
		return e
	}
	usage, e := json.Marshal(used)
	if e != nil {
		return e
	}
	var err *C.sw_error
	p, n := payload(raw)
	usagePtr, usageLen := payload(usage)
	code := C.sw_step_complete_usage(s.c, p, n, usagePtr, usageLen, &err)
	return check(code, &err)
}

// RaiseBudget moves a limit of the run's tree.
func (s *Store) RaiseBudget(runID, unit string, delta int64) error {
	var err *C.sw_error
	p, n := str(runID)
	unitPtr, unitLen := str(unit)
	code := C.sw_budget_raise(s.c, p, n, unitPtr, unitLen, C.int64_t(delta), &err)
	return check(code, &err)
}

// Balance is one unit of a budget; Limit and Remaining are nil where it is metered only.
type Balance struct {
	Limit     *int64 `json:"limit"`
	Reserved  int64  `json:"reserved"`
	Spent     int64  `json:"spent"`
	Remaining *int64 `json:"remaining"`
}

// Budget returns what the run's tree may spend and has spent, by unit, and the whole document.
func (s *Store) Budget(runID string) (map[string]Balance, json.RawMessage, error) {
	raw, err := s.text(func(out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_budget_get(s.c, p, n, out, err)
	})
	if err != nil {
		return nil, nil, err
	}
	var document struct {
		Units map[string]Balance `json:"units"`
	}
	err = json.Unmarshal(raw, &document)
	return document.Units, raw, err
}

// Check verifies the whole store and returns what it found, JSON.
func (s *Store) Check() (json.RawMessage, error) {
	return s.text(func(out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_store_check(s.c, out, err)
	})
}
