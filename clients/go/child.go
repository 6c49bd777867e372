package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"encoding/json"
	"strings"
	"time"
)

// ChildSubmit submits a child, once per name and occurrence, however often the attempt is repeated;
// replayed says that it was there. The options take no idempotency key and no budget. Children that are
// submitted side by side need distinct names: ErrConflict, which fails the run for good.
func (a *Attempt) ChildSubmit(name, workflow string, args any, o *SubmitOptions) (runID string, replayed bool, _ error) {
	var texts arena
	defer func() { texts.free() }()
	raw, e := encode(args)
	if e != nil {
		return "", false, e
	}
	options, e := o.c(&texts, "")
	if e != nil {
		return "", false, e
	}
	var room idRoom
	code, e := a.call("sw_child_submit", func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
		namePtr, nameLen := str(name)
		flowPtr, flowLen := str(workflow)
		p, n := payload(raw)
		return C.sw_child_submit(c, namePtr, nameLen, flowPtr, flowLen, p, n, &options, &room[0],
			C.size_t(len(room)), err)
	})
	return room.text(), code == C.SW_REPLAYED, a.collided("child", name, e)
}

// ChildSubmitMany submits up to 10,000 children in one commit, all or none; those of one name are its
// occurrences, in the order of the list.
func (a *Attempt) ChildSubmitMany(items []Item) ([]Submitted, error) {
	var names []string
	for _, item := range items {
		names = append(names, item.Name)
	}
	all, err := submitted(items, func(p *C.char, n C.size_t, out **C.sw_text) error {
		_, err := a.call("sw_child_submit_many", func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
			return C.sw_child_submit_many(c, p, n, out, err)
		})
		return err
	})
	return all, a.collided("child", strings.Join(names, ", "), err)
}

// ChildAwait returns a child's result, JSON byte for byte; see As. It failed or was cancelled: *Failed.
// It has not ended: ErrSuspend, or ErrTimeout when that much has passed since the first ask.
func (a *Attempt) ChildAwait(runID string, timeout time.Duration) (json.RawMessage, error) {
	return a.wait("sw_child_await", runID, func(c *C.sw_attempt, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_child_await(c, p, n, timeoutMS(timeout), out, err)
	})
}
