package smolwf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// works runs a worker until the test ends, and returns what waits for its end.
func works(t *testing.T, w *Worker) (cancel func(), wait func() error) {
	t.Helper()
	if w.Logger == nil {
		w.Logger = silent
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	wait = sync.OnceValue(func() error { return <-done })
	t.Cleanup(func() { cancel(); w.Stop(); _ = wait() })
	return cancel, wait
}

func file(t *testing.T) *Store {
	t.Helper()
	store, err := Open(filepath.Join(t.TempDir(), "a.db"), nil)
	must(t, err)
	t.Cleanup(func() { store.Close() })
	return store
}

func submit(t *testing.T, store *Store, o *SubmitOptions) string {
	t.Helper()
	runID, _, err := store.Submit("w", nil, o)
	must(t, err)
	return runID
}

func TestTheContextSaysWhyItEnded(t *testing.T) {
	causes := map[string]struct {
		end  func(w *Worker, store *Store, runID string, cancel func())
		code error
	}{
		"a cancel":      {func(_ *Worker, store *Store, runID string, _ func()) { must(t, store.Cancel(runID, nil)) }, ErrCancelled},
		"a second stop": {func(w *Worker, _ *Store, _ string, cancel func()) { cancel(); w.Stop() }, ErrStopped},
		"two stops":     {func(w *Worker, _ *Store, _ string, _ func()) { w.Stop(); w.Stop() }, ErrStopped},
		"a close":       {func(_ *Worker, store *Store, _ string, _ func()) { store.Close() }, ErrClosed},
	}
	for name, c := range causes {
		t.Run(name, func(t *testing.T) {
			store, begun, cause := file(t), make(chan struct{}), make(chan error, 1)
			worker := &Worker{Store: store, Workflows: map[string]Workflow{
				"w": func(ctx context.Context, run *Attempt) (any, error) {
					close(begun)
					<-ctx.Done()
					cause <- context.Cause(ctx)
					return nil, ctx.Err()
				},
			}}
			runID := submit(t, store, nil)
			cancel, wait := works(t, worker)
			<-begun
			c.end(worker, store, runID, cancel)
			if err := <-cause; !errors.Is(err, c.code) {
				t.Fatal(err)
			}
			if name == "a cancel" {
				worker.Stop()
			}
			must(t, wait())
		})
	}
}

func TestAStopBeforeRunStopsIt(t *testing.T) {
	worker := &Worker{Store: memory(t), Workflows: map[string]Workflow{"w": nothingToDo}}
	worker.Stop()
	must(t, worker.Run(context.Background()))
	_, wait := works(t, worker) // and the one after it works again
	submit(t, worker.Store, &SubmitOptions{IdempotencyKey: "k"})
	runID, err := worker.Store.Find("w", "k")
	must(t, err)
	_, err = worker.Store.Wait(context.Background(), runID)
	must(t, err)
	if err := worker.Run(context.Background()); !errors.Is(err, ErrMisuse) {
		t.Fatal(err)
	}
	worker.Stop()
	must(t, wait())
}

func nothingToDo(context.Context, *Attempt) (any, error) { return nil, nil }

// A claim that is under way when the worker is stopped may still be answered.
func TestWhatWasClaimedWhileAStopCameIsGivenBack(t *testing.T) {
	stops := map[string]func(*Worker, context.CancelFunc){
		"by Stop":                   func(w *Worker, _ context.CancelFunc) { w.Stop() },
		"by the end of the context": func(_ *Worker, cancel context.CancelFunc) { cancel() },
	}
	for how, stop := range stops {
		t.Run(how, func(t *testing.T) { claimedWhileStopped(t, stop) })
	}
}

func claimedWhileStopped(t *testing.T, stop func(*Worker, context.CancelFunc)) {
	store := file(t)
	runID, _, err := store.Submit("w", nil, nil)
	must(t, err)
	worker := &Worker{Store: store, Workflows: map[string]Workflow{"w": func(context.Context, *Attempt) (any, error) {
		t.Error("the workflow began")
		return nil, nil
	}}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, err := worker.start(ctx)
	must(t, err)
	r.places()
	runs, err := r.look(1)
	must(t, err)
	stop(worker, cancel)
	r.take(runs[0])
	r.attempts.Wait()
	must(t, worker.finish(r))
	run, err := store.Get(runID)
	must(t, err)
	if run.State != "pending" || run.Tries != 0 || len(r.slots) != 0 {
		t.Errorf("%+v, %d places taken", run, len(r.slots))
	}
}

func TestANegativeGraceEndsAttemptsAtTheFirstStop(t *testing.T) {
	store, begun := memory(t), make(chan struct{})
	worker := &Worker{Store: store, Grace: -1, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, _ *Attempt) (any, error) {
			close(begun)
			<-ctx.Done()
			return "not kept", nil
		},
	}}
	runID := submit(t, store, nil)
	cancel, wait := works(t, worker)
	<-begun
	cancel()
	must(t, wait())
	if run, err := store.Get(runID); err != nil || run.State != "pending" || run.Tries != 0 {
		t.Fatalf("%v %s", err, run.Raw)
	}
}

