// Made from docs/schemas by scripts/documents.py: do not edit.

//go:build cgo

package smolwf

import "encoding/json"

// Refused: a run that an act on many is not for.
type Refused struct {
	// RunID: the run's id.
	RunID string `json:"run_id"`
	// Code: what the call on this run alone would answer.
	Code Code `json:"code"`
}

// Acted: what sw_run_act_many answers.
type Acted struct {
	// Matched: runs that were meant, to the call's limit.
	Matched int `json:"matched"`
	// Done: runs that it was done to; 0 in a dry run.
	Done int `json:"done"`
	// Refused: runs that it cannot be done to.
	Refused []Refused `json:"refused"`
	// More: whether there may be other runs that are meant.
	More bool `json:"more"`
}

// AttemptRecord: an attempt in a history.
type AttemptRecord struct {
	// AttemptID: the attempt's id.
	AttemptID string `json:"attempt_id"`
	// Number: its number in the run: the fence.
	Number int64 `json:"number"`
	// Worker: the name that its worker claimed with.
	Worker *string `json:"worker"`
	// State: running, or how it ended. One of running, completed, failed, released, suspended,
	// lost, cancelled.
	State string `json:"state"`
	// StartedAtMS: when it was claimed.
	StartedAtMS int64 `json:"started_at_ms"`
	// EndedAtMS: when it ended; null while it runs.
	EndedAtMS *int64 `json:"ended_at_ms"`
	// Error: what it failed with; null if it did not.
	Error json.RawMessage `json:"error"`
}

// Batches: commits by size.
type Batches struct {
	// One: commits of one write.
	One int64 `json:"1"`
	// TwoTo7: of 2 to 7.
	TwoTo7 int64 `json:"2_7"`
	// EightTo63: of 8 to 63.
	EightTo63 int64 `json:"8_63"`
	// SixtyFourAndUp: of 64 or more.
	SixtyFourAndUp int64 `json:"64_up"`
}

// BudgetTotal: a sum of a budget's ledger.
type BudgetTotal struct {
	// Workflow: the workflow that spent.
	Workflow string `json:"workflow"`
	// Kind: the label of the steps; null for none.
	Kind *string `json:"kind"`
	// Unit: the unit.
	Unit string `json:"unit"`
	// Spent: the sum.
	Spent int64 `json:"spent"`
	// Entries: how many entries it is of.
	Entries int64 `json:"entries"`
}

// Balance: one unit of a budget.
type Balance struct {
	// Limit: what may be spent; null: it is metered only.
	Limit *int64 `json:"limit"`
	// Warn: where a budget.warning is appended; null: nowhere.
	Warn *int64 `json:"warn"`
	// Reserved: what is promised to calls that run.
	Reserved int64 `json:"reserved"`
	// Spent: what was spent.
	Spent int64 `json:"spent"`
	// Remaining: limit - reserved - spent, below 0 if more was spent; null without a limit.
	Remaining *int64 `json:"remaining"`
}

// Budget: what sw_budget_get answers: what a tree of runs may spend, and has.
type Budget struct {
	// RootRunID: the root whose budget it is.
	RootRunID string `json:"root_run_id"`
	// Units: by unit, what stands in it.
	Units map[string]Balance `json:"units"`
	// Totals: what was spent, by workflow, kind of step and unit; 1,000 at most.
	Totals []BudgetTotal `json:"totals"`
	// TotalsCut: there are more totals than are shown.
	TotalsCut bool `json:"totals_cut"`
}

// BudgetWarning: the payload of the engine's event budget.warning.
type BudgetWarning struct {
	// Unit: the unit.
	Unit string `json:"unit"`
	// Limit: its limit.
	Limit *int64 `json:"limit"`
	// Warn: the amount that was reached.
	Warn *int64 `json:"warn"`
	// Spent: what was spent.
	Spent int64 `json:"spent"`
	// Reserved: what is promised.
	Reserved int64 `json:"reserved"`
}

// Came: what sw_await_any answers: the member that came.
type Came struct {
	// Index: which member, from 0.
	Index int `json:"index"`
	// Outcome: failed: a child that failed or was cancelled. One of ok, failed.
	Outcome string `json:"outcome"`
	// Value: the signal's payload, the child's result or error; null of a sleep.
	Value json.RawMessage `json:"value"`
}

