package smolwf

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Workflow is the host's function. It runs from the top in every attempt, and returns the run's
// result, or an error: ErrSuspend parks the run, any other fails the attempt.
type Workflow func(ctx context.Context, run *Attempt) (any, error)

// Worker claims runs and carries them through the functions it knows.
type Worker struct {
	Store *Store
	// Queue to claim from; "" is "default".
	Queue string
	// Name under which its attempts are shown.
	Name string
	// Workflows by name: no others are claimed.
	Workflows map[string]Workflow
	// Concurrency is how many runs at once: 1.
	Concurrency int
	// Lease is LeaseWhileAlive when 0.
	Lease time.Duration
}

// Run works until its context ends, which is no error, or the store fails.
func (w *Worker) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for range max(w.Concurrency, 1) {
		group.Add(1)
		go func() {
			defer group.Done()
			if err := w.loop(ctx); err != nil {
				cancel(err)
			}
		}()
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) &&
		!errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (w *Worker) loop(ctx context.Context) error {
	options := &ClaimOptions{Lease: w.Lease, Worker: w.Name}
	if options.Lease == 0 {
		options.Lease = LeaseWhileAlive
	}
	for name := range w.Workflows {
		options.Workflows = append(options.Workflows, name)
	}
	for {
		run, err := w.Store.Claim(ctx, w.Queue, options)
		if ctx.Err() != nil {
			if run != nil {
				defer run.Close()
				return run.Release(0)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.Carry(ctx, run); err != nil {
			return err
		}
	}
}

// Carry takes one attempt through its workflow to its end, and frees it. A lost lease or a cancel is
// no error of the worker.
func (w *Worker) Carry(ctx context.Context, run *Attempt) error {
	defer run.Close()
	work, known := w.Workflows[run.Workflow()]
	if !known {
		return run.Release(0)
	}
	inner, stop := w.Store.whileHeld(ctx, run)
	defer stop()
	result, err := call(inner, work, run)
	switch {
	case ctx.Err() != nil && err != nil:
		err = run.Release(0)
	case err == nil:
		err = run.Complete(result)
	case errors.Is(err, ErrSuspend), errors.Is(err, ErrBudget):
		err = run.Suspend()
	case errors.Is(err, ErrLeaseLost):
	case errors.Is(err, ErrCancelled):
		err = run.Release(0)
	default:
		_, err = run.Fail(err.Error(), FailOptions{})
	}
	if errors.Is(err, ErrLeaseLost) || errors.Is(err, ErrCancelled) {
		return nil
	}
	return err
}

// call runs the workflow; a panic is a failure of the attempt.
func call(ctx context.Context, work Workflow, run *Attempt) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return work(ctx, run)
}

// whileHeld returns a context that ends when the run is cancelled or taken over.
func (s *Store) whileHeld(ctx context.Context, run *Attempt) (context.Context, func()) {
	inner, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Ends with the context at the latest.
		_ = s.until(inner, func() (bool, error) {
			err := run.Check()
			if err != nil {
				cancel(err)
			}
			return err != nil, nil
		})
	}()
	return inner, func() {
		cancel(nil)
		<-done
	}
}
