package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"slices"
	"time"
	"unsafe"
)

// AllWorkflows is the scope of idempotency keys that all workflows share; there the same key under another
// workflow is ErrConflict. It is that of the functions of C when none is named.
const AllWorkflows = "\x00"

// SubmitOptions of a run; the zero value of each field is its default. The names in JSON are those
// of the lists that SubmitMany and ChildSubmitMany take.
type SubmitOptions struct {
	// Queue is the queue's name: "default", or the parent's for a child.
	Queue string `json:"queue,omitempty"`
	// RunAtMS is when it may be claimed, Unix milliseconds: now.
	RunAtMS int64 `json:"run_at_ms,omitempty"`
	// TimeoutMS is milliseconds from then on after which it fails: never.
	TimeoutMS int64 `json:"timeout_ms,omitempty"`
	// BackoffInitialMS is the wait before the second try: 1000. BackoffMaxMS is the longest: 3600000.
	BackoffInitialMS int64 `json:"backoff_initial_ms,omitempty"`
	BackoffMaxMS     int64 `json:"backoff_max_ms,omitempty"`
	// Priority: the lower goes first.
	Priority int32 `json:"priority,omitempty"`
	// MaxTries is the number of tries: 3.
	MaxTries uint32 `json:"max_tries,omitempty"`
	// BackoffPercent is the growth of the wait from one try to the next, 100 to 10000: 200.
	BackoffPercent uint32 `json:"backoff_percent,omitempty"`
	// IdempotencyKey makes one run and no second one, for as long as the first exists: none.
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	// IdempotencyScope is within what the key counts: the workflow's name. AllWorkflows shares it.
	IdempotencyScope string `json:"idempotency_scope,omitempty"`
	// ConcurrencyKey: runs of a queue with the same one share its limit per key.
	ConcurrencyKey string `json:"concurrency_key,omitempty"`
	// CodeVersion that may run it: any.
	CodeVersion string `json:"code_version,omitempty"`
	// Budget is what the run and all below it may spend: Amounts, or by unit
	// {"limit": n, "warn": n}.
	Budget any `json:"budget,omitempty"`
	// Metadata is an object of the host's own, which events of workers and documents show.
	Metadata map[string]any `json:"metadata,omitempty"`
	// Local lets only this store handle claim it, while it is open.
	Local bool `json:"local,omitempty"`
}

func (o *SubmitOptions) c(texts *arena, workflow string) (C.sw_submit_options, error) {
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
	c.priority, c.max_tries = C.int32_t(o.Priority), C.uint32_t(o.MaxTries)
	c.backoff_percent = C.uint32_t(o.BackoffPercent)
	c.queue, c.queue_len = texts.text(o.Queue)
	c.idempotency_key, c.idempotency_key_len = texts.text(o.IdempotencyKey)
	c.idempotency_scope, c.idempotency_scope_len = texts.text(scope(o.IdempotencyScope, o.IdempotencyKey, workflow))
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
	options, e := o.c(&texts, workflow)
	if e != nil {
		return "", false, e
	}
	var room idRoom
	code, e := s.handle.call(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		namePtr, nameLen := str(workflow)
		argsPtr, argsLen := payload(raw)
		return C.sw_run_submit(c, namePtr, nameLen, argsPtr, argsLen, &options, &room[0],
			C.size_t(len(room)), err)
	})
	return room.text(), code == C.SW_EXISTS, e
}

// Item is one run of a list.
type Item struct {
	// Name is a child's; runs submitted from outside have none.
	Name string `json:"name,omitempty"`
	// Workflow and Args of the run.
	Workflow string `json:"workflow"`
	Args     any    `json:"args,omitempty"`
	SubmitOptions
}

// SubmitMany submits runs in one commit, all or none.
func (s *Store) SubmitMany(items []Item) ([]Submitted, error) {
	scoped := slices.Clone(items)
	for i := range scoped {
		item := &scoped[i]
		item.IdempotencyScope = scope(item.IdempotencyScope, item.IdempotencyKey, item.Workflow)
	}
	return submitted(scoped, func(p *C.char, n C.size_t, out **C.sw_text) error {
		return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
			return C.sw_run_submit_many(c, p, n, out, err)
		})
	})
}

func submitted(items []Item, call func(*C.char, C.size_t, **C.sw_text) error) ([]Submitted, error) {
	raw, err := encode(items)
	if err != nil {
		return nil, err
	}
	var out *C.sw_text
	p, n := payload(raw)
	err = call(p, n, &out)
	answer := take(out)
	if err != nil {
		return nil, err
	}
	var all []Submitted
	err = json.Unmarshal(answer, &all)
	return all, err
}

// scope returns the scope of an idempotency key.
func scope(asked, key, workflow string) string {
	switch {
	case asked == AllWorkflows:
		return ""
	case asked == "" && key != "":
		return workflow
	}
	return asked
}

