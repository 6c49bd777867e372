package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"time"
	"unsafe"
)

// SubmitOptions of a run; the zero value of each field is its default. The names in JSON are those
// of the lists that SubmitMany and ChildSubmitMany take.
type SubmitOptions struct {
	Queue            string         `json:"queue,omitempty"`
	RunAtMS          int64          `json:"run_at_ms,omitempty"`
	TimeoutMS        int64          `json:"timeout_ms,omitempty"`
	BackoffInitialMS int64          `json:"backoff_initial_ms,omitempty"`
	BackoffMaxMS     int64          `json:"backoff_max_ms,omitempty"`
	Priority         int32          `json:"priority,omitempty"`
	MaxAttempts      uint32         `json:"max_attempts,omitempty"`
	BackoffPercent   uint32         `json:"backoff_percent,omitempty"`
	IdempotencyKey   string         `json:"idempotency_key,omitempty"`
	IdempotencyScope string         `json:"idempotency_scope,omitempty"`
	ConcurrencyKey   string         `json:"concurrency_key,omitempty"`
	CodeVersion      string         `json:"code_version,omitempty"`
	Budget           any            `json:"budget,omitempty"`
	Metadata         map[string]any `json:"metadata,omitempty"`
	// Local lets only this store handle claim it, while it is open.
	Local bool `json:"local,omitempty"`
}

func (o *SubmitOptions) c(texts *arena) (C.sw_submit_options, error) {
	var c C.sw_submit_options
	c.struct_size = C.uint32_t(unsafe.Sizeof(c))
	if o == nil {
		return c, nil
	}
	if o.Local {
		c.flags = C.SW_SUBMIT_LOCAL
	}
	c.run_at_ms, c.timeout_ms = C.int64_t(o.RunAtMS), C.int64_t(o.TimeoutMS)
	c.backoff_initial_ms, c.backoff_max_ms = C.int64_t(o.BackoffInitialMS), C.int64_t(o.BackoffMaxMS)
	c.priority, c.max_attempts = C.int32_t(o.Priority), C.uint32_t(o.MaxAttempts)
	c.backoff_percent = C.uint32_t(o.BackoffPercent)
	c.queue, c.queue_len = texts.text(o.Queue)
	c.idempotency_key, c.idempotency_key_len = texts.text(o.IdempotencyKey)
	c.idempotency_scope, c.idempotency_scope_len = texts.text(o.IdempotencyScope)
	c.concurrency_key, c.concurrency_key_len = texts.text(o.ConcurrencyKey)
	c.code_version, c.code_version_len = texts.text(o.CodeVersion)
	var err error
	if c.budget, c.budget_len, err = texts.json(o.Budget); err != nil {
		return c, err
	}
	if o.Metadata != nil {
		c.metadata, c.metadata_len, err = texts.json(o.Metadata)
	}
	return c, err
}

// Submit submits a run. When the idempotency key was used before, existed is true and the id is that
// of the run it made.
func (s *Store) Submit(workflow string, args any, o *SubmitOptions) (runID string, existed bool, _ error) {
	var texts arena
	defer func() { texts.free() }()
	raw, e := encode(args)
	if e != nil {
		return "", false, e
	}
	options, e := o.c(&texts)
	if e != nil {
		return "", false, e
	}
	var room idRoom
	var err *C.sw_error
	namePtr, nameLen := str(workflow)
	argsPtr, argsLen := payload(raw)
	code := C.sw_run_submit(s.c, namePtr, nameLen, argsPtr, argsLen, &options, &room[0],
		C.size_t(len(room)), &err)
	return room.String(), code == C.SW_EXISTS, check(code, &err)
}

// Item is one run of a list.
type Item struct {
	// Name is a child's; runs submitted from outside have none.
	Name     string `json:"name,omitempty"`
	Workflow string `json:"workflow"`
	Args     any    `json:"args,omitempty"`
	SubmitOptions
}

// Submitted is the answer for one Item.
type Submitted struct {
	RunID  string `json:"run_id"`
	Exists bool   `json:"exists"`
}

// SubmitMany submits runs in one commit, all or none.
func (s *Store) SubmitMany(items []Item) ([]Submitted, error) {
	return submitted(items, func(p *C.char, n C.size_t, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_run_submit_many(s.c, p, n, out, err)
	})
}

func submitted(items []Item, call func(*C.char, C.size_t, **C.sw_text, **C.sw_error) C.int32_t) ([]Submitted, error) {
	raw, e := json.Marshal(items)
	if e != nil {
		return nil, e
	}
	var out *C.sw_text
	var err *C.sw_error
	p, n := payload(raw)
	code := call(p, n, &out, &err)
	answer := take(out)
	if e := check(code, &err); e != nil {
		return nil, e
	}
	var all []Submitted
	e = json.Unmarshal(answer, &all)
	return all, e
}

// Find returns the run that an idempotency key made, or "".
func (s *Store) Find(scope, key string) (string, error) {
	var room idRoom
	var err *C.sw_error
	scopePtr, scopeLen := optional(scope)
	keyPtr, keyLen := str(key)
	code := C.sw_run_find(s.c, scopePtr, scopeLen, keyPtr, keyLen, &room[0], C.size_t(len(room)), &err)
	return room.String(), check(code, &err)
}

