package smolwf

/*
#include <smolwf.h>
*/
import "C"

import "sync"

// handle lends a pointer of the library to calls, and takes it back when they have returned: no free
// races a call, whatever goroutine makes it.
type handle[P comparable] struct {
	mu sync.RWMutex
	c  P
	// gone is what calls answer once it was taken back.
	gone *Error
}

// call makes one call; a code below 0 is an error.
func (h *handle[P]) call(f func(c P, err **C.sw_error) C.int32_t) (C.int32_t, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var none P
	if h.c == none {
		return C.int32_t(h.gone.Code), h.gone
	}
	var err *C.sw_error
	code := f(h.c, &err)
	return code, check(code, &err)
}

// do is call for those who do not ask for the code.
func (h *handle[P]) do(f func(c P, err **C.sw_error) C.int32_t) error {
	_, err := h.call(f)
	return err
}

// look lends the pointer to something that cannot fail; it is not called once it was taken back.
func (h *handle[P]) look(f func(c P)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var none P
	if h.c != none {
		f(h.c)
	}
}

// take takes the pointer back, once no call has it; again is nothing.
func (h *handle[P]) take() (c P) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var none P
	c, h.c = h.c, none
	return c
}
