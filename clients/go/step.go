package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"encoding/json"
	"fmt"
	"time"
	"unsafe"
)

// StepOptions of Begin and Do; the zero value of each field is its default.
type StepOptions struct {
	// Kind is a label that the history shows, such as "model": "step".
	Kind string
	// Input is any value that encoding/json writes. It is hashed, and another one than was recorded
	// is ErrNondeterminism; nil is not compared.
	Input any
	// Occurrence names one of several steps of a name, from 1; 0 is the next of the name. Steps that
	// run side by side need distinct names, or occurrences.
	Occurrence int
	// Durability of its record: the store's.
	Durability Durability
	// MaxTries is the number of tries: 3.
	MaxTries int
	// BackoffInitial is the wait before the second try, which doubles: 1 s. BackoffMax is the longest:
	// 1 h.
	BackoffInitial, BackoffMax time.Duration
	// Track records the start too, so that a start without an end counts as a try; with MaxTries 1
	// its work never runs twice.
	Track bool
	// Cleanup is for work that undoes something: it begins on a cancelled run too, and its context
	// does not end with the cancel.
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
	c.max_tries = C.uint32_t(o.MaxTries)
	c.backoff_initial_ms = C.int64_t(milliseconds(o.BackoffInitial))
	c.backoff_max_ms = C.int64_t(milliseconds(o.BackoffMax))
	return c
}

// Step is one memoised call of a run. Its handle is freed by Close; afterwards its calls answer
// ErrLeaseLost.
type Step struct {
	handle handle[*C.sw_step]
	run    *Attempt
	// name, id, occurrence and tries of a step to run are kept, since they outlive the handle.
	name, id          string
	occurrence, tries int
	isCleanup         bool
	// Replayed says that Result holds what was recorded before.
	Replayed bool
}

// Begin begins a step: to be run, or Replayed. It is the level below Do: complete or fail a step that
// is to be run, and Close it. A worker frees what is still open when the workflow returns.
//
// A remembered failure is a *Failed, a step that backs off is ErrSuspend, and a step that is open in
// this attempt already is ErrConflict, which fails the run for good however it is caught.
func (a *Attempt) Begin(name string, o StepOptions) (*Step, error) {
	input, err := encode(o.Input)
	if err != nil {
		return nil, fmt.Errorf("the input of step %q: %w", name, err)
	}
	var step *C.sw_step
	code, err := a.call("sw_step_begin", func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
		var texts arena
		defer func() { texts.free() }()
		options := o.c(&texts)
		namePtr, nameLen := str(name)
		inputPtr, inputLen := payload(input)
		return C.sw_step_begin(c, namePtr, nameLen, inputPtr, inputLen, &options, &step, err)
	})
	if err != nil {
		return nil, a.collided("step", name, err)
	}
	if code == C.SW_SUSPEND {
		a.carried.waits("step", name, true)
		return nil, ErrSuspend
	}
	a.carried.waits("step", name, false)
	return a.begun(step, name, code)
}

func (a *Attempt) begun(c *C.sw_step, name string, code C.int32_t) (*Step, error) {
	s := &Step{run: a, Replayed: code == C.SW_REPLAYED}
	s.handle.c, s.handle.gone = c, errEnded
	switch code {
	case C.SW_FAILED:
		defer s.Close()
		return nil, &Failed{Of: fmt.Sprintf("step %q", name), Payload: s.Error()}
	case C.SW_OK:
		s.name, s.id, s.occurrence, s.tries = s.Name(), s.ID(), s.Occurrence(), s.Tries()
		a.carried.opened(s)
	}
	return s, nil
}

// collided makes one sentence of a refusal to have two things of a name side by side, which fails the
// run for good: which is which would be chance in every attempt.
func (a *Attempt) collided(kind, name string, err error) error {
	if code, ok := codeOf(err); !ok || code != ErrConflict {
		return err
	}
	err = &Error{Code: ErrConflict, Message: fmt.Sprintf("%s %q is open in this attempt already: "+
		"what runs side by side needs distinct names or an occurrence", kind, name)}
	a.carried.doom(err, true)
	return err
}

