package smolwf

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// strictly plays a run, two tries at most, whose first attempt records a step, fails, and whose second one is end.
func strictly(t *testing.T, end Workflow) *Run {
	t.Helper()
	store := file(t)
	runID := submit(t, store, &SubmitOptions{MaxTries: 2, BackoffInitialMS: 1})
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	works(t, &Worker{Store: store, Strict: true, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, run *Attempt) (any, error) {
			if run.Number() > 1 {
				return end(ctx, run)
			}
			if _, err := Do(ctx, run, "charge", func(context.Context) (int, error) { return 1, nil }); err != nil {
				return nil, err
			}
			return nil, errors.New("the first one fails")
		},
	}})
	run, err := store.Wait(ctx, runID)
	must(t, err)
	return run
}

// It was given back instead, and claimed again, for ever.
func TestAStrictAttemptThatLeavesOutWhatIsRecordedHasFailed(t *testing.T) {
	for name, end := range map[string]Workflow{
		"by its result": func(context.Context, *Attempt) (any, error) { return 1, nil },
		"by itself": func(_ context.Context, run *Attempt) (any, error) {
			if err := run.Complete(1); !errors.Is(err, ErrNondeterminism) {
				t.Error(err)
			}
			return nil, nil // swallowed
		},
		"by a transaction": func(ctx context.Context, run *Attempt) (any, error) {
			return nil, run.CompleteTx(ctx, func(context.Context, *Tx) error { return nil })
		},
	} {
		run := strictly(t, end)
		if run.State != "failed" || run.Tries != 2 || run.Attempts != 2 {
			t.Errorf("%s: %s", name, run.Raw)
		}
		if !strings.Contains(string(run.Error), `step \"charge\" occurrence 1 is recorded`) {
			t.Errorf("%s: %s", name, run.Error)
		}
	}
}

func TestAStrictAttemptThatAsksForAllCompletes(t *testing.T) {
	run := strictly(t, func(ctx context.Context, run *Attempt) (any, error) {
		return Do(ctx, run, "charge", func(context.Context) (int, error) { return 2, nil })
	})
	if run.State != "completed" || string(run.Result) != "1" {
		t.Errorf("%s", run.Raw)
	}
}

func TestCarryWithoutAWatchHearsOfACancelByItsNextCall(t *testing.T) {
	store := file(t)
	runID := submit(t, store, nil)
	worker := &Worker{Store: store, Logger: silent, NoWatch: true, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, run *Attempt) (any, error) {
			must(t, store.Cancel(runID, nil))
			if ctx.Err() != nil {
				t.Error("it heard at once")
			}
			if err := run.Sleep("pause", 0); !errors.Is(err, ErrCancelled) || context.Cause(ctx) != err {
				t.Error(err)
			}
			return nil, nil
		},
	}}
	must(t, worker.Carry(context.Background(), claim(t, store)))
	if store.changes != nil {
		t.Error("a watch was opened")
	}
	run, err := store.Get(runID)
	must(t, err)
	if run.State != "cancelled" {
		t.Errorf("%s", run.Raw)
	}
}
