package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"encoding/json"
	"time"
)

// Forever is a time-out without limit.
const Forever time.Duration = -1

func timeoutMS(d time.Duration) C.int64_t {
	if d == Forever {
		return C.SW_FOREVER
	}
	return C.int64_t(d.Milliseconds())
}

// waited reads the answer of a wait.
func waited(code C.int32_t, out **C.sw_text, err **C.sw_error) (json.RawMessage, error) {
	var text json.RawMessage
	if out != nil {
		text = take(*out)
	}
	switch {
	case code < 0:
		return nil, check(code, err)
	case code == C.SW_SUSPEND:
		return nil, ErrSuspend
	case code == C.SW_TIMEOUT:
		return nil, ErrTimeout
	case code == C.SW_FAILED:
		return nil, &Failed{text}
	}
	return text, nil
}

// Sleep answers ErrSuspend until the time has passed since the first ask.
func (a *Attempt) Sleep(name string, d time.Duration) error {
	var err *C.sw_error
	p, n := str(name)
	_, e := waited(C.sw_sleep(a.c, p, n, C.int64_t(d.Milliseconds()), &err), nil, &err)
	return e
}

// Suspend parks the run on everything that answered ErrSuspend.
func (a *Attempt) Suspend() error {
	var err *C.sw_error
	return check(C.sw_attempt_suspend(a.c, &err), &err)
}

// Signal sends a message to a run. With an idempotency key it is delivered once; existed says that
// it had been.
func (s *Store) Signal(runID, name string, message any, idempotencyKey string) (existed bool, _ error) {
	raw, e := encode(message)
	if e != nil {
		return false, e
	}
	var err *C.sw_error
	runPtr, runLen := str(runID)
	namePtr, nameLen := str(name)
	p, n := payload(raw)
	keyPtr, keyLen := optional(idempotencyKey)
	code := C.sw_signal_send(s.c, runPtr, runLen, namePtr, nameLen, p, n, keyPtr, keyLen, &err)
	return code == C.SW_EXISTS, check(code, &err)
}

// SignalAwait takes the next message under a name: ErrSuspend, or ErrTimeout.
func (a *Attempt) SignalAwait(name string, timeout time.Duration) (json.RawMessage, error) {
	var out *C.sw_text
	var err *C.sw_error
	p, n := str(name)
	code := C.sw_signal_await(a.c, p, n, timeoutMS(timeout), &out, &err)
	return waited(code, &out, &err)
}

// ChildSubmit submits a child, once per name and occurrence.
func (a *Attempt) ChildSubmit(name, workflow string, args any, o *SubmitOptions) (runID string, replayed bool, _ error) {
	var texts arena
	defer func() { texts.free() }()
	raw, e := encode(args)
	if e != nil {
		return "", false, e
	}
	options, e := o.c(&texts)
	if e != nil {
		return "", false, e
	}
	var room idRoom
	var err *C.sw_error
	namePtr, nameLen := str(name)
	flowPtr, flowLen := str(workflow)
	p, n := payload(raw)
	code := C.sw_child_submit(a.c, namePtr, nameLen, flowPtr, flowLen, p, n, &options, &room[0],
		C.size_t(len(room)), &err)
	return room.String(), code == C.SW_REPLAYED, check(code, &err)
}

// ChildSubmitMany submits children in one commit.
func (a *Attempt) ChildSubmitMany(items []Item) ([]Submitted, error) {
	return submitted(items, func(p *C.char, n C.size_t, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_child_submit_many(a.c, p, n, out, err)
	})
}

// ChildAwait returns a child's result: *Failed when it failed, ErrSuspend, or ErrTimeout.
func (a *Attempt) ChildAwait(runID string, timeout time.Duration) (json.RawMessage, error) {
	var out *C.sw_text
	var err *C.sw_error
	p, n := str(runID)
	code := C.sw_child_await(a.c, p, n, timeoutMS(timeout), &out, &err)
	return waited(code, &out, &err)
}

// Member is one of the things that AwaitAny and AwaitAll wait for; one field is set.
type Member struct {
	Signal  string `json:"signal,omitempty"`
	Child   string `json:"child,omitempty"`
	SleepMS *int64 `json:"sleep_ms,omitempty"`
}

// Came is a member that came true.
type Came struct {
	Index   int             `json:"index"`
	Outcome string          `json:"outcome"`
	Value   json.RawMessage `json:"value"`
}

// AwaitAny returns the first member that came true.
func (a *Attempt) AwaitAny(name string, members []Member, timeout time.Duration) (*Came, error) {
	raw, e := json.Marshal(members)
	if e != nil {
		return nil, e
	}
	var out *C.sw_text
	var err *C.sw_error
	namePtr, nameLen := str(name)
	p, n := payload(raw)
	code := C.sw_await_any(a.c, namePtr, nameLen, p, n, timeoutMS(timeout), &out, &err)
	text, e := waited(code, &out, &err)
	if e != nil {
		return nil, e
	}
	came := new(Came)
	return came, json.Unmarshal(text, came)
}

// AwaitAll returns all members once the last came true.
func (a *Attempt) AwaitAll(name string, members []Member, timeout time.Duration) ([]Came, error) {
	raw, e := json.Marshal(members)
	if e != nil {
		return nil, e
	}
	var out *C.sw_text
	var err *C.sw_error
	namePtr, nameLen := str(name)
	p, n := payload(raw)
	code := C.sw_await_all(a.c, namePtr, nameLen, p, n, timeoutMS(timeout), &out, &err)
	text, e := waited(code, &out, &err)
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