// CallStats: what the writes of one function came to.
type CallStats struct {
	// Call: the function that wrote; sweep for what waits and cancels moved, sync for an answer
	// that first made safe what it had read.
	Call string `json:"call"`
	// Writes: its writes.
	Writes int64 `json:"writes"`
	// TookMS: how long their work took within transactions, in sum.
	TookMS int64 `json:"took_ms"`
	// LongestMS: how long that of the longest took.
	LongestMS int64 `json:"longest_ms"`
}

// Fault: a fault of a store.
type Fault struct {
	// Check: what was looked at.
	Check string `json:"check"`
	// Detail: what was found.
	Detail string `json:"detail"`
}

// Check: what sw_store_check answers.
type Check struct {
	// Ok: nothing was found.
	Ok bool `json:"ok"`
	// Faults: what was found, 20 of a kind at most.
	Faults []Fault `json:"faults"`
}

// ChildRecord: a child in a history.
type ChildRecord struct {
	// RunID: the child's run.
	RunID string `json:"run_id"`
	// Workflow: its workflow.
	Workflow string `json:"workflow"`
	// State: its state. One of pending, running, waiting, paused, completed, failed, cancelled.
	State string `json:"state"`
	// CreatedAtMS: when it was submitted.
	CreatedAtMS int64 `json:"created_at_ms"`
	// FinishedAtMS: when it ended; null while it is open.
	FinishedAtMS *int64 `json:"finished_at_ms"`
}

// Compacted: what sw_store_compact answers.
type Compacted struct {
	// FreedPages: pages by which the file is shorter.
	FreedPages int64 `json:"freed_pages"`
	// LeftPages: pages that hold nothing still.
	LeftPages int64 `json:"left_pages"`
}

// EngineError: an error that the engine itself stores on a run, attempt or step. The host's own
// errors have no $smolwf.
type EngineError struct {
	// Kind: tries: the run was lost as often as it may be; lapsed: the attempt was lost; timeout:
	// the run's time-out passed; cancelled: it, or a run above it, was cancelled; interrupted: a
	// tracked step began as often as it may and never ended.
	Kind string `json:"$smolwf"`
	// Message: a sentence.
	Message string `json:"message"`
	// Reason: what the cancel gave as reason; absent if nothing.
	Reason json.RawMessage `json:"reason,omitempty"`
}

// Event: an event of the log.
type Event struct {
	// Seq: its number: in commit order, without gaps.
	Seq int64 `json:"seq"`
	// RunID: the run that it is about.
	RunID string `json:"run_id"`
	// Type: its type: the host's, or the engine's budget.warning.
	Type string `json:"type"`
	// Payload: what was appended; null if nothing.
	Payload json.RawMessage `json:"payload"`
	// AtMS: when it was appended.
	AtMS int64 `json:"at_ms"`
}

// EventPage: what sw_event_wait answers: a page of the log.
type EventPage struct {
	// Items: the events, ascending; none where many were passed over.
	Items []Event `json:"items"`
	// FirstSeq: the smallest number that is still in the log; 0 if it is empty.
	FirstSeq int64 `json:"first_seq"`
	// LastSeq: the largest number in the log; 0 if it is empty.
	LastSeq int64 `json:"last_seq"`
	// NextSeq: the number to go on with.
	NextSeq int64 `json:"next_seq"`
}

// Reason: one reason why a run does not move.
type Reason struct {
	// Code: which reason it is. One of running, owner_silent, owner_dead, cancel_unheard,
	// queue_paused, queue_full, key_full, not_due, backing_off, waits_signal, waits_child,
	// waits_sleep, waits_budget, version_unclaimed, queue_unclaimed, local_owner, paused,
	// behind_others, ended.
	Code string `json:"code"`
	// Text: the same for people; may change.
	Text string `json:"text"`
	// SinceMS: since when; null where that was not noted.
	SinceMS *int64 `json:"since_ms"`
	// Evidence: what shows it, by code, as the header tells.
	Evidence json.RawMessage `json:"evidence"`
	// Hint: what to do about it, for people.
	Hint string `json:"hint"`
}