// Find returns the id of the run that an idempotency key made, or "". The scope is the workflow's name,
// unless the submit named another, such as AllWorkflows.
func (s *Store) Find(idempotencyScope, key string) (string, error) {
	var room idRoom
	err := s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		scopePtr, scopeLen := str(idempotencyScope)
		if idempotencyScope == AllWorkflows {
			scopePtr, scopeLen = nil, 0
		}
		keyPtr, keyLen := str(key)
		return C.sw_run_find(c, scopePtr, scopeLen, keyPtr, keyLen, &room[0], C.size_t(len(room)), err)
	})
	return room.text(), err
}

// ClaimOptions of a claim; the zero value of each field is its default.
type ClaimOptions struct {
	// Lease is its length; LeaseWhileAlive holds as long as this process lives.
	Lease time.Duration
	// Worker is the name under which attempts are shown.
	Worker string
	// Workflows and CodeVersions: nil is all.
	Workflows, CodeVersions []string
	// Strict: the attempt completes only after it has asked for all that its run has recorded, else
	// that is ErrNondeterminism.
	Strict bool
	// ReplayOnly: no step is run; one that is not recorded is ErrNondeterminism.
	ReplayOnly bool
}

func (o *ClaimOptions) c(texts *arena) C.sw_claim_options {
	var c C.sw_claim_options
	c.struct_size = C.uint32_t(unsafe.Sizeof(c))
	if o == nil {
		return c
	}
	c.lease_ms = leaseMS(o.Lease)
	if o.Strict {
		c.flags |= C.SW_CLAIM_STRICT
	}
	if o.ReplayOnly {
		c.flags |= C.SW_CLAIM_REPLAY_ONLY
	}
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
	e := s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := optional(queue)
		return C.sw_run_claim(c, p, n, &options, &attempt, err)
	})
	if e != nil || attempt == nil {
		return nil, e
	}
	return newAttempt(attempt, s), nil
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
	e := s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := optional(queue)
		return C.sw_run_claim_many(c, p, n, &options, C.uint32_t(most), &room[0], &count, err)
	})
	if e != nil {
		return nil, e
	}
	all := make([]*Attempt, count)
	for i := range all {
		all[i] = newAttempt(room[i], s)
	}
	return all, nil
}

// Wait waits until a run has ended and returns its document. It ends with its context.
func (s *Store) Wait(ctx context.Context, runID string) (*Run, error) {
	var raw json.RawMessage
	err := s.until(ctx, func() (bool, error) {
		var err error
		raw, err = s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
			p, n := str(runID)
			return C.sw_run_wait(c, p, n, 0, nil, out, err)
		})
		return raw != nil, err
	})
	if err != nil {
		return nil, err
	}
	return runOf(raw)
}

// Get returns the document of a run; ErrNotFound when there is none.
func (s *Store) Get(runID string) (*Run, error) {
	raw, err := s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_run_get(c, p, n, out, err)
	})
	if err != nil {
		return nil, err
	}
	return runOf(raw)
}

func runOf(raw json.RawMessage) (*Run, error) {
	run := &Run{Raw: raw}
	return run, json.Unmarshal(raw, run)
}

// History returns a page of the history of a run; limit 0 is 1000 items.
func (s *Store) History(runID, cursor string, limit int) (*History, error) {
	return document[*History](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		cursorPtr, cursorLen := optional(cursor)
		return C.sw_run_history(c, p, n, cursorPtr, cursorLen, upTo(limit), out, err)
	}))
}

// Cancel cancels a run and everything below it.
func (s *Store) Cancel(runID string, reason any) error {
	raw, e := encode(reason)
	if e != nil {
		return e
	}
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		runPtr, runLen := str(runID)
		p, n := payload(raw)
		return C.sw_run_cancel(c, runPtr, runLen, p, n, err)
	})
}

// Pause sets a run aside.
func (s *Store) Pause(runID string) error {
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_run_pause(c, p, n, err)
	})
}

// Resume puts a paused run back.
func (s *Store) Resume(runID string) error {
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_run_resume(c, p, n, err)
	})
}

// Retry opens a failed or cancelled run again; results are kept.
func (s *Store) Retry(runID string) error {
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		return C.sw_run_retry(c, p, n, err)
	})
}

// FromEnd has a fork replay all that is recorded.
const FromEnd = "\x00"

// Fork makes a new run that replays what another recorded before a step: its id, its name, "" for the
// start, or FromEnd.
func (s *Store) Fork(runID, fromStep string) (string, error) {
	var room idRoom
	err := s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		p, n := str(runID)
		stepPtr, stepLen := optional(fromStep)
		if fromStep == FromEnd {
			stepLen = 0
		}
		return C.sw_run_fork(c, p, n, stepPtr, stepLen, &room[0], C.size_t(len(room)), err)
	})
	return room.text(), err
}
