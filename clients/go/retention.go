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

// SetRetention sets which ended runs go by themselves, for every process, until it is set again: it is
// replaced whole, and the zero value ends it. A run goes once it has stayed for its time and is not among
// the newest of its workflow; without a time for how it ended it stays for ever, unless KeepNewest alone
// is given: then all but the newest go.
//
// What is due is removed by claims and waits, part by part; a store that nobody claims from or waits in
// keeps all.
func (s *Store) SetRetention(policy Retention) error {
	raw, e := encode(policy)
	if e != nil {
		return e
	}
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := payload(raw)
		return C.sw_retention_set(c, p, n, err)
	})
}

// Retention returns the policy that holds, with the members that were given; the zero value where there
// is none.
func (s *Store) Retention() (*Retention, error) {
	return document[*Retention](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_retention_get(c, out, err)
	}))
}

// Compact gives pages of the file that hold nothing back to the file system, up to pagesMax of them; 0 is
// 1024, at most 1000000. They would be used again: this is for a file out of which very much has gone.
// Others write in between.
func (s *Store) Compact(pagesMax int) (*Compacted, error) {
	return document[*Compacted](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_store_compact(c, upTo(pagesMax), out, err)
	}))
}
