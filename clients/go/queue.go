package smolwf

/*
#include <smolwf.h>
*/
import "C"

// QueueSettings are the limits of a queue; what is absent is lifted.
type QueueSettings struct {
	// Concurrency is how many runs attempts may hold at once, in all processes; nil is no limit.
	Concurrency *int `json:"concurrency,omitempty"`
	// ConcurrencyPerKey is the same among runs that share a ConcurrencyKey.
	ConcurrencyPerKey *int `json:"concurrency_per_key,omitempty"`
	// Paused lets nothing be claimed.
	Paused bool `json:"paused,omitempty"`
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