func TestTheFirstSignalDrainsAndTheSecondEnds(t *testing.T) {
	store, begun, told := memory(t), make(chan struct{}), make(chan error, 1)
	stopping := make(chan struct{})
	worker := &Worker{Store: store, Logger: silent, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, _ *Attempt) (any, error) {
			close(begun)
			<-stopping
			told <- ctx.Err() // the first was no end of it
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}}
	runID := submit(t, store, nil)
	done := make(chan error, 1)
	go func() { done <- worker.RunUntilSignal(context.Background(), syscall.SIGUSR1) }()
	<-begun
	must(t, syscall.Kill(os.Getpid(), syscall.SIGUSR1))
	for isStopped := false; !isStopped; time.Sleep(time.Millisecond) { // a signal rings no bell here
		worker.mu.Lock()
		isStopped = worker.stops == 1
		worker.mu.Unlock()
	}
	close(stopping)
	must(t, <-told)
	must(t, syscall.Kill(os.Getpid(), syscall.SIGUSR1))
	must(t, <-done)
	if run, err := store.Get(runID); err != nil || run.State != "pending" || run.Tries != 0 {
		t.Fatalf("%v %s", err, run.Raw)
	}
}

func TestAWorkerThatCannotWorkSaysSo(t *testing.T) {
	store := file(t)
	path := store.Path()
	readOnly, err := Open(path, &Options{ReadOnly: true})
	must(t, err)
	defer readOnly.Close()
	flows := map[string]Workflow{"w": nothingToDo}
	for name, c := range map[string]struct {
		worker *Worker
		code   Code
	}{
		"no store":     {&Worker{Workflows: flows}, ErrInvalid},
		"no workflows": {&Worker{Store: store}, ErrInvalid},
		"no function":  {&Worker{Store: store, Workflows: map[string]Workflow{"w": nil}}, ErrInvalid},
		"no such":      {&Worker{Store: store, Workflows: flows, CodeVersions: map[string]string{"x": "1"}}, ErrInvalid},
		"a lease":      {&Worker{Store: store, Workflows: flows, Lease: time.Millisecond}, ErrInvalid},
		"read only":    {&Worker{Store: readOnly, Workflows: flows}, ErrReadOnly},
	} {
		if err := c.worker.Run(context.Background()); !errors.Is(err, c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, store.Close())
	must(t, (&Worker{Store: store, Workflows: flows}).Run(context.Background()))
}

func TestALeaseWithAnEndIsExtendedWhileItsStepRuns(t *testing.T) {
	store := file(t)
	worker := &Worker{Store: store, Lease: time.Second, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, run *Attempt) (any, error) {
			return Do(ctx, run, "s", func(context.Context) (int, error) {
				for range 3 {
					for last := run.LeaseExpiresAt(); run.LeaseExpiresAt().Equal(last); {
						time.Sleep(time.Millisecond) // until a heartbeat of the worker's
					}
				}
				return run.Number(), nil
			})
		},
	}}
	runID := submit(t, store, nil)
	works(t, worker)
	if n, err := WaitResult[int](context.Background(), store, runID); err != nil || n != 1 {
		t.Fatal(n, err)
	}
}

