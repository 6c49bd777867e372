package smolwf

/*
#include <smolwf.h>
*/
import "C"

// Prune removes runs that have ended, with all that is stored of them, up to limit of them; 0 is 1000, at
// most 100000. The filter is asked of topmost runs: trees go whole, and only when all in them has ended.
// With DryRun it says what it would remove.
func (s *Store) Prune(filter RunFilter, limit int) (*Pruned, error) {
	raw, e := filter.encode()
	if e != nil {
		return nil, e
	}
	return document[*Pruned](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := payload(raw)
		return C.sw_store_prune(c, p, n, upTo(limit), out, err)
	}))
}
