package smolwf

/*
#include <smolwf.h>
*/
import "C"

import "encoding/json"

// Stats is how a store stands.
type Stats struct {
	// AtMS is when, Unix milliseconds.
	AtMS int64     `json:"at_ms"`
	Runs RunCounts `json:"runs"`
	// OldestReadyAtMS is since when the run that waits longest for a worker could be claimed, and
	// OldestReadyForMS how long that is; nil when none waits.
	OldestReadyAtMS  *int64 `json:"oldest_ready_at_ms"`
	OldestReadyForMS *int64 `json:"oldest_ready_for_ms"`
	// NextDueAtMS is when something comes due by itself next, or nil.
	NextDueAtMS *int64 `json:"next_due_at_ms"`
	// Queues and Owners are as the methods of these names return them.
	Queues []Queue `json:"queues"`
	// Full are limits that are reached, up to 100.
	Full   []FullLimit `json:"full"`
	Owners []Owner     `json:"owners"`
	File   FileStats   `json:"file"`
	// Writer is nil for a store that is read only.
	Writer *WriterStats `json:"writer"`
	// Raw is the whole document.
	Raw json.RawMessage `json:"-"`
}

// RunCounts counts runs by state.
type RunCounts struct {
	// Total is exact unless runs between the oldest and the newest are gone.
	Total     int64 `json:"total"`
	Pending   int64 `json:"pending"`
	Running   int64 `json:"running"`
	Waiting   int64 `json:"waiting"`
	Paused    int64 `json:"paused"`
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
	Cancelled int64 `json:"cancelled"`
	// AtLeast names the counts that stopped at their bound, such as "failed": so many or more; see Count.
	// AtMost names those that may be fewer for it, such as "completed".
	AtLeast []string `json:"at_least"`
	AtMost  []string `json:"at_most"`
}

// FullLimit is a limit of a queue that is reached, and who fills it.
type FullLimit struct {
	Queue string `json:"queue"`
	// ConcurrencyKey is nil for the limit of the whole queue.
	ConcurrencyKey *string `json:"concurrency_key"`
	Limit          int     `json:"limit"`
	Running        int     `json:"running"`
	// RunIDs of those that run, up to 10.
	RunIDs []string `json:"run_ids"`
}

// FileStats is the size of a store's file.
type FileStats struct {
	PageBytes int64 `json:"page_bytes"`
	Pages     int64 `json:"pages"`
	// Bytes of all pages, FreeBytes of those that hold nothing.
	Bytes     int64 `json:"bytes"`
	FreeBytes int64 `json:"free_bytes"`
	// LogBytes is the size of the write-ahead log beside it.
	LogBytes int64 `json:"log_bytes"`
}

// WriterStats is what this process wrote since it opened the file.
type WriterStats struct {
	// Commits hold Writes: writes that come together share one.
	Commits int64 `json:"commits"`
	Writes  int64 `json:"writes"`
	// LargestBatch is the most writes of one commit, Batches counts commits by their writes.
	LargestBatch int64   `json:"largest_batch"`
	Batches      Batches `json:"batches"`
	// Syncs for them, and commits that the sync of another process covered.
	Syncs       int64 `json:"syncs"`
	SyncsShared int64 `json:"syncs_shared"`
	// TurnWaits is how often another process had its turn to write, TurnWaitMS how long in all.
	TurnWaits  int64 `json:"turn_waits"`
	TurnWaitMS int64 `json:"turn_wait_ms"`
	// Calls tells whose the writes were, first those that took longest.
	Calls []CallStats `json:"calls"`
}

// CallStats is what the writes of one function came to.
type CallStats struct {
	// Call is the C function, or sweep, or sync.
	Call   string `json:"call"`
	Writes int64  `json:"writes"`
	// TookMS is how long their work took in all, LongestMS how long that of the longest.
	TookMS    int64 `json:"took_ms"`
	LongestMS int64 `json:"longest_ms"`
}

// Batches counts commits by how many writes they hold.
type Batches struct {
	One            int64 `json:"1"`
	TwoTo7         int64 `json:"2_7"`
	EightTo63      int64 `json:"8_63"`
	SixtyFourAndUp int64 `json:"64_up"`
}

// Queue is a queue as it stands.
type Queue struct {
	Queue string `json:"queue"`
	// Concurrency and ConcurrencyPerKey are its limits; nil is none. See SetQueue.
	Concurrency       *int `json:"concurrency"`
	ConcurrencyPerKey *int `json:"concurrency_per_key"`
	Paused            bool `json:"paused"`
	// Running runs have a worker, Ready ones could be claimed, Delayed ones are not due yet, Waiting ones
	// are parked, Blocked ones stand behind another with their concurrency key.
	Running int64 `json:"running"`
	Ready   int64 `json:"ready"`
	Delayed int64 `json:"delayed"`
	Waiting int64 `json:"waiting"`
	Blocked int64 `json:"blocked"`
	// OldestReadyAtMS is since when the one that waits longest could be claimed, or nil.
	OldestReadyAtMS *int64 `json:"oldest_ready_at_ms"`
	// LastClaimedAtMS is when a run of it was last claimed, or nil; it may be a second behind.
	LastClaimedAtMS *int64 `json:"last_claimed_at_ms"`
	// AtLeast names the counts that stopped at their bound, such as "ready": so many or more.
	AtLeast []string `json:"at_least"`
}

// Owner is an open store that has claimed, in whichever process.
type Owner struct {
	OwnerID string `json:"owner_id"`
	PID     int64  `json:"pid"`
	// Alive is false when its process is gone: the next claim of any takes its runs back. It is nil when
	// this store, being read only, cannot tell.
	Alive *bool `json:"alive"`
	// OpenedAtMS is when it first claimed.
	OpenedAtMS int64 `json:"opened_at_ms"`
	// Running is how many runs it has, OldestLeaseAtMS when it claimed the first of them, or nil.
	Running         int64  `json:"running"`
	OldestLeaseAtMS *int64 `json:"oldest_lease_at_ms"`
}

// Stats returns how the store stands: counts, queues, limits that are reached, who claims from it, its
// file. It costs the same in a store of any size.
func (s *Store) Stats() (*Stats, error) {
	raw, err := s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_store_stats(c, out, err)
	})
	stats, err := document[*Stats](raw, err)
	if err != nil {
		return nil, err
	}
	stats.Raw = raw
	return stats, nil
}

// Queues returns the queues that were ever used or set, by name.
func (s *Store) Queues() ([]Queue, error) {
	return document[[]Queue](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_queue_list(c, out, err)
	}))
}

// Owners returns who claims from the store, the oldest first.
func (s *Store) Owners() ([]Owner, error) {
	return document[[]Owner](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_owner_list(c, out, err)
	}))
}