func TestAnAuthorsOwnCancelIsNoFailureOfAStepAndHisDeadlineIs(t *testing.T) {
	cases := []struct {
		name  string
		under func(ctx context.Context) (context.Context, context.CancelFunc)
		tries bool
	}{
		{"a cancel", context.WithCancel, false},
		{"a deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithDeadline(ctx, time.Now().Add(20*time.Millisecond))
		}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store := memory(t)
			run := carriedOnce(t, store, nil, func(ctx context.Context, run *Attempt) (any, error) {
				under, cancel := c.under(ctx)
				defer cancel()
				_, err := Do(under, run, "s", func(ctx context.Context) (int, error) {
					if !c.tries {
						cancel()
					}
					<-ctx.Done()
					return 0, ctx.Err()
				})
				if ctx.Err() != nil || errors.Is(err, ErrSuspend) != c.tries {
					t.Error(ctx.Err(), err)
				}
				if _, e := Do(under, run, "unbegun", func(context.Context) (int, error) {
					t.Error("work began under a context that had ended")
					return 0, nil
				}); e == nil {
					t.Error("no error")
				}
				return nil, err
			})
			if steps := recorded(t, store, run.RunID).Steps; (len(steps) == 1) != c.tries {
				t.Errorf("%+v", steps)
			}
			if (run.State == "waiting") != c.tries {
				t.Errorf("%s", run.Raw)
			}
		})
	}
}

func TestCleanupsOfACancelledRunHaveALivingContext(t *testing.T) {
	store, begun := file(t), make(chan struct{})
	worker := &Worker{Store: store, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, run *Attempt) (any, error) {
			close(begun)
			<-ctx.Done()
			if _, err := Do(ctx, run, "more", func(context.Context) (int, error) { return 1, nil }); !errors.Is(err, ErrCancelled) {
				t.Error(err)
			}
			undo := StepOptions{Cleanup: true}
			_, err := DoWith(ctx, run, "undo", undo, func(ctx context.Context) (string, error) {
				return "undone", ctx.Err()
			})
			return nil, errors.Join(err, context.Cause(ctx))
		},
	}}
	runID := submit(t, store, nil)
	works(t, worker)
	<-begun
	must(t, store.Cancel(runID, "enough"))
	run, err := store.Wait(context.Background(), runID)
	must(t, err)
	history, err := store.History(runID, "", 0)
	must(t, err)
	last := history.Steps[len(history.Steps)-1]
	if run.State != "cancelled" || !bytes.Contains(last.Result, []byte(`"undone"`)) {
		t.Fatalf("%+v", history)
	}
}

func TestChildrenOfOneNameThatAreSubmittedSideBySideFailTheRunForGood(t *testing.T) {
	w := newWorld(t, &scenario{})
	worker := &Worker{Store: w.store, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, run *Attempt) (any, error) {
			w.lock(true) // so that the first is still at it when the second comes
			group := run.Group()
			for range 2 {
				group.Go(func() error {
					_, _, err := run.ChildSubmit("kid", "k", nil, nil)
					w.unlock()
					return err
				})
			}
			_ = group.Wait()
			return "swallowed", nil
		},
	}}
	runID := submit(t, w.store, nil)
	works(t, worker)
	run, err := w.store.Wait(context.Background(), runID)
	must(t, err)
	if run.State != "failed" || run.Attempts != 1 || !strings.Contains(string(run.Error), `child \"kid\"`) {
		t.Fatalf("%s", run.Raw)
	}
}

func TestARetryOfAWorkflowSaysWhen(t *testing.T) {
	store := memory(t)
	runID := submit(t, store, nil)
	var told time.Time
	worker := &Worker{Store: store, Logger: silent, Workflows: map[string]Workflow{
		"w": func(context.Context, *Attempt) (any, error) {
			return nil, &Retry{Failure: []int{5}, After: 90 * time.Minute}
		},
	}}
	worker.Hook = func(_ context.Context, e WorkerEvent) context.Context {
		told = e.RetryAt
		return nil
	}
	must(t, worker.Carry(context.Background(), claim(t, store)))
	run, err := store.Get(runID)
	must(t, err)
	due := store.Now().Add(90 * time.Minute)
	if run.DueAtMS == nil || *run.DueAtMS != due.UnixMilli() || !told.Equal(due) || string(run.LastError) != "[5]" {
		t.Fatalf("%v %s", told, run.Raw)
	}
}

