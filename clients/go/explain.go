package smolwf

/*
#include <smolwf.h>
*/
import "C"

import "encoding/json"

// Explanation says why a run is where it is.
type Explanation struct {
	RunID string `json:"run_id"`
	State string `json:"state"`
	// Reasons, at least one, the most telling first.
	Reasons []Reason `json:"reasons"`
}

// Reason is one of an Explanation.
type Reason struct {
	// Code is "running", "owner_silent", "owner_dead", "cancel_unheard", "queue_paused", "queue_full",
	// "key_full", "not_due", "backing_off", "waits_signal", "waits_child", "waits_sleep", "waits_budget",
	// "version_unclaimed", "queue_unclaimed", "local_owner", "paused", "behind_others" or "ended".
	Code string `json:"code"`
	// Text is the same as a sentence.
	Text string `json:"text"`
	// SinceMS is when it began, Unix milliseconds; nil when that is not known.
	SinceMS *int64 `json:"since_ms"`
	// Evidence is what it was concluded from, an object of JSON.
	Evidence json.RawMessage `json:"evidence"`
	// Hint says what to do; "" when there is nothing.
	Hint string `json:"hint"`
}

// Explain says why a run does not go on, or what it does; ErrNotFound when there is none.
func (s *Store) Explain(runID string) (*Explanation, error) {
	return document[*Explanation](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_run_explain(c, p, n, out, err)
	}))
}