// Explanation: what sw_run_explain answers: why a run does not move.
type Explanation struct {
	// RunID: the run.
	RunID string `json:"run_id"`
	// State: the state it is in. One of pending, running, waiting, paused, completed, failed,
	// cancelled.
	State string `json:"state"`
	// Reasons: the most telling first.
	Reasons []Reason `json:"reasons"`
}

// FileStats: how large the store is.
type FileStats struct {
	// PageBytes: bytes of a page.
	PageBytes int64 `json:"page_bytes"`
	// Pages: pages of the database.
	Pages int64 `json:"pages"`
	// Bytes: bytes of the database.
	Bytes int64 `json:"bytes"`
	// FreeBytes: those of them that hold nothing.
	FreeBytes int64 `json:"free_bytes"`
	// LogBytes: bytes of the write-ahead log.
	LogBytes int64 `json:"log_bytes"`
}

// FullLimit: a limit that is reached, and who fills it.
type FullLimit struct {
	// Queue: the queue.
	Queue string `json:"queue"`
	// ConcurrencyKey: the concurrency key; null for the limit of the whole queue.
	ConcurrencyKey *string `json:"concurrency_key"`
	// Limit: how many may be held at once.
	Limit int `json:"limit"`
	// Running: how many are.
	Running int `json:"running"`
	// RunIDs: the first of them, 10 at most.
	RunIDs []string `json:"run_ids"`
}

// Run: what sw_run_get answers: a run as it stands.
type Run struct {
	// RunID: the run's id.
	RunID string `json:"run_id"`
	// TaskID: the id of its place in the queue.
	TaskID string `json:"task_id"`
	// RootRunID: the root of its tree; itself for a root.
	RootRunID string `json:"root_run_id"`
	// ParentRunID: the run that submitted it as a child; null for a root.
	ParentRunID *string `json:"parent_run_id"`
	// Workflow: name of the host's function.
	Workflow string `json:"workflow"`
	// Queue: name of the queue.
	Queue string `json:"queue"`
	// State: the state it is in. One of pending, running, waiting, paused, completed, failed,
	// cancelled.
	State string `json:"state"`
	// Priority: the lower goes first.
	Priority int32 `json:"priority"`
	// Args: what was submitted, byte for byte; null if nothing.
	Args json.RawMessage `json:"args"`
	// Result: what it completed with; null until then.
	Result json.RawMessage `json:"result"`
	// Error: what it failed with or was cancelled with; null until then.
	Error json.RawMessage `json:"error"`
	// Attempts: attempts so far, which counts claims.
	Attempts int `json:"attempts"`
	// Tries: tries that were charged: failures and losses.
	Tries int `json:"tries"`
	// MaxTries: tries after which it fails for good.
	MaxTries int `json:"max_tries"`
	// RunAtMS: when it was first to be claimed.
	RunAtMS int64 `json:"run_at_ms"`
	// CreatedAtMS: when it was submitted.
	CreatedAtMS int64 `json:"created_at_ms"`
	// UpdatedAtMS: when its state last changed.
	UpdatedAtMS int64 `json:"updated_at_ms"`
	// FinishedAtMS: when it ended; null while it is open.
	FinishedAtMS *int64 `json:"finished_at_ms"`
	// Metadata: the host's own object; null if there is none.
	Metadata json.RawMessage `json:"metadata"`
	// CodeVersion: the version of the code that it asks for; null for any.
	CodeVersion *string `json:"code_version"`
	// WaitingFor: what a waiting run waits for, 100 entries at most; null in other states.
	WaitingFor json.RawMessage `json:"waiting_for"`
	// CancelAsked: a running attempt was told to end and has not done so yet.
	CancelAsked bool `json:"cancel_asked"`
	// PauseAsked: a running attempt was told to yield and has not done so yet.
	PauseAsked bool `json:"pause_asked"`
	// LastError: what the newest failed attempt of an open run ended with; else null.
	LastError json.RawMessage `json:"last_error"`
	// DueAtMS: when a pending run may be claimed: now, or the end of its delay or backoff; else
	// null.
	DueAtMS *int64 `json:"due_at_ms"`
	// Raw is the whole document.
	Raw json.RawMessage `json:"-"`
}