func TestARunThatAWorkerEndsByHandIsEndedOnce(t *testing.T) {
	store := memory(t)
	runID := submit(t, store, nil)
	var kinds []EventKind
	worker := &Worker{Store: store, Logger: silent, Workflows: map[string]Workflow{
		"w": func(_ context.Context, run *Attempt) (any, error) {
			return "the worker's", run.Complete("the author's")
		},
	}}
	worker.Hook = func(_ context.Context, e WorkerEvent) context.Context {
		kinds = append(kinds, e.Kind)
		return nil
	}
	must(t, worker.Carry(context.Background(), claim(t, store)))
	run, err := store.Get(runID)
	must(t, err)
	if string(run.Result) != `"the author's"` || !slices.Equal(kinds, []EventKind{EventClaimed, EventCompleted}) {
		t.Fatalf("%v %s", kinds, run.Raw)
	}
}

func TestAStepThatBeginLeftOpenKeepsNoRunFromBeingParked(t *testing.T) {
	store := memory(t)
	run := carriedOnce(t, store, nil, func(_ context.Context, run *Attempt) (any, error) {
		if _, err := run.Begin("left", StepOptions{}); err != nil {
			return nil, err
		}
		return nil, run.Sleep("rest", time.Hour)
	})
	if run.State != "waiting" {
		t.Fatalf("%s", run.Raw)
	}
}

func TestAHookThatPanicsOrExitsIsLoggedAndChangesNothing(t *testing.T) {
	for name, fail := range map[string]func(){"panics": func() { panic("no hook") }, "exits": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			var told bytes.Buffer
			store := memory(t)
			runID := submit(t, store, nil)
			worker := &Worker{
				Store: store, Logger: slog.New(slog.NewTextHandler(&told, nil)),
				Workflows: map[string]Workflow{"w": nothingToDo},
				Hook:      func(context.Context, WorkerEvent) context.Context { fail(); return nil },
			}
			must(t, worker.Carry(context.Background(), claim(t, store)))
			run, err := store.Get(runID)
			must(t, err)
			if run.State != "completed" || strings.Count(told.String(), "the hook failed") != 2 {
				t.Fatalf("%s %s", run.Raw, told.String())
			}
		})
	}
}

func TestAnAttemptThatIsClosedBeforeItsEndIsGivenBack(t *testing.T) {
	store := memory(t)
	runID := submit(t, store, nil)
	must(t, claim(t, store).Close())
	if run, err := store.Get(runID); err != nil || run.State != "pending" || run.Tries != 0 {
		t.Fatalf("%v %s", err, run.Raw)
	}
}

func TestIdempotencyKeysAreOfTheirWorkflow(t *testing.T) {
	store := memory(t)
	key := &SubmitOptions{IdempotencyKey: "k"}
	mail, _, err := store.Submit("mail", nil, key)
	must(t, err)
	invoice, existed, err := store.Submit("invoice", nil, key)
	must(t, err)
	many, err := store.SubmitMany([]Item{
		{Workflow: "mail", SubmitOptions: *key}, {Workflow: "invoice", SubmitOptions: *key},
	})
	must(t, err)
	if mail == invoice || existed || many[0].RunID != mail || many[1].RunID != invoice {
		t.Fatal(mail, invoice, existed, many)
	}
	if found, err := store.Find("invoice", "k"); err != nil || found != invoice {
		t.Fatal(found, err)
	}
	shared := &SubmitOptions{IdempotencyKey: "k", IdempotencyScope: AllWorkflows}
	first, _, err := store.Submit("mail", nil, shared)
	must(t, err)
	if found, err := store.Find(AllWorkflows, "k"); err != nil || found != first || first == mail {
		t.Fatal(found, err)
	}
	if _, _, err := store.Submit("invoice", nil, shared); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	own := &SubmitOptions{IdempotencyKey: "k", IdempotencyScope: "mail"}
	if _, _, err := store.Submit("invoice", nil, own); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
}

func TestTypedWorkflowsAndResults(t *testing.T) {
	store := memory(t)
	type order struct{ Count int }
	worker := &Worker{Store: store, Workflows: map[string]Workflow{
		"w": Typed(func(_ context.Context, run *Attempt, args order) (order, error) {
			more, err := As[order](run.SignalAwait("more", 0))
			if errors.Is(err, ErrTimeout) {
				return order{args.Count + 1}, nil
			}
			return more, err
		}),
	}}
	works(t, worker)
	ctx := context.Background()
	runID, _, err := store.Submit("w", order{6}, nil)
	must(t, err)
	if got, err := WaitResult[order](ctx, store, runID); err != nil || got.Count != 7 {
		t.Fatal(got, err)
	}
	if _, err := WaitResult[[]int](ctx, store, runID); !errors.As(err, new(*DecodeError)) {
		t.Fatal(err)
	}
	bad, _, err := store.Submit("w", "no order", nil)
	must(t, err)
	failed := new(Failed)
	if _, err := WaitResult[order](ctx, store, bad); !errors.As(err, &failed) || failed.Of != bad {
		t.Fatal(err)
	}
	if run, err := store.Get(bad); err != nil || run.Attempts != 1 {
		t.Fatalf("%v %s", err, run.Raw)
	}
	if _, err := Result[order](&Run{RunID: "r", State: "running"}); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
}

