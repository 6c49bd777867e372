package smolwf

/*
#include <smolwf.h>
*/
import "C"

// Cancel cancels a run and everything below it.
func (s *Store) Cancel(runID string, reason any) error {
	raw, e := encode(reason)
	if e != nil {
		return e
	}
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		runPtr, runLen := str(runID)
		p, n := payload(raw)
		return C.sw_run_cancel(c, runPtr, runLen, p, n, err)
	})
}

// Pause sets a run aside.
func (s *Store) Pause(runID string) error {
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_run_pause(c, p, n, err)
	})
}

// Resume puts a paused run back.
func (s *Store) Resume(runID string) error {
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_run_resume(c, p, n, err)
	})
}

// Retry opens a failed or cancelled run again; results are kept.
func (s *Store) Retry(runID string) error {
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_run_retry(c, p, n, err)
	})
}

// Fork makes a new run that replays what another recorded before a step: its id, its name, or "" for
// the start.
func (s *Store) Fork(runID, fromStep string) (string, error) {
	var room idRoom
	err := s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		stepPtr, stepLen := optional(fromStep)
		return C.sw_run_fork(c, p, n, stepPtr, stepLen, &room[0], C.size_t(len(room)), err)
	})
	return room.text(), err
}

// QueueSettings are the limits of a queue; what is absent is lifted.
type QueueSettings struct {
	Concurrency       *int `json:"concurrency,omitempty"`
	ConcurrencyPerKey *int `json:"concurrency_per_key,omitempty"`
	Paused            bool `json:"paused,omitempty"`
}

// SetQueue sets the limits of a queue.
func (s *Store) SetQueue(queue string, settings QueueSettings) error {
	raw, e := encode(settings)
	if e != nil {
		return e
	}
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		queuePtr, queueLen := str(queue)
		p, n := payload(raw)
		return C.sw_queue_set(c, queuePtr, queueLen, p, n, err)
	})
}