// SignalRecord: a signal in a history.
type SignalRecord struct {
	// Name: its name.
	Name string `json:"name"`
	// Payload: what was sent; null if nothing.
	Payload json.RawMessage `json:"payload"`
	// SentAtMS: when it was sent.
	SentAtMS int64 `json:"sent_at_ms"`
	// Consumed: an await has taken it.
	Consumed bool `json:"consumed"`
	// ConsumedBy: the await that took it; null while none has, or when that is not known.
	ConsumedBy *string `json:"consumed_by"`
}

// StepRecord: a step, sleep, await or child submit in a history.
type StepRecord struct {
	// StepID: the step's id, the same in every attempt.
	StepID string `json:"step_id"`
	// Name: its name.
	Name string `json:"name"`
	// Occurrence: which of its name, from 1.
	Occurrence int64 `json:"occurrence"`
	// Kind: the label that the host gave a step; else step, sleep, await or child_submit.
	Kind string `json:"kind"`
	// State: running: its start was recorded and no end; backing_off: it failed and is to be tried
	// again; waiting: an await that nothing has answered yet. One of running, completed, failed,
	// backing_off, timed_out, waiting.
	State string `json:"state"`
	// Tries: tries so far.
	Tries int64 `json:"tries"`
	// InputHash: hash of the input in canonical form; null without input.
	InputHash *string `json:"input_hash"`
	// Result: what it completed with; else null.
	Result json.RawMessage `json:"result"`
	// Error: what it failed with last; else null.
	Error json.RawMessage `json:"error"`
	// StartedAtMS: when its newest try began.
	StartedAtMS int64 `json:"started_at_ms"`
	// EndedAtMS: when that ended; null while it runs or waits.
	EndedAtMS *int64 `json:"ended_at_ms"`
}

// History: what sw_run_history answers: one page of what happened to a run.
type History struct {
	// Run: the run as it stands.
	Run Run `json:"run"`
	// Attempts: attempts, by number.
	Attempts []AttemptRecord `json:"attempts"`
	// Steps: steps, in the order of their recording.
	Steps []StepRecord `json:"steps"`
	// Signals: signals, in the order of their arrival.
	Signals []SignalRecord `json:"signals"`
	// Children: children, in the order of their submits.
	Children []ChildRecord `json:"children"`
	// Events: events, by number.
	Events []Event `json:"events"`
	// Next: the cursor of the next page; null on the last.
	Next *string `json:"next"`
}

// Imported: what sw_run_import answers.
type Imported struct {
	// RunID: the topmost run, under the id that it has here.
	RunID string `json:"run_id"`
	// Runs: runs that came.
	Runs int64 `json:"runs"`
}

// MovedTable: a table that was copied from store to store.
type MovedTable struct {
	// Table: its name.
	Table string `json:"table"`
	// Rows: its rows.
	Rows int64 `json:"rows"`
	// Sum: a sum over what its rows hold, the same in any order, with which what came was compared.
	Sum string `json:"sum"`
}

// Graduated: what sw_store_graduate answers.
type Graduated struct {
	// State: where the move stands: moved once the other store is in force, in_force where there is
	// no move any more. One of releasing, copying, comparing, moved, in_force.
	State string `json:"state"`
	// Table: the table that is copied or compared; null otherwise.
	Table *string `json:"table"`
	// Rows: rows that were copied; while they are compared, those that were compared.
	Rows int64 `json:"rows"`
	// Released: attempts that were released; of the whole move once it is done, else of this call.
	Released int64 `json:"released"`
	// Tables: the tables that were copied.
	Tables []MovedTable `json:"tables"`
	// LeftBehind: the host's own tables, which do not move: 1000 at most; empty before the move is
	// done.
	LeftBehind []string `json:"left_behind"`
}

// Migration: a step of the schema.
type Migration struct {
	// ID: its number.
	ID int64 `json:"id"`
	// IntroducedVersion: the version of the library that brought it.
	IntroducedVersion string `json:"introduced_version"`
	// AppliedTime: when it was applied.
	AppliedTime int64 `json:"applied_time"`
}

