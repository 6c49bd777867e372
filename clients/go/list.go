package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"encoding/json"
	"iter"
)

// RunFilter says which runs are meant: those that all of its fields let through. The zero value of each
// field leaves nothing out.
type RunFilter struct {
	// States: any of "pending", "running", "waiting", "paused", "completed", "failed" and "cancelled". An
	// empty list that is not nil is refused.
	States []string `json:"state"`
	// Workflow and Queue are names.
	Workflow string `json:"workflow,omitempty"`
	Queue    string `json:"queue,omitempty"`
	// CodeVersion is that of the run.
	CodeVersion string `json:"code_version,omitempty"`
	// Worker is the name of the one that runs it, or ran its newest attempt.
	Worker string `json:"worker,omitempty"`
	// ParentRunID: its direct children. RootRunID: the whole tree, with its root. ErrNotFound when there is
	// no such run.
	ParentRunID string `json:"parent_run_id,omitempty"`
	RootRunID   string `json:"root_run_id,omitempty"`
	// RootsOnly leaves out children.
	RootsOnly bool `json:"roots_only,omitempty"`
	// CreatedFromMS and later, and before CreatedToMS: Unix milliseconds.
	CreatedFromMS int64 `json:"created_from_ms,omitempty"`
	CreatedToMS   int64 `json:"created_to_ms,omitempty"`
	// FinishedFromMS and FinishedToMS likewise; each leaves out the runs that have not ended.
	FinishedFromMS int64 `json:"finished_from_ms,omitempty"`
	FinishedToMS   int64 `json:"finished_to_ms,omitempty"`
	// Metadata are up to 16 members that the run's has, each equal: text, number, boolean or nil.
	Metadata map[string]any `json:"metadata"`
	// IdempotencyKey of its submit. The scope is the name of Workflow, if there is one, else
	// AllWorkflows; unless IdempotencyScope names another. A scope alone means all runs of it.
	IdempotencyKey   string `json:"idempotency_key,omitempty"`
	IdempotencyScope string `json:"-"`
	// ErrorContains is a part of the JSON of the error, or of the last error of an open run.
	ErrorContains string `json:"error_contains,omitempty"`
	// CancelAsked, unless nil, is as in the run's document.
	CancelAsked *bool `json:"cancel_asked,omitempty"`
	// Order of submission: "newest" first, the default, or "oldest".
	Order string `json:"order,omitempty"`
	// Include names what the runs of a list show besides: "args", "result", "error", which is the last
	// error too, "metadata" and "waiting_for".
	Include []string `json:"include"`
	// DryRun lets ActMany and Prune say what they would do, and do nothing. Other calls ignore it.
	DryRun bool `json:"dry_run,omitempty"`
}

// encode writes the filter as the library reads it.
func (f RunFilter) encode() (json.RawMessage, error) {
	wire := struct {
		RunFilter
		Scope *string `json:"idempotency_scope,omitempty"`
	}{RunFilter: f}
	if f.IdempotencyScope != "" || f.IdempotencyKey != "" {
		of := scope(f.IdempotencyScope, f.IdempotencyKey, f.Workflow)
		wire.Scope = &of
	}
	return encode(wire)
}

// RunPage is a page of a list.
type RunPage struct {
	// Items are runs without args, result, error, last error, metadata and what they wait for, which are
	// nil unless the filter's Include names them. There may be none though others follow: a page ends
	// also when its call has looked at many runs.
	Items []*Run
	// Next is the cursor of the page after this one; "" after the last.
	Next string
	// LookedAt is how many runs were looked at for it.
	LookedAt int
}

// List returns a page of the runs that a filter lets through; cursor "" is the first page, limit 0 is 100,
// at most 1000. A cursor goes with its filter, with another one it is ErrInvalid. Runs that are submitted
// between two pages are in neither when the newest come first.
func (s *Store) List(filter RunFilter, cursor string, limit int) (*RunPage, error) {
	raw, err := filter.encode()
	if err != nil {
		return nil, err
	}
	return s.list(raw, cursor, limit)
}

func (s *Store) list(filter json.RawMessage, cursor string, limit int) (*RunPage, error) {
	wire, err := document[struct {
		Items    []json.RawMessage `json:"items"`
		Next     string            `json:"next"`
		LookedAt int               `json:"looked_at"`
	}](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := payload(filter)
		cursorPtr, cursorLen := optional(cursor)
		return C.sw_run_list(c, p, n, cursorPtr, cursorLen, upTo(limit), out, err)
	}))
	if err != nil {
		return nil, err
	}
	page := &RunPage{Items: make([]*Run, len(wire.Items)), Next: wire.Next, LookedAt: wire.LookedAt}
	for i, item := range wire.Items {
		if page.Items[i], err = runOf(item); err != nil {
			return nil, err
		}
	}
	return page, nil
}

// Runs returns all runs that a filter lets through, read page by page while they are ranged over. An error
// is the last that it yields, without a run.
func (s *Store) Runs(filter RunFilter) iter.Seq2[*Run, error] {
	return func(yield func(*Run, error) bool) {
		raw, err := filter.encode()
		for cursor, isLast := "", false; err == nil && !isLast; {
			var page *RunPage
			if page, err = s.list(raw, cursor, 0); err != nil {
				break
			}
			for _, run := range page.Items {
				if !yield(run, nil) {
					return
				}
			}
			cursor, isLast = page.Next, page.Next == ""
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// Count counts the runs that a filter lets through, and stops at atMost; 0 is 10,000. An answer of that much
// means so many or more.
func (s *Store) Count(filter RunFilter, atMost int) (int, error) {
	raw, e := filter.encode()
	if e != nil {
		return 0, e
	}
	var count C.uint64_t
	e = s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := payload(raw)
		return C.sw_run_count(c, p, n, C.uint64_t(atMost), &count, err)
	})
	return int(count), e
}

// Annotate changes the metadata of a run, also of one that has ended: members of the patch are set, objects
// among them member by member, and those that are nil are removed (RFC 7396). ErrTooBig when there would
// be more than 64 KiB.
func (s *Store) Annotate(runID string, patch map[string]any) error {
	raw, e := encode(patch)
	if e != nil {
		return e
	}
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		runPtr, runLen := str(runID)
		p, n := payload(raw)
		return C.sw_run_annotate(c, runPtr, runLen, p, n, err)
	})
}

// Action is what ActMany does to each run.
type Action string

// Each is as the method of that name does it to one run.
const (
	ActCancel Action = "cancel"
	ActPause  Action = "pause"
	ActResume Action = "resume"
	ActRetry  Action = "retry"
)

// ActMany acts on up to limit of the runs that a filter lets through, in one commit, all or none; 0 is 100,
// at most 1000. Without States it takes those that the action is for, so that calls repeated while there is
// More come to an end; with States, those that it refuses match again: stop when none was Done.
func (s *Store) ActMany(action Action, filter RunFilter, limit int) (*Acted, error) {
	raw, e := filter.encode()
	if e != nil {
		return nil, e
	}
	return document[*Acted](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		actionPtr, actionLen := str(string(action))
		p, n := payload(raw)
		return C.sw_run_act_many(c, actionPtr, actionLen, p, n, upTo(limit), out, err)
	}))
}
