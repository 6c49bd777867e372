package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"encoding/json"
	"time"
)

// Signal sends a message to a run, any value that encoding/json writes. With an idempotency key it is
// delivered once; existed says that it had been. ErrConflict says that the run has ended.
func (s *Store) Signal(runID, name string, message any, idempotencyKey string) (existed bool, _ error) {
	raw, e := encode(message)
	if e != nil {
		return false, e
	}
	code, e := s.handle.call(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		runPtr, runLen := str(runID)
		namePtr, nameLen := str(name)
		p, n := payload(raw)
		keyPtr, keyLen := optional(idempotencyKey)
		return C.sw_signal_send(c, runPtr, runLen, namePtr, nameLen, p, n, keyPtr, keyLen, err)
	})
	return code == C.SW_EXISTS, e
}

// SignalAwait takes the next message under a name, JSON byte for byte as it was sent; see As. There is
// none yet: ErrSuspend. None came in time since the first ask that has a limit, 0 is over at once:
// ErrTimeout, which is recorded.
func (a *Attempt) SignalAwait(name string, timeout time.Duration) (json.RawMessage, error) {
	return a.wait("sw_signal_await", name, func(c *C.sw_attempt, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(name)
		return C.sw_signal_await(c, p, n, timeoutMS(timeout), out, err)
	})
}
