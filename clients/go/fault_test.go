package smolwf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// carried takes one attempt of a workflow through it, and returns the run's document.
func carriedOnce(t *testing.T, store *Store, o *SubmitOptions, work Workflow) *Run {
	t.Helper()
	runID, _, err := store.Submit("w", nil, o)
	must(t, err)
	carryOn(t, store, work)
	run, err := store.Get(runID)
	must(t, err)
	return run
}

func carryOn(t *testing.T, store *Store, work Workflow) {
	t.Helper()
	worker := &Worker{Store: store, Logger: silent, Workflows: map[string]Workflow{"w": work}}
	must(t, worker.Carry(context.Background(), claim(t, store)))
}

type own struct{}

func (own) Error() string        { return "mine" }
func (own) Is(target error) bool { return target == ErrSuspend }

type endless struct{}

func (e endless) Error() string { return "endless" }
func (e endless) Unwrap() error { return e }

type broken struct{}

func (broken) Error() string { return "broken" }
func (broken) Unwrap() error { panic("no unwrap") }

func TestAnErrorThatCarriesNothingButSuspendsParks(t *testing.T) {
	chain := ErrSuspend
	for range 60 {
		chain = errors.Join(chain, ErrSuspend)
	}
	parks := map[string]func() error{
		"itself":            func() error { return ErrSuspend },
		"wrapped":           func() error { return fmt.Errorf("a: %w", fmt.Errorf("b: %w", ErrSuspend)) },
		"a group":           func() error { return fmt.Errorf("all: %w", errors.Join(ErrSuspend, nil, ErrSuspend)) },
		"a group of groups": func() error { return chain },
		"a panic":           func() error { panic(fmt.Errorf("a: %w", ErrSuspend)) },
		"by its own Is":     func() error { return own{} },
		"in a Retry":        func() error { return &Retry{Err: ErrSuspend, After: time.Hour} },
	}
	for name, end := range parks {
		t.Run(name, func(t *testing.T) {
			run := carriedOnce(t, memory(t), nil, func(_ context.Context, run *Attempt) (any, error) {
				_, _ = run.SignalAwait("go", Forever)
				return nil, end()
			})
			if run.State != "waiting" || run.Tries != 0 {
				t.Fatalf("%s", run.Raw)
			}
		})
	}
}

func TestAnotherErrorBesideASuspendIsAFailureAndWhatIsRecorded(t *testing.T) {
	fails := map[string]error{
		"a group":       errors.Join(ErrSuspend, errors.New("real")),
		"two wrapped":   fmt.Errorf("%w; %w", errors.New("real"), ErrSuspend),
		"only its text": fmt.Errorf("real: %v", ErrSuspend),
		"endless":       errors.Join(ErrSuspend, fmt.Errorf("real: %w", endless{})),
	}
	for name, end := range fails {
		t.Run(name, func(t *testing.T) {
			run := carriedOnce(t, memory(t), nil, func(_ context.Context, run *Attempt) (any, error) {
				_, _ = run.SignalAwait("go", Forever)
				return nil, end
			})
			if run.State != "pending" || run.Tries != 1 || !strings.Contains(string(run.LastError), "real") {
				t.Fatalf("%s", run.Raw)
			}
			if name == "a group" && strings.Contains(string(run.LastError), ErrSuspend.Error()) {
				t.Fatalf("the suspend is recorded too: %s", run.LastError)
			}
		})
	}
}

func TestHoweverAWorkflowEndsItsErrorSaysHowAndWhere(t *testing.T) {
	var none *Retry
	ends := []struct {
		name string
		end  func() error
		has  []string
	}{
		{"an index", func() error { var s []int; _ = s[len(s)]; return nil },
			[]string{`"type":"panic"`, "index out of range", "fault_test.go", `"type":"runtime.boundsError"`}},
		{"a nil panic", func() error { panic(nil) }, []string{`"type":"panic"`, "nil argument", "fault_test.go"}},
		{"a value", func() error { panic(struct{ A int }{7}) }, []string{"panic: {7}"}},
		{"Goexit", func() error { runtime.Goexit(); return nil },
			[]string{`"type":"runtime.Goexit"`, "fault_test.go"}},
		{"a nil of a type", func() error { return none }, []string{`"type":"*smolwf.Retry"`, "fails when asked"}},
		{"a broken chain", func() error { return broken{} }, []string{`"type":"smolwf.broken"`, `"message":"broken"`}},
		{"a chain", func() error { return fmt.Errorf("outer <&>: %w", errors.New("inner")) },
			[]string{`"message":"outer <&>: inner"`, `"cause":{"type":"*errors.errorString","message":"inner"}`}},
		{"a group", func() error { return errors.Join(errors.New("one"), errors.New("two")) },
			[]string{`"cause":[{`, `"message":"one"`, `"message":"two"`}},
		{"a plain error", func() error { return io.EOF }, []string{`"message":"EOF"`, `"stack":"returned by smolwf.internal/smolwf.TestHowever`}},
	}
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			options := &SubmitOptions{MaxTries: 1}
			run := carriedOnce(t, memory(t), options, func(context.Context, *Attempt) (any, error) {
				return nil, e.end()
			})
			if run.State != "failed" || run.Tries != 1 {
				t.Fatalf("%s", run.Raw)
			}
			for _, text := range e.has {
				if !strings.Contains(string(run.Error), text) {
					t.Errorf("no %s in %s", text, run.Error)
				}
			}
		})
	}
}

