package smolwf

/*
#include <smolwf.h>
*/
import "C"

import "encoding/json"

// Schedule says what is submitted when: by Cron or by EveryMS.
type Schedule struct {
	Workflow string `json:"workflow"`
	Args     any    `json:"args,omitempty"`
	Queue    string `json:"queue,omitempty"`
	Cron     string `json:"cron,omitempty"`
	EveryMS  int64  `json:"every_ms,omitempty"`
	Timezone string `json:"timezone,omitempty"`
	// Overlap is "skip" or "queue", CatchUp "none", "last" or "all".
	Overlap string `json:"overlap,omitempty"`
	CatchUp string `json:"catch_up,omitempty"`
	Paused  bool   `json:"paused,omitempty"`
}

// SetSchedule makes a schedule or changes it.
func (s *Store) SetSchedule(name string, spec Schedule) error {
	raw, e := json.Marshal(spec)
	if e != nil {
		return e
	}
	var err *C.sw_error
	namePtr, nameLen := str(name)
	p, n := payload(raw)
	code := C.sw_schedule_set(s.c, namePtr, nameLen, p, n, &err)
	return check(code, &err)
}

// DeleteSchedule ends a schedule.
func (s *Store) DeleteSchedule(name string) error {
	var err *C.sw_error
	p, n := str(name)
	return check(C.sw_schedule_delete(s.c, p, n, &err), &err)
}

// Schedules returns all schedules, JSON.
func (s *Store) Schedules() (json.RawMessage, error) {
	return s.text(func(out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_schedule_list(s.c, out, err)
	})
}
