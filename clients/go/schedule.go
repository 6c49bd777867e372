package smolwf

/*
#include <smolwf.h>
*/
import "C"

// Schedule says what is submitted when: by Cron or by EveryMS.
type Schedule struct {
	// Workflow of the runs that it submits, with Args, to the Queue: "default".
	Workflow string `json:"workflow"`
	Args     any    `json:"args,omitempty"`
	Queue    string `json:"queue,omitempty"`
	// Cron is five fields, or six with the seconds first, by the clock of Timezone, a name in the IANA
	// database: UTC. Either it or EveryMS, milliseconds, must be there.
	Cron     string `json:"cron,omitempty"`
	EveryMS  int64  `json:"every_ms,omitempty"`
	Timezone string `json:"timezone,omitempty"`
	// Overlap is what a firing does while the last run is open: "skip", or "queue".
	Overlap string `json:"overlap,omitempty"`
	// CatchUp says which of the firings that passed unseen are made up for: the "last", "none" or "all".
	CatchUp string `json:"catch_up,omitempty"`
	// Paused lets it fire no more.
	Paused bool `json:"paused,omitempty"`
}

// SetSchedule makes a schedule or changes it.
func (s *Store) SetSchedule(name string, spec Schedule) error {
	raw, e := encode(spec)
	if e != nil {
		return e
	}
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		namePtr, nameLen := str(name)
		p, n := payload(raw)
		return C.sw_schedule_set(c, namePtr, nameLen, p, n, err)
	})
}

// DeleteSchedule ends a schedule.
func (s *Store) DeleteSchedule(name string) error {
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := str(name)
		return C.sw_schedule_delete(c, p, n, err)
	})
}

// Schedules returns all schedules, by name.
func (s *Store) Schedules() ([]ScheduleRecord, error) {
	return document[[]ScheduleRecord](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_schedule_list(c, out, err)
	}))
}