func TestATraceIsAtMostEightKiBAndKeepsWhereItPanicked(t *testing.T) {
	var deep func(n int)
	deep = func(n int) {
		if n == 0 {
			panic("at the bottom")
		}
		deep(n - 1)
	}
	err := perform(func() error { deep(500); return nil })
	p, isPanic := err.(*Panic)
	if !isPanic || len(p.Stack) > stackMax || !strings.Contains(p.Stack, "fault_test.go") {
		t.Fatalf("%d bytes: %v", len(p.Stack), err)
	}
}

// A Goexit inside of work must not end the goroutine that called Do: its author waits for it.
func TestGoexitInTheWorkOfAStepIsAFailureOfTheStepInWhateverGoroutine(t *testing.T) {
	store := memory(t)
	work := func(ctx context.Context, run *Attempt) (any, error) {
		came := make(chan error)
		go func() {
			_, err := DoWith(ctx, run, "s", StepOptions{MaxTries: 1}, func(context.Context) (int, error) {
				runtime.Goexit()
				return 0, nil
			})
			came <- err
		}()
		return nil, <-came
	}
	run := carriedOnce(t, store, nil, work)
	if run.State != "failed" || run.Attempts != 1 || !strings.Contains(string(run.Error), "runtime.Goexit") {
		t.Fatalf("%s", run.Raw)
	}
}

func TestAGroupTurnsPanicsIntoErrorsAndIsAwaited(t *testing.T) {
	store, slow := memory(t), make(chan struct{})
	isDone := false
	run := carriedOnce(t, store, &SubmitOptions{MaxTries: 1}, func(ctx context.Context, run *Attempt) (any, error) {
		group := run.Group()
		group.Go(func() error { panic("in the group") })
		group.Go(func() error { runtime.Goexit(); return nil })
		group.Go(func() error { <-slow; isDone = true; return nil })
		go close(slow)
		return nil, group.Wait()
	})
	if run.State != "failed" || !isDone {
		t.Fatalf("%s", run.Raw)
	}
	for _, text := range []string{"in the group", "runtime.Goexit", "fault_test.go"} {
		if !strings.Contains(string(run.Error), text) {
			t.Errorf("no %s in %s", text, run.Error)
		}
	}
}

func TestAGroupThatNobodyWaitedForIsAwaitedAndItsErrorsCount(t *testing.T) {
	store, returned := memory(t), make(chan struct{})
	run := carriedOnce(t, store, &SubmitOptions{MaxTries: 1}, func(ctx context.Context, run *Attempt) (any, error) {
		defer close(returned)
		group := run.Group()
		group.Go(func() error {
			<-returned
			_, err := Do(ctx, run, "late", func(context.Context) (int, error) { return 1, nil })
			return err
		})
		group.Go(func() error { panic("unseen") })
		return "fine", nil
	})
	if run.State != "failed" || !strings.Contains(string(run.Error), "unseen") {
		t.Fatalf("%s", run.Raw)
	}
	if steps := recorded(t, store, run.RunID).Steps; len(steps) != 1 || steps[0].Name != "late" {
		t.Fatalf("%+v", steps)
	}
}

// What goes on after the end finds no freed memory: the race detector and cgocheck2 look on.
func TestGoroutinesLeftBehindAreRefusedAndDoNoHarm(t *testing.T) {
	store := memory(t)
	var kept *Attempt
	var step *Step
	var left sync.WaitGroup
	refusals := make(chan error, 8)
	run := carriedOnce(t, store, nil, func(ctx context.Context, run *Attempt) (any, error) {
		kept = run
		var err error
		if step, err = run.Begin("open", StepOptions{}); err != nil {
			return nil, err
		}
		begun := make(chan struct{}, 8)
		for i := range 8 {
			left.Add(1)
			go func() {
				defer left.Done()
				for n := 0; ; n++ {
					name := fmt.Sprintf("%d of %d", n, i)
					// Each is at work at any time: waiting for all at once would have no end.
					_, err := Do(ctx, run, name, func(context.Context) (int, error) {
						if n > 0 {
							time.Sleep(time.Millisecond)
						}
						return n, nil
					})
					if err != nil {
						refusals <- err
						return
					}
					if n == 0 {
						begun <- struct{}{}
					}
				}
			}()
		}
		for range 8 {
			<-begun
		}
		return "done", nil
	})
	left.Wait()
	for range 8 {
		if err := <-refusals; !errors.Is(err, ErrLeaseLost) {
			t.Error(err)
		}
	}
	if run.State != "completed" || kept.RunID() != run.RunID || kept.Number() != 1 {
		t.Fatalf("%s", run.Raw)
	}
	if err := step.Complete(1); !errors.Is(err, ErrLeaseLost) {
		t.Error(err)
	}
	if _, err := kept.SignalAwait("s", 0); !errors.Is(err, ErrLeaseLost) {
		t.Error(err)
	}
	must(t, store.Close())
	if err := kept.Heartbeat(0); !errors.Is(err, ErrLeaseLost) {
		t.Error(err)
	}
	if _, err := store.Get(run.RunID); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestAStoreThatIsClosedUnderItsCallsAnswersClosed(t *testing.T) {
	store, err := OpenInMemory(nil)
	must(t, err)
	var callers sync.WaitGroup
	for range 8 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for {
				_, _, err := store.Submit("w", nil, nil)
				if err == nil {
					_, err = store.Schedules()
				}
				if err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		}()
	}
	run, err := store.Claim(context.Background(), "", nil)
	must(t, err)
	must(t, store.Close())
	callers.Wait()
	if err := run.Complete(nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	must(t, run.Close())
}