func (s *Step) view(f func(c *C.sw_step, n *C.size_t) *C.char) json.RawMessage {
	var raw json.RawMessage
	s.handle.look(func(c *C.sw_step) {
		var n C.size_t
		if p := f(c, &n); p != nil {
			raw = C.GoBytes(unsafe.Pointer(p), C.int(n))
		}
	})
	return raw
}

// ID returns the step's id, "step_" and a ULID: the same in every attempt, so it serves as idempotency
// key outwards. "" for a replayed step after Close.
func (s *Step) ID() string {
	if s.id != "" {
		return s.id
	}
	return string(s.view(func(c *C.sw_step, n *C.size_t) *C.char { return C.sw_step_id(c, n) }))
}

// Name returns the step's name; "" for a replayed step after Close.
func (s *Step) Name() string {
	if s.name != "" {
		return s.name
	}
	return string(s.view(func(c *C.sw_step, n *C.size_t) *C.char { return C.sw_step_name(c, n) }))
}

// Result returns the recorded result of a Replayed step, JSON byte for byte; nil when there is none,
// and after Close.
func (s *Step) Result() json.RawMessage {
	return s.view(func(c *C.sw_step, n *C.size_t) *C.char { return C.sw_step_result(c, n) })
}

// Error returns the recorded failure, JSON byte for byte; nil when there is none, and after Close.
func (s *Step) Error() json.RawMessage {
	return s.view(func(c *C.sw_step, n *C.size_t) *C.char { return C.sw_step_error(c, n) })
}

// Occurrence returns which one of its name it is, from 1; 0 for a replayed step after Close.
func (s *Step) Occurrence() int {
	n := s.occurrence
	if n == 0 {
		s.handle.look(func(c *C.sw_step) { n = int(C.sw_step_occurrence(c)) })
	}
	return n
}

// Tries returns how often its work was started, this time included, as far as recorded; 0 for a
// replayed step after Close.
func (s *Step) Tries() int {
	n := s.tries
	if n == 0 {
		s.handle.look(func(c *C.sw_step) { n = int(C.sw_step_tries(c)) })
	}
	return n
}

// RetryAt returns when a step that failed may be tried again; 1970 when it may not, or after Close.
func (s *Step) RetryAt() time.Time {
	var ms int64
	s.handle.look(func(c *C.sw_step) { ms = int64(C.sw_step_retry_at_ms(c)) })
	return time.UnixMilli(ms)
}

// finish makes a call that records the end of the step; in a worker it is made again while the store
// cannot.
func (s *Step) finish(name string, f func(c *C.sw_step, err **C.sw_error) C.int32_t) (C.int32_t, error) {
	var code C.int32_t
	err := s.run.carried.record(name, func() (err error) {
		code, err = s.handle.call(f)
		return err
	})
	return code, err
}

// Complete records the result, any value that encoding/json writes. Finished work is recorded on a
// cancelled run too; ErrLeaseLost says that another attempt has the run.
func (s *Step) Complete(result any) error {
	raw, err := encode(result)
	if err != nil {
		return err
	}
	return s.complete(raw)
}

func (s *Step) complete(raw json.RawMessage) error {
	_, err := s.finish("sw_step_complete", func(c *C.sw_step, err **C.sw_error) C.int32_t {
		p, n := payload(raw)
		return C.sw_step_complete(c, p, n, err)
	})
	return err
}

// Fail records a failure, any value that encoding/json writes, and returns whether the step may be
// tried again, at RetryAt.
func (s *Step) Fail(failure any, o FailOptions) (again bool, _ error) {
	raw, err := encode(failure)
	if err != nil {
		return false, err
	}
	return s.fail(raw, o)
}

func (s *Step) fail(raw json.RawMessage, o FailOptions) (again bool, _ error) {
	code, err := s.finish("sw_step_fail", func(c *C.sw_step, err **C.sw_error) C.int32_t {
		options := o.c()
		p, n := payload(raw)
		return C.sw_step_fail(c, p, n, &options, err)
	})
	if code == C.SW_SUSPEND {
		s.run.carried.waits("step", s.name, true)
	}
	return code == C.SW_SUSPEND, err
}

// Close frees the handle, once no call has it; a step that was not finished may be begun again. Again
// is the same as once.
func (s *Step) Close() error {
	s.run.carried.closed(s)
	C.sw_step_free(s.handle.take())
	return nil
}
