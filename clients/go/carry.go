package smolwf

/*
#include <smolwf.h>
*/
import "C"

import "encoding/json"

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
