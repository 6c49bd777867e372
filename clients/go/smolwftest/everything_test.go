package smolwftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"smolwf.internal/smolwf"
)

// everything asks for whatever a workflow can ask for, and keeps the rules.
func everything(ctx context.Context, run *smolwf.Attempt) (any, error) {
	for _, part := range []func(context.Context, *smolwf.Attempt) error{
		sideBySide, flaky, byHand, several, timesOut, inTables,
	} {
		if err := part(ctx, run); err != nil {
			return nil, err
		}
	}
	return run.Workflow(), nil
}

func sideBySide(ctx context.Context, run *smolwf.Attempt) error {
	group := run.Group()
	for i := range 2 {
		group.Go(func() error {
			_, err := smolwf.DoWith(ctx, run, "beside", smolwf.StepOptions{Occurrence: i + 1}, keyed("beside"))
			return err
		})
	}
	return group.Wait()
}

// flaky has a step that fails before it does not, and one that fails for good.
func flaky(ctx context.Context, run *smolwf.Attempt) error {
	_, err := smolwf.Do(ctx, run, "flaky", func(ctx context.Context) (int, error) {
		if step := smolwf.CurrentStep(ctx); step.Tries() < 2 {
			return 0, errors.New("busy")
		}
		return 1, nil
	})
	if err != nil {
		return err
	}
	_, err = smolwf.Do(ctx, run, "declined", func(context.Context) (int, error) {
		return 0, &smolwf.Retry{Failure: "declined", Terminal: true}
	})
	if failed := (*smolwf.Failed)(nil); !errors.As(err, &failed) {
		return fmt.Errorf("declined: %w", err)
	}
	return nil
}

// byHand begins a step by itself, and spends.
func byHand(ctx context.Context, run *smolwf.Attempt) error {
	step, err := run.Begin("model", smolwf.StepOptions{Input: "why?"})
	if err != nil || step.Replayed {
		return err
	}
	defer step.Close()
	if _, _, err := run.Reserve(step, smolwf.Amounts{"tokens": 10}, ""); err != nil {
		return err
	}
	Effect("model", step.ID())
	return step.CompleteUsage("because", smolwf.Amounts{"tokens": 7})
}

// several submits children, one of which fails, and waits for any and for all.
func several(_ context.Context, run *smolwf.Attempt) error {
	children, err := run.ChildSubmitMany([]smolwf.Item{
		{Name: "part", Workflow: "part"}, {Name: "fails", Workflow: "fails", SubmitOptions: smolwf.SubmitOptions{MaxTries: 1}},
	})
	if err != nil {
		return err
	}
	var members []smolwf.Member
	for _, child := range children {
		members = append(members, smolwf.Member{Child: child.RunID})
	}
	if _, err := run.AwaitAny("first", append(members, smolwf.After(time.Hour)), smolwf.Forever); err != nil {
		return err
	}
	came, err := run.AwaitAll("all", members, smolwf.Forever)
	if err == nil && came[1].Outcome != "failed" {
		err = fmt.Errorf("it came as %s", came[1].Outcome)
	}
	return err
}

func timesOut(ctx context.Context, run *smolwf.Attempt) error {
	if _, err := run.SignalAwait("first", smolwf.Forever); err != nil {
		return err
	}
	if _, err := run.SignalAwait("second", time.Hour); !errors.Is(err, smolwf.ErrTimeout) {
		return fmt.Errorf("nobody sent it: %w", err)
	}
	_, err := smolwf.DoWith(ctx, run, "undo", smolwf.StepOptions{Cleanup: true, Track: true}, keyed("undo"))
	return err
}

func inTables(ctx context.Context, run *smolwf.Attempt) error {
	_, err := run.Transaction(ctx, "table", func(_ context.Context, tx *smolwf.Tx) error {
		tx.Execute("INSERT INTO shipped (id, by) VALUES (1, 'ada')")
		return nil
	})
	return err
}

var allOfIt = map[string]smolwf.Workflow{
	"everything": everything,
	"part": func(ctx context.Context, run *smolwf.Attempt) (any, error) {
		if err := run.Sleep("nap", time.Minute); err != nil {
			return nil, err
		}
		return smolwf.Do(ctx, run, "part", keyed("part"))
	},
	"fails": func(context.Context, *smolwf.Attempt) (any, error) { return nil, errors.New("it fails") },
}

var budgeted = &smolwf.SubmitOptions{Budget: smolwf.Amounts{"tokens": 1000}}

func TestAWorkflowOfEverythingHasNoFinding(t *testing.T) {
	t.Parallel()
	report := Crash(t, Case{
		Workflows: allOfIt, Workflow: "everything", Submit: budgeted, Signals: []Signal{{"first", 1}}, Setup: shippedTable,
		CompareResult: true,
	})
	if report.Commits < 30 { // steps side by side may share one
		t.Error(report)
	}
}

// Histories are taken whenever a worker tells of something, in the middle of attempts too: what is not recorded yet is
// no difference.
func TestAHistoryOfAnyMomentReplays(t *testing.T) {
	t.Parallel()
	store, err := smolwf.OpenInMemory(&smolwf.Options{ManualClock: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := shippedTable(store); err != nil {
		t.Fatal(err)
	}
	runID, _, err := store.Submit("everything", nil, budgeted)
	if err == nil {
		_, err = store.Signal(runID, "first", 1, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	work := newWork(store, runID, &Case{Workflows: allOfIt})
	work.worker.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	var documents []json.RawMessage
	work.worker.Hook = func(ctx context.Context, e smolwf.WorkerEvent) context.Context {
		// In the order in which they are taken.
		work.mu.Lock()
		defer work.mu.Unlock()
		document, err := store.Export(runID, smolwf.ExportOptions{})
		if err != nil {
			t.Error(err)
		}
		documents = append(documents, document)
		return ctx
	}
	if e, err := work.all(); err != nil || e.State != "completed" {
		t.Fatal(e, err)
	}
	runs := 0
	for _, document := range documents {
		replayed, err := ReplayReport(document, allOfIt)
		if err != nil && runs == 0 {
			continue // nothing is recorded yet
		}
		if err != nil || replayed.Check() != nil {
			t.Fatalf("%v %v\n%s", replayed, err, document)
		}
		runs += replayed.Runs
	}
	t.Logf("%d runs of %d histories", runs, len(documents))
	if runs < 30 {
		t.Error("too few")
	}
}
