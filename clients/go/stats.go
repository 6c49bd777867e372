package smolwf

/*
#include <smolwf.h>
*/
import "C"

// Stats returns how the store stands: counts, queues, limits that are reached, who claims from it, its
// file. It costs the same in a store of any size.
func (s *Store) Stats() (*Stats, error) {
	raw, err := s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_store_stats(c, out, err)
	})
	stats, err := document[*Stats](raw, err)
	if err != nil {
		return nil, err
	}
	stats.Raw = raw
	return stats, nil
}

// Queues returns the queues that have runs or were set, by name.
func (s *Store) Queues() ([]Queue, error) {
	return document[[]Queue](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_queue_list(c, out, err)
	}))
}

// Owners returns who claims from the store, the oldest first.
func (s *Store) Owners() ([]Owner, error) {
	return document[[]Owner](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_owner_list(c, out, err)
	}))
}
