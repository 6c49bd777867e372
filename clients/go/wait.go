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

// Forever is a time-out without limit.
const Forever time.Duration = -1

func timeoutMS(d time.Duration) C.int64_t {
	if d == Forever {
		return C.SW_FOREVER
	}
	return C.int64_t(milliseconds(d))
}

// wait makes a call that asks whether something is there.
func (a *Attempt) wait(call, name string, f func(*C.sw_attempt, **C.sw_text, **C.sw_error) C.int32_t) (json.RawMessage, error) {
	var out *C.sw_text
	code, err := a.call(call, func(c *C.sw_attempt, err **C.sw_error) C.int32_t { return f(c, &out, err) })
	text := take(out)
	if err != nil {
		return nil, err
	}
	a.carried.waits(call, name, code == C.SW_SUSPEND)
	switch code {
	case C.SW_SUSPEND:
		return nil, ErrSuspend
	case C.SW_TIMEOUT:
		return nil, ErrTimeout
	case C.SW_FAILED:
		return nil, &Failed{Of: name, Payload: text}
	}
	return text, nil
}

// Sleep answers ErrSuspend until d has passed since the first ask, whatever d is then; at most a hundred
// years.
func (a *Attempt) Sleep(name string, d time.Duration) error {
	_, err := a.wait("sw_sleep", name, func(c *C.sw_attempt, _ **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(name)
		return C.sw_sleep(c, p, n, C.int64_t(milliseconds(d)), err)
	})
	return err
}

// Signal sends a message to a run, any value that encoding/json writes. With an idempotency key it is
// delivered once; existed says that it had been. ErrConflict says that the run has ended.
func (s *Store) Signal(runID, name string, message any, idempotencyKey string) (existed bool, _ error) {
	raw, e := encode(message)
	if e != nil {
		return false, e
	}
	code, e := s.handle.call(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		runPtr, runLen := str(runID)
		namePtr, nameLen := str(name)
		p, n := payload(raw)
		keyPtr, keyLen := optional(idempotencyKey)
		return C.sw_signal_send(c, runPtr, runLen, namePtr, nameLen, p, n, keyPtr, keyLen, err)
	})
	return code == C.SW_EXISTS, e
}

// SignalAwait takes the next message under a name, JSON byte for byte as it was sent; see As. There is
// none yet: ErrSuspend. None came in time since the first ask, 0 asks once: ErrTimeout.
func (a *Attempt) SignalAwait(name string, timeout time.Duration) (json.RawMessage, error) {
	return a.wait("sw_signal_await", name, func(c *C.sw_attempt, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(name)
		return C.sw_signal_await(c, p, n, timeoutMS(timeout), out, err)
	})
}

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

// Member is one of the things that AwaitAny and AwaitAll wait for; one field is set.
type Member struct {
	// Signal is the name of a message.
	Signal string `json:"signal,omitempty"`
	// Child is the id of a child's run.
	Child string `json:"child,omitempty"`
	// SleepMS is milliseconds since the first ask; see After.
	SleepMS *int64 `json:"sleep_ms,omitempty"`
}

// Came is a member that came true.
type Came struct {
	// Index is which member, from 0.
	Index int `json:"index"`
	// Outcome is "completed", or "failed" for a child that failed or was cancelled.
	Outcome string `json:"outcome"`
	// Value is the message, the child's result or error, or null for a sleep; JSON.
	Value json.RawMessage `json:"value"`
}

// AwaitAny returns the member that came true first, of up to 10,000: ErrSuspend while there is none,
// ErrTimeout when that much has passed since the first ask.
func (a *Attempt) AwaitAny(name string, members []Member, timeout time.Duration) (*Came, error) {
	raw, e := encode(members)
	if e != nil {
		return nil, e
	}
	text, e := a.wait("sw_await_any", name, func(c *C.sw_attempt, out **C.sw_text, err **C.sw_error) C.int32_t {
		namePtr, nameLen := str(name)
		p, n := payload(raw)
		return C.sw_await_any(c, namePtr, nameLen, p, n, timeoutMS(timeout), out, err)
	})
	if e != nil {
		return nil, e
	}
	came := new(Came)
	return came, json.Unmarshal(text, came)
}

// AwaitAll returns all members, in their order, once the last came true: ErrSuspend until then, ErrTimeout
// when that much has passed since the first ask. It wakes the run once.
func (a *Attempt) AwaitAll(name string, members []Member, timeout time.Duration) ([]Came, error) {
	raw, e := encode(members)
	if e != nil {
		return nil, e
	}
	text, e := a.wait("sw_await_all", name, func(c *C.sw_attempt, out **C.sw_text, err **C.sw_error) C.int32_t {
		namePtr, nameLen := str(name)
		p, n := payload(raw)
		return C.sw_await_all(c, namePtr, nameLen, p, n, timeoutMS(timeout), out, err)
	})
	if e != nil {
		return nil, e
	}
	var came []Came
	e = json.Unmarshal(text, &came)
	return came, e
}

// After is a Member that comes true a while after the first ask.
func After(d time.Duration) Member {
	ms := d.Milliseconds()
	return Member{SleepMS: &ms}
}
