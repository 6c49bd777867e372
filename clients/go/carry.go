package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"encoding/json"
	"time"
)

// ExportOptions of Export; the zero value exports all.
type ExportOptions struct {
	// Redact has lengths and hashes stand in the place of payloads and keys: for reports of bugs.
	Redact bool `json:"redact,omitempty"`
}

// ImportOptions of Import; the zero value keeps the ids of the runs.
type ImportOptions struct {
	// IDs is "keep", or "new" for a second copy.
	IDs string `json:"ids,omitempty"`
}

// Export returns a topmost run with all runs below it as JSON, as they stand: Import of another store has
// them go on there. Nothing is changed here. Keep the text as it is.
func (s *Store) Export(runID string, o ExportOptions) (json.RawMessage, error) {
	options, e := encode(o)
	if e != nil {
		return nil, e
	}
	return s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		idPtr, idLen := str(runID)
		p, n := payload(options)
		return C.sw_run_export(c, idPtr, idLen, p, n, out, err)
	})
}

// Import brings the runs of Export into this store, all or none; they go on where they stood. What the
// document says of work that was done is believed: import what you trust.
func (s *Store) Import(exported json.RawMessage, o ImportOptions) (*Imported, error) {
	options, e := encode(o)
	if e != nil {
		return nil, e
	}
	return document[*Imported](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		docPtr, docLen := payload(exported)
		p, n := payload(options)
		return C.sw_run_import(c, docPtr, docLen, p, n, out, err)
	}))
}

// GraduateOptions of Graduate; the zero value goes on to the end.
type GraduateOptions struct {
	// Abort takes a move back that is not decided.
	Abort bool
	// For has the call return after about so long, with a report whose state is not yet moved.
	For time.Duration
}

// Graduate moves this store into another one, which is initialised and empty, with runs in flight: from a
// file to a server, back, or between two of a kind. One commit decides. Before it this store is in force, and
// writes are told ErrBusy while it is copied; after it every call here is ErrMoved, and the runs go on there
// where they stood. A call that is cut off is made again, and goes on. With Abort, to may be nil.
func (s *Store) Graduate(to *Store, o GraduateOptions) (*Graduated, error) {
	options, e := encode(struct {
		Abort bool  `json:"abort,omitempty"`
		ForMS int64 `json:"for_ms,omitempty"`
	}{o.Abort, milliseconds(o.For)})
	if e != nil {
		return nil, e
	}
	if to == nil {
		return s.graduate(nil, options)
	}
	var report *Graduated
	_, err := to.handle.call(func(c *C.sw_store, _ **C.sw_error) C.int32_t {
		report, e = s.graduate(c, options)
		return C.SW_OK
	})
	if err != nil {
		return nil, err
	}
	return report, e
}

func (s *Store) graduate(to *C.sw_store, options json.RawMessage) (*Graduated, error) {
	return document[*Graduated](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := payload(options)
		return C.sw_store_graduate(c, to, p, n, out, err)
	}))
}
