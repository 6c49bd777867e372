package smolwf

/*
#include <smolwf.h>
*/
import "C"

// Explain says why a run does not go on, or what it does; ErrNotFound when there is none.
func (s *Store) Explain(runID string) (*Explanation, error) {
	return document[*Explanation](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_run_explain(c, p, n, out, err)
	}))
}