func TestALogIsQuietBelowWarningUnlessItIsAskedFor(t *testing.T) {
	var told bytes.Buffer
	handler := slog.NewJSONHandler(&told, &slog.HandlerOptions{Level: slog.LevelDebug})
	before := slog.Default()
	slog.SetDefault(slog.New(handler))
	defer slog.SetDefault(before)
	fails := func(ctx context.Context, run *Attempt) (any, error) {
		return Do(ctx, run, "s", func(context.Context) (int, error) { return 0, errors.New("on fire") })
	}
	kinds := func(logger *slog.Logger) (kinds []string) {
		told.Reset()
		store := memory(t)
		_, _, err := store.Submit("w", nil, &SubmitOptions{Metadata: map[string]any{"tenant": "t1"}})
		must(t, err)
		worker := &Worker{Store: store, Logger: logger, Workflows: map[string]Workflow{"w": fails}}
		must(t, worker.Carry(context.Background(), claim(t, store)))
		for decoder := json.NewDecoder(&told); decoder.More(); {
			var line map[string]any
			must(t, decoder.Decode(&line))
			kinds = append(kinds, line["msg"].(string))
			if metadata, _ := line["metadata"].(map[string]any); metadata["tenant"] != "t1" || line["workflow"] != "w" {
				t.Errorf("%v", line)
			}
		}
		return kinds
	}
	if got := strings.Join(kinds(nil), " "); got != "smolwf: step_failed" {
		t.Error(got)
	}
	if got := strings.Join(kinds(slog.New(handler)), ", "); got !=
		"smolwf: claimed, smolwf: step_run, smolwf: step_failed, smolwf: parked" {
		t.Error(got)
	}
}

type spanKey struct{}

// A hook opens a span where something begins and closes it where that ends.
func TestAHooksContextIsThatOfTheWorkAndOfItsLaterEvents(t *testing.T) {
	store := memory(t)
	var mu sync.Mutex
	var ends []string
	worker := &Worker{Store: store, Logger: silent, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, run *Attempt) (any, error) {
			if ctx.Value(spanKey{}) != "w" {
				t.Error(ctx.Value(spanKey{}))
			}
			return Do(ctx, run, "s", func(ctx context.Context) (any, error) { return ctx.Value(spanKey{}), nil })
		},
	}}
	worker.Hook = func(ctx context.Context, e WorkerEvent) context.Context {
		mu.Lock()
		defer mu.Unlock()
		switch e.Kind {
		case EventClaimed:
			return context.WithValue(ctx, spanKey{}, e.Workflow)
		case EventStepRun:
			return context.WithValue(ctx, spanKey{}, ctx.Value(spanKey{}).(string)+"/"+e.Step)
		}
		ends = append(ends, string(e.Kind)+" in "+ctx.Value(spanKey{}).(string))
		return nil
	}
	runID := submit(t, store, nil)
	must(t, worker.Carry(context.Background(), claim(t, store)))
	run, err := store.Get(runID)
	must(t, err)
	if string(run.Result) != `"w/s"` || strings.Join(ends, ", ") != "step_done in w/s, completed in w" {
		t.Fatal(string(run.Result), ends)
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		must(t, err)
		for _, d := range parsed.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil {
					t.Errorf("%s: %s is not documented", name, d.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if s, isType := spec.(*ast.TypeSpec); isType && s.Name.IsExported() && d.Doc == nil {
						t.Errorf("%s: %s is not documented", name, s.Name)
					}
					if s, isValue := spec.(*ast.ValueSpec); isValue && s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil {
						t.Errorf("%s: %s is not documented", name, s.Names[0])
					}
				}
			}
		}
	}
}
