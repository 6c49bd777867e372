package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"iter"
)

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

// Events returns what was told after a number, of one run or, with "", of all; limit 0 is 1000.
func (s *Store) Events(after int64, runID string, limit int) ([]Event, error) {
	page, err := document[*EventPage](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := optional(runID)
		return C.sw_event_read(c, C.int64_t(after), p, n, upTo(limit), out, err)
	}))
	if err != nil {
		return nil, err
	}
	return page.Items, nil
}

// EventFilter says which events are meant; the zero value of each field leaves nothing out.
type EventFilter struct {
	// Types are up to 64 types: any of them. An empty list that is not nil is refused.
	Types []string `json:"type"`
	// RunID of the run that told it; ErrNotFound when there is none.
	RunID string `json:"run_id,omitempty"`
}

// EventWait waits until there are events after a number that a filter lets through, and returns up to
// limit of them; 0 is 1000, at most 10,000. It ends with its context.
func (s *Store) EventWait(ctx context.Context, after int64, filter EventFilter, limit int) (*EventPage, error) {
	raw, err := encode(filter)
	if err != nil {
		return nil, err
	}
	var found *EventPage
	err = s.until(ctx, func() (bool, error) {
		for ctx.Err() == nil {
			page, err := s.eventsAfter(after, raw, limit)
			if page == nil || err != nil {
				return false, err
			}
			if len(page.Items) > 0 {
				found = page
				return true, nil
			}
			after = page.NextSeq // it passed over many that are not meant
		}
		return false, nil
	})
	return found, err
}

// eventsAfter looks once; nil is that there are none.
func (s *Store) eventsAfter(after int64, filter json.RawMessage, limit int) (*EventPage, error) {
	raw, err := s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := payload(filter)
		return C.sw_event_wait(c, C.int64_t(after), p, n, upTo(limit), 0, nil, out, err)
	})
	if raw == nil {
		return nil, err
	}
	return document[*EventPage](raw, err)
}

// Tail follows the log: it yields the events after a number that a filter lets through, in their order, and
// sleeps until there are more. It ends when its context does. An error is the last that it yields; go on
// with the number of the event before.
func (s *Store) Tail(ctx context.Context, after int64, filter EventFilter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for last := after; ctx.Err() == nil; {
			page, err := s.EventWait(ctx, last, filter, 0)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, event := range page.Items {
				if ctx.Err() != nil || !yield(event, nil) {
					return
				}
			}
			last = page.NextSeq
		}
	}
}