// Owner: a store handle that has claimed, and what it holds.
type Owner struct {
	// OwnerID: its id.
	OwnerID string `json:"owner_id"`
	// PID: its process.
	PID int64 `json:"pid"`
	// Alive: whether its process lives and has it open: if not, the next claim takes over what it
	// holds. null where that cannot be told.
	Alive *bool `json:"alive"`
	// OpenedAtMS: when it first claimed.
	OpenedAtMS int64 `json:"opened_at_ms"`
	// Running: runs that it holds.
	Running int64 `json:"running"`
	// OldestLeaseAtMS: when it claimed the run that it has held for longest.
	OldestLeaseAtMS *int64 `json:"oldest_lease_at_ms"`
}

// Pruned: what sw_store_prune answers.
type Pruned struct {
	// Runs: runs that were removed, or would be.
	Runs int `json:"runs"`
	// Trees: trees that are gone since this call, or would be.
	Trees int `json:"trees"`
	// Bytes: bytes of JSON that the runs carried.
	Bytes int64 `json:"bytes"`
	// More: whether there may be more to remove.
	More bool `json:"more"`
}

// Queue: a queue: its limits, what stands in it, when it was last claimed from.
type Queue struct {
	// Queue: its name.
	Queue string `json:"queue"`
	// Concurrency: runs that may be held at once; null without a limit.
	Concurrency *int `json:"concurrency"`
	// ConcurrencyPerKey: the same for each concurrency key.
	ConcurrencyPerKey *int `json:"concurrency_per_key"`
	// Paused: nothing is claimed from it.
	Paused bool `json:"paused"`
	// Running: runs that attempts hold.
	Running int64 `json:"running"`
	// Ready: runs that may be claimed, as far as limits let them.
	Ready int64 `json:"ready"`
	// Delayed: runs that are not due.
	Delayed int64 `json:"delayed"`
	// Waiting: runs that are parked.
	Waiting int64 `json:"waiting"`
	// Blocked: runs behind another with their concurrency key.
	Blocked int64 `json:"blocked"`
	// OldestReadyAtMS: since when the run is ready that has been so for longest.
	OldestReadyAtMS *int64 `json:"oldest_ready_at_ms"`
	// LastClaimedAtMS: when something was last claimed from it; up to a second behind.
	LastClaimedAtMS *int64 `json:"last_claimed_at_ms"`
	// AtLeast: counts that stopped at their bound: so many, or more.
	AtLeast []string `json:"at_least"`
}

// RetentionRule: which ended runs of a workflow stay by themselves.
type RetentionRule struct {
	// CompletedMS: milliseconds for which a completed run stays.
	CompletedMS *int64 `json:"completed_ms,omitempty"`
	// FailedMS: the same for a failed one.
	FailedMS *int64 `json:"failed_ms,omitempty"`
	// CancelledMS: the same for a cancelled one.
	CancelledMS *int64 `json:"cancelled_ms,omitempty"`
	// KeepNewest: so many of the newest ended ones stay, whatever their age.
	KeepNewest *int `json:"keep_newest,omitempty"`
}

// Retention: what sw_retention_set takes and sw_retention_get answers: which ended runs stay by
// themselves. It has the members that were given.
type Retention struct {
	// CompletedMS: milliseconds for which a completed run stays.
	CompletedMS *int64 `json:"completed_ms,omitempty"`
	// FailedMS: the same for a failed one.
	FailedMS *int64 `json:"failed_ms,omitempty"`
	// CancelledMS: the same for a cancelled one.
	CancelledMS *int64 `json:"cancelled_ms,omitempty"`
	// KeepNewest: so many of the newest ended runs of each workflow stay, whatever their age.
	KeepNewest *int `json:"keep_newest,omitempty"`
	// Workflows: what else holds for the runs of a workflow, member by member.
	Workflows map[string]RetentionRule `json:"workflows,omitempty"`
}

// RunCounts: runs by state.
type RunCounts struct {
	// Total: numbers that runs were given.
	Total int64 `json:"total"`
	// Pending: runs that are pending.
	Pending int64 `json:"pending"`
	// Running: runs that are running.
	Running int64 `json:"running"`
	// Waiting: runs that are waiting.
	Waiting int64 `json:"waiting"`
	// Paused: runs that are paused.
	Paused int64 `json:"paused"`
	// Completed: runs that are completed.
	Completed int64 `json:"completed"`
	// Failed: runs that are failed.
	Failed int64 `json:"failed"`
	// Cancelled: runs that are cancelled.
	Cancelled int64 `json:"cancelled"`
	// AtLeast: counts that stopped at their bound: so many, or more.
	AtLeast []string `json:"at_least"`
	// AtMost: what a count that stopped leaves of the total: so many, or fewer.
	AtMost []string `json:"at_most"`
}