// ClaimOptions of a claim; the zero value of each field is its default.
type ClaimOptions struct {
	// Lease is its length; LeaseWhileAlive holds as long as this process lives.
	Lease time.Duration
	// Worker is the name under which attempts are shown.
	Worker string
	// Workflows and CodeVersions: nil is all.
	Workflows, CodeVersions []string
}

func (o *ClaimOptions) c(texts *arena) C.sw_claim_options {
	var c C.sw_claim_options
	c.struct_size = C.uint32_t(unsafe.Sizeof(c))
	if o == nil {
		return c
	}
	c.lease_ms = leaseMS(o.Lease)
	c.worker, c.worker_len = texts.text(o.Worker)
	if o.Workflows != nil {
		c.workflows, c.workflows_len, _ = texts.json(o.Workflows)
	}
	if o.CodeVersions != nil {
		c.code_versions, c.code_versions_len, _ = texts.json(o.CodeVersions)
	}
	return c
}

// TryClaim claims the next run of a queue, "" is "default"; nil when there is none now.
func (s *Store) TryClaim(queue string, o *ClaimOptions) (*Attempt, error) {
	var texts arena
	defer func() { texts.free() }()
	options := o.c(&texts)
	var attempt *C.sw_attempt
	var err *C.sw_error
	p, n := optional(queue)
	code := C.sw_run_claim(s.c, p, n, &options, &attempt, &err)
	if e := check(code, &err); e != nil || attempt == nil {
		return nil, e
	}
	return &Attempt{c: attempt, store: s}, nil
}

// Claim waits for a run of a queue and claims it. It ends with its context.
func (s *Store) Claim(ctx context.Context, queue string, o *ClaimOptions) (*Attempt, error) {
	var attempt *Attempt
	err := s.until(ctx, func() (bool, error) {
		var err error
		attempt, err = s.TryClaim(queue, o)
		return attempt != nil, err
	})
	return attempt, err
}

// ClaimMany claims up to most runs of a queue in one commit; none when there are none now.
func (s *Store) ClaimMany(queue string, most int, o *ClaimOptions) ([]*Attempt, error) {
	var texts arena
	defer func() { texts.free() }()
	if most < 1 {
		return nil, &Error{Code: ErrInvalid, Message: "most must be at least 1"}
	}
	options := o.c(&texts)
	room := make([]*C.sw_attempt, most)
	var count C.uint32_t
	var err *C.sw_error
	p, n := optional(queue)
	code := C.sw_run_claim_many(s.c, p, n, &options, C.uint32_t(most), &room[0], &count, &err)
	if e := check(code, &err); e != nil {
		return nil, e
	}
	all := make([]*Attempt, count)
	for i := range all {
		all[i] = &Attempt{c: room[i], store: s}
	}
	return all, nil
}

// Wait waits until a run has ended and returns its document. It ends with its context.
func (s *Store) Wait(ctx context.Context, runID string) (*Run, error) {
	var raw json.RawMessage
	err := s.until(ctx, func() (bool, error) {
		var err error
		raw, err = s.text(func(out **C.sw_text, err **C.sw_error) C.int32_t {
			p, n := str(runID)
			return C.sw_run_wait(s.c, p, n, 0, nil, out, err)
		})
		return raw != nil, err
	})
	if err != nil {
		return nil, err
	}
	run := &Run{Raw: raw}
	return run, json.Unmarshal(raw, run)
}

// Run is the document of a run.
type Run struct {
	RunID        string          `json:"run_id"`
	RootRunID    string          `json:"root_run_id"`
	ParentRunID  *string         `json:"parent_run_id"`
	Workflow     string          `json:"workflow"`
	Queue        string          `json:"queue"`
	State        string          `json:"state"`
	Args         json.RawMessage `json:"args"`
	Result       json.RawMessage `json:"result"`
	Error        json.RawMessage `json:"error"`
	Attempts     int             `json:"attempts"`
	Tries        int             `json:"tries"`
	CreatedAtMS  int64           `json:"created_at_ms"`
	FinishedAtMS *int64          `json:"finished_at_ms"`
	Metadata     json.RawMessage `json:"metadata"`
	WaitingFor   json.RawMessage `json:"waiting_for"`
	// CancelAsked says that a running attempt was told to end and has not done so yet.
	CancelAsked bool `json:"cancel_asked"`
	// PauseAsked says that a running attempt was told to yield and has not done so yet.
	PauseAsked bool `json:"pause_asked"`
	// LastError is what the newest failed attempt of an open run ended with, or null.
	LastError json.RawMessage `json:"last_error"`
	// Raw is the whole document.
	Raw json.RawMessage `json:"-"`
}

// Get returns the document of a run.
func (s *Store) Get(runID string) (*Run, error) {
	raw, err := s.text(func(out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_run_get(s.c, p, n, out, err)
	})
	if err != nil {
		return nil, err
	}
	run := &Run{Raw: raw}
	return run, json.Unmarshal(raw, run)
}

// History returns a page of the history of a run, JSON; limit 0 is 1000 items.
func (s *Store) History(runID, cursor string, limit int) (json.RawMessage, error) {
	return s.text(func(out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		cursorPtr, cursorLen := optional(cursor)
		return C.sw_run_history(s.c, p, n, cursorPtr, cursorLen, C.uint32_t(limit), out, err)
	})
}
