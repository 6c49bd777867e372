package smolwftest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"smolwf.internal/smolwf"
)

const (
	// What is due, and a run that a dead process had, is looked for so often and so long.
	lookAgain = 5 * time.Millisecond
	lookFor   = 10 * time.Second
)

// work takes all runs of a store to their ends, as a worker does.
type work struct {
	store  *smolwf.Store
	runID  string
	worker smolwf.Worker
	claim  smolwf.ClaimOptions

	mu      sync.Mutex
	refused string
}

func newWork(store *smolwf.Store, runID string, c *Case) *work {
	w := &work{store: store, runID: runID}
	w.worker = smolwf.Worker{Store: store, Workflows: c.Workflows, NoWatch: true, Hook: w.hear}
	w.claim = smolwf.ClaimOptions{
		Lease: smolwf.LeaseWhileAlive, Strict: true,
		Workflows: slices.Sorted(maps.Keys(c.Workflows)),
	}
	return w
}

// hear keeps the first nondeterminism that an attempt ended with.
func (w *work) hear(ctx context.Context, e smolwf.WorkerEvent) context.Context {
	var told *smolwf.Error
	isEnd := e.Kind == smolwf.EventRetrying || e.Kind == smolwf.EventFailed
	if isEnd && errors.As(e.Err, &told) && told.Code == smolwf.ErrNondeterminism {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.refused == "" {
			w.refused = told.Message
		}
	}
	return ctx
}

func (w *work) isRefused() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused
}

// all works until no run is open, nothing can go on, or an attempt was refused.
func (w *work) all() (*end, error) {
	idle := time.Duration(0)
	for {
		isBusy, err := w.attempts()
		if said := w.isRefused(); err != nil || said != "" {
			return &end{Refused: said}, err
		}
		open, err := w.open()
		if err != nil || len(open) == 0 {
			return w.ended(err)
		}
		isDue := false
		if !isBusy {
			isBusy, isDue, err = w.moveOn()
		}
		switch {
		case err != nil:
			return nil, err
		case isBusy:
			idle = 0
		case idle >= lookFor || !isDue && !slices.ContainsFunc(open, isRunning):
			return w.stays(open)
		default: // what is due is moved by claims, and that a process is dead may be noticed a little later
			idle += lookAgain
			time.Sleep(lookAgain)
		}
	}
}

func isRunning(run *smolwf.Run) bool { return run.State == "running" }

// moveOn moves the clock to when something comes due next, if nothing is due already.
func (w *work) moveOn() (isMoved, isDue bool, _ error) {
	from := w.store.Now()
	isDue, err := w.store.AdvanceToDue()
	return w.store.Now().After(from), isDue, err
}

// attempts makes an attempt in each queue that has something to do.
func (w *work) attempts() (isBusy bool, _ error) {
	queues, err := w.store.Queues()
	if err != nil {
		return false, err
	}
	for _, queue := range queues {
		attempt, err := w.store.TryClaim(queue.Queue, &w.claim)
		if err == nil && attempt != nil {
			isBusy = true
			err = w.worker.Carry(context.Background(), attempt)
		}
		if err != nil || w.isRefused() != "" {
			return isBusy, err
		}
	}
	return isBusy, nil
}

// open returns the runs that have not ended.
func (w *work) open() (all []*smolwf.Run, _ error) {
	open := smolwf.RunFilter{States: []string{"pending", "running", "waiting", "paused"}, Order: "oldest"}
	for run, err := range w.store.Runs(open) {
		if err != nil {
			return nil, err
		}
		all = append(all, run)
	}
	return all, nil
}

// ended says how the run ended.
func (w *work) ended(err error) (*end, error) {
	if err != nil {
		return nil, err
	}
	run, err := w.store.Get(w.runID)
	if err != nil {
		return nil, err
	}
	return &end{State: run.State, Result: run.Result, Error: run.Error}, nil
}

// stays says why nothing can go on; that is no matter when the run itself has ended.
func (w *work) stays(open []*smolwf.Run) (*end, error) {
	isOpen := func(run *smolwf.Run) bool { return run.RunID == w.runID }
	if !slices.ContainsFunc(open, isOpen) {
		return w.ended(nil)
	}
	var texts []string
	for _, run := range open {
		told, err := w.store.Explain(run.RunID)
		if err != nil {
			return nil, err
		}
		for _, reason := range told.Reasons {
			texts = append(texts, reason.Text)
		}
	}
	return &end{Stuck: strings.Join(texts, "; ")}, nil
}