// ScheduleRecord: a schedule as it stands.
type ScheduleRecord struct {
	// Name: the schedule's name.
	Name string `json:"name"`
	// Workflow: what it submits.
	Workflow string `json:"workflow"`
	// Args: with which args; null if none.
	Args json.RawMessage `json:"args"`
	// Queue: to which queue.
	Queue string `json:"queue"`
	// Cron: the expression; null if it goes by an interval.
	Cron *string `json:"cron"`
	// EveryMS: the interval; null if it goes by an expression.
	EveryMS *int64 `json:"every_ms"`
	// Timezone: the zone of the expression.
	Timezone string `json:"timezone"`
	// Overlap: what happens while the run of the firing before is open. One of skip, queue.
	Overlap string `json:"overlap"`
	// CatchUp: what happens to firings that nobody looked at in time. One of none, last, all.
	CatchUp string `json:"catch_up"`
	// Paused: nothing fires.
	Paused bool `json:"paused"`
	// NextAtMS: the next firing; null if there is none.
	NextAtMS *int64 `json:"next_at_ms"`
	// LastAtMS: the firing that the last run is for; null if there was none.
	LastAtMS *int64 `json:"last_at_ms"`
	// LastRunID: that run.
	LastRunID *string `json:"last_run_id"`
	// Skipped: firings without a run since the run before was open.
	Skipped int64 `json:"skipped"`
	// Error: why it cannot fire; null if it can.
	Error *string `json:"error"`
}

// WriterStats: what a process has written since it opened the file.
type WriterStats struct {
	// Commits: commits.
	Commits int64 `json:"commits"`
	// Writes: writes that they carried.
	Writes int64 `json:"writes"`
	// LargestBatch: writes in the largest of them.
	LargestBatch int64 `json:"largest_batch"`
	// Batches: commits by size.
	Batches Batches `json:"batches"`
	// Syncs: syncs made for them.
	Syncs int64 `json:"syncs"`
	// SyncsShared: commits that another process' sync covered.
	SyncsShared int64 `json:"syncs_shared"`
	// TurnWaits: commits for which another process' turn was waited for.
	TurnWaits int64 `json:"turn_waits"`
	// TurnWaitMS: how long, in sum.
	TurnWaitMS int64 `json:"turn_wait_ms"`
	// Calls: whose the writes were; first those that took longest.
	Calls []CallStats `json:"calls"`
}

// Stats: what sw_store_stats answers: a store as a whole.
type Stats struct {
	// AtMS: when it was looked at.
	AtMS int64 `json:"at_ms"`
	// Runs: runs by state.
	Runs RunCounts `json:"runs"`
	// OldestReadyAtMS: since when the run is ready that has been so for longest.
	OldestReadyAtMS *int64 `json:"oldest_ready_at_ms"`
	// OldestReadyForMS: how long that is.
	OldestReadyForMS *int64 `json:"oldest_ready_for_ms"`
	// NextDueAtMS: when something comes due by itself next.
	NextDueAtMS *int64 `json:"next_due_at_ms"`
	// Queues: as sw_queue_list answers.
	Queues []Queue `json:"queues"`
	// Full: limits that are reached, 100 at most.
	Full []FullLimit `json:"full"`
	// Owners: as sw_owner_list answers.
	Owners []Owner `json:"owners"`
	// File: how large the store is.
	File FileStats `json:"file"`
	// Writer: what this process has written since it opened the file; null for a handle that only
	// reads.
	Writer *WriterStats `json:"writer"`
	// Raw is the whole document.
	Raw json.RawMessage `json:"-"`
}

// Submitted: the run of an item.
type Submitted struct {
	// RunID: the run.
	RunID string `json:"run_id"`
	// Exists: it was there before.
	Exists bool `json:"exists"`
}
