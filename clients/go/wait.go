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

// Member is one of the things that AwaitAny and AwaitAll wait for; one field is set.
type Member struct {
	// Signal is the name of a message.
	Signal string `json:"signal,omitempty"`
	// Child is the id of a child's run.
	Child string `json:"child,omitempty"`
	// SleepMS is milliseconds since the first ask; see After.
	SleepMS *int64 `json:"sleep_ms,omitempty"`
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
