package smolwf

/*
#include <smolwf.h>
*/
import "C"

import "encoding/json"

// Tell appends an event to the store's log. With a key it is told once per run; existed says that it
// had been.
func (a *Attempt) Tell(eventType string, what any, key string) (existed bool, _ error) {
	raw, e := encode(what)
	if e != nil {
		return false, e
	}
	code, err := a.call("sw_event_append", func(c *C.sw_attempt, err **C.sw_error) C.int32_t {
		typePtr, typeLen := str(eventType)
		p, n := payload(raw)
		keyPtr, keyLen := optional(key)
		return C.sw_event_append(c, typePtr, typeLen, p, n, keyPtr, keyLen, err)
	})
	return code == C.SW_EXISTS, err
}

// Event is a line of the log.
type Event struct {
	Seq     int64           `json:"seq"`
	RunID   string          `json:"run_id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
	AtMS    int64           `json:"at_ms"`
}

// Events returns what was told after a number, of one run or, with "", of all; limit 0 is 1000.
func (s *Store) Events(after int64, runID string, limit int) ([]Event, error) {
	raw, err := s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := optional(runID)
		return C.sw_event_read(c, C.int64_t(after), p, n, C.uint32_t(limit), out, err)
	})
	if err != nil {
		return nil, err
	}
	var page struct {
		Items []Event `json:"items"`
	}
	err = json.Unmarshal(raw, &page)
	return page.Items, err
}
