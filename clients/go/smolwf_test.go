package smolwf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEveryFunctionOfTheHeaderIsUsed(t *testing.T) {
	cdef, err := os.ReadFile(filepath.Join(root, "include", "smolwf.cdef"))
	must(t, err)
	var source strings.Builder
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		source.Write(text)
	}
	functions := regexp.MustCompile(`\b(sw_\w+)\(`).FindAllStringSubmatch(string(cdef), -1)
	if len(functions) < 60 {
		t.Fatalf("%d functions", len(functions))
	}
	for _, f := range functions {
		if !strings.Contains(source.String(), "C."+f[1]+"(") {
			t.Errorf("%s is not used", f[1])
		}
	}
}

func TestErrorsAreToldByTheirCode(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "no", "such.db"), nil)
	if !errors.Is(err, ErrCannotOpen) || errors.Is(err, ErrBusy) {
		t.Fatal(err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Message == "" || e.Retryable {
		t.Fatalf("%#v", e)
	}
	store := memory(t)
	if _, err := store.Get("run_01arz3ndektsv4rrffq69g5fav"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if _, _, err := store.Submit("", nil, nil); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
}

func TestNoErrorShowsThePasswordOfAURL(t *testing.T) {
	for _, url := range []string{
		"postgresql://me:hush@127.0.0.1:1/db", "postgresql:///db?host=/nowhere&password=hush",
		"postgresql://me:hush?@host", "postgresql:/me:hush@host/db", "redis://:hush@host", "a.db\x00hush",
	} {
		_, err := Open(url, &Options{BusyTimeout: 100 * time.Millisecond})
		if err == nil || strings.Contains(fmt.Sprintf("%+v %#v", err, err), "hush") {
			t.Errorf("%+v", err)
		}
	}
}

func TestPayloadsComeBackByteForByte(t *testing.T) {
	store := memory(t)
	raw := json.RawMessage("{ \"a\" :\t[1.0, \"\\u00e4\u00e4\"] }")
	runID, _, err := store.Submit("w", raw, &SubmitOptions{Metadata: map[string]any{"k": 1}})
	must(t, err)
	run := claim(t, store)
	if string(run.RawArgs()) != string(raw) || run.RunID() != runID {
		t.Fatalf("%s", run.RawArgs())
	}
	step, err := run.Begin("s", StepOptions{})
	must(t, err)
	must(t, step.Complete(raw))
	step.Close()
	must(t, run.Release(0))
	run = claim(t, store)
	step, err = run.Begin("s", StepOptions{})
	must(t, err)
	defer step.Close()
	if !step.Replayed || string(step.Result()) != string(raw) {
		t.Fatalf("%s", step.Result())
	}
	if run.Number() != 2 || run.Workflow() != "w" || run.Queue() != "default" || run.RootRunID() != runID {
		t.Fatal("the attempt's facts are wrong")
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	store, err := Open(filepath.Join(t.TempDir(), "a.db"), nil)
	must(t, err)
	defer store.Close()
	runID, _, err := store.Submit("w", nil, &SubmitOptions{Queue: "other"})
	must(t, err)
	waits := map[string]func(context.Context) error{
		"claim":  func(ctx context.Context) error { _, err := store.Claim(ctx, "", nil); return err },
		"run":    func(ctx context.Context) error { _, err := store.Wait(ctx, runID); return err },
		"change": func(ctx context.Context) error { return noChange(ctx, store) },
		"events": func(ctx context.Context) error {
			_, err := store.EventWait(ctx, 0, EventFilter{Types: []string{"none"}}, 0)
			return err
		},
	}
	for name, wait := range waits {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- wait(ctx) }()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func noChange(ctx context.Context, store *Store) error {
	seen, err := uint64(0), error(nil)
	for err == nil {
		seen, err = store.WaitChange(ctx, seen)
	}
	return err
}

func TestWaitersWakeEachOtherAndAreEndedByClose(t *testing.T) {
	store, err := Open(filepath.Join(t.TempDir(), "a.db"), nil)
	must(t, err)
	const count = 50
	var group sync.WaitGroup
	closed := make(chan error, count)
	for range count {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				run, err := store.Claim(context.Background(), "", nil)
				if err != nil {
					closed <- err
					return
				}
				err = run.Complete(run.RawArgs())
				run.Close()
				if err != nil {
					closed <- err
					return
				}
			}
		}()
	}
	for i := range 200 {
		runID, _, err := store.Submit("w", i, nil)
		must(t, err)
		run, err := store.Wait(context.Background(), runID)
		must(t, err)
		if run.State != "completed" || string(run.Result) != fmt.Sprint(i) {
			t.Fatalf("%s", run.Raw)
		}
	}
	must(t, store.Close())
	group.Wait()
	for range count {
		if err := <-closed; !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
}

func TestAWorkerParksSleepingRunsAndRetriesFailingSteps(t *testing.T) {
	store := memory(t)
	tries := 0
	worker := &Worker{Store: store, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, run *Attempt) (any, error) {
			if err := run.Sleep("nap", time.Hour); err != nil {
				return nil, err
			}
			return Do(ctx, run, "flaky", func(ctx context.Context) (int, error) {
				if CurrentStep(ctx).Name() != "flaky" {
					return 0, errors.New("no step")
				}
				if tries++; tries < 3 {
					return 0, &Retry{Err: errors.New("busy"), After: time.Minute}
				}
				return tries, nil
			})
		},
	}}
	runID, _, err := store.Submit("w", nil, nil)
	must(t, err)
	for range 4 {
		must(t, worker.Carry(context.Background(), claim(t, store)))
		must(t, store.Advance(time.Hour))
	}
	run, err := store.Get(runID)
	must(t, err)
	if run.State != "completed" || string(run.Result) != "3" {
		t.Fatalf("%s", run.Raw)
	}
}

func TestACancelEndsTheContextOfARunningWorkflow(t *testing.T) {
	store, err := Open(filepath.Join(t.TempDir(), "a.db"), nil)
	must(t, err)
	defer store.Close()
	begun := make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	worker := &Worker{Store: store, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, run *Attempt) (any, error) {
			close(begun)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		},
	}}
	runID, _, err := store.Submit("w", nil, nil)
	must(t, err)
	done := make(chan error)
	go func() { done <- worker.Run(ctx) }()
	<-begun
	must(t, store.Cancel(runID, "enough"))
	run, err := store.Wait(context.Background(), runID)
	must(t, err)
	if run.State != "cancelled" {
		t.Fatalf("%s", run.Raw)
	}
	stop()
	must(t, <-done)
}

func TestAPanicOfAWorkflowFailsItsAttempt(t *testing.T) {
	store := memory(t)
	worker := &Worker{Store: store, Workflows: map[string]Workflow{
		"w": func(context.Context, *Attempt) (any, error) { panic("no") },
	}}
	runID, _, err := store.Submit("w", nil, &SubmitOptions{MaxTries: 1})
	must(t, err)
	must(t, worker.Carry(context.Background(), claim(t, store)))
	run, err := store.Get(runID)
	must(t, err)
	if run.State != "failed" || !strings.Contains(string(run.Error), "panic: no") {
		t.Fatalf("%s", run.Raw)
	}
}

func TestSignalsChildrenAndAwaits(t *testing.T) {
	store := memory(t)
	runID, _, err := store.Submit("w", nil, nil)
	must(t, err)
	run := claim(t, store)
	if _, err := run.SignalAwait("go", time.Minute); !errors.Is(err, ErrSuspend) {
		t.Fatal(err)
	}
	childID, replayed, err := run.ChildSubmit("kid", "k", 7, nil)
	must(t, err)
	if replayed {
		t.Fatal("a new child was there before")
	}
	must(t, run.Suspend())
	existed, err := store.Signal(runID, "go", "now", "once")
	must(t, err)
	again, err := store.Signal(runID, "go", "now", "once")
	must(t, err)
	if existed || !again {
		t.Fatal("a key delivers once")
	}
	kid, err := store.TryClaim("", &ClaimOptions{Workflows: []string{"k"}})
	must(t, err)
	if kid.ParentRunID() != runID {
		t.Fatal(kid.ParentRunID())
	}
	must(t, kid.Complete(14))
	must(t, kid.Close())
	run = claim(t, store)
	message, err := run.SignalAwait("go", time.Minute)
	must(t, err)
	result, err := run.ChildAwait(childID, Forever)
	must(t, err)
	if string(message) != `"now"` || string(result) != "14" {
		t.Fatalf("%s %s", message, result)
	}
	came, err := run.AwaitAny("any", []Member{{Signal: "none"}, {Child: childID}}, Forever)
	must(t, err)
	if came.Index != 1 || string(came.Value) != "14" {
		t.Fatalf("%+v", came)
	}
	if _, err := run.AwaitAll("all", []Member{After(time.Second)}, 0); !errors.Is(err, ErrTimeout) {
		t.Fatal(err)
	}
	must(t, run.Complete(nil))
}

func TestRunsAreControlledFromOutside(t *testing.T) {
	store := memory(t)
	all, err := store.SubmitMany([]Item{{Workflow: "a", Args: 1}, {Workflow: "b"}, {Workflow: "c"}})
	must(t, err)
	must(t, store.Pause(all[0].RunID))
	one := 1
	must(t, store.SetQueue("default", QueueSettings{Concurrency: &one}))
	some, err := store.ClaimMany("", 10, nil)
	must(t, err)
	if len(some) != 1 || some[0].Workflow() != "b" {
		t.Fatalf("%d runs", len(some))
	}
	must(t, some[0].Heartbeat(0))
	if _, err := some[0].Fail("no", FailOptions{Terminal: true}); err != nil {
		t.Fatal(err)
	}
	must(t, some[0].Close())
	must(t, store.Retry(all[1].RunID))
	must(t, store.Resume(all[0].RunID))
	forkID, err := store.Fork(all[1].RunID, "")
	must(t, err)
	must(t, store.Cancel(forkID, nil))
	if run, err := store.Get(forkID); err != nil || run.State != "cancelled" {
		t.Fatal(run, err)
	}
	if id, err := store.Find("a", "none"); id != "" || err != nil {
		t.Fatal(id, err)
	}
}

func TestSchedulesFire(t *testing.T) {
	store := memory(t)
	must(t, store.SetSchedule("hourly", Schedule{Workflow: "w", EveryMS: 3_600_000}))
	must(t, store.Advance(time.Hour))
	claim(t, store)
	if all, err := store.Schedules(); err != nil || len(all) != 1 || all[0].Name != "hourly" {
		t.Fatalf("%+v %v", all, err)
	}
	must(t, store.DeleteSchedule("hourly"))
	if err := store.DeleteSchedule("hourly"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
}

func TestBudgetsAreReservedAndSettled(t *testing.T) {
	store := memory(t)
	runID, _, err := store.Submit("w", nil, &SubmitOptions{Budget: Amounts{"tokens": 100}})
	must(t, err)
	run := claim(t, store)
	id, existed, err := run.Reserve(nil, Amounts{"tokens": 60}, "call")
	must(t, err)
	if existed {
		t.Fatal("a new reservation was there before")
	}
	if _, _, err := run.Reserve(nil, Amounts{"tokens": 60}, ""); !errors.Is(err, ErrBudget) {
		t.Fatal(err)
	}
	must(t, store.Settle(id, Amounts{"tokens": 50}))
	must(t, store.RaiseBudget(runID, "tokens", 10))
	step, err := run.Begin("s", StepOptions{Kind: "model"})
	must(t, err)
	defer step.Close()
	_, _, err = run.Reserve(step, Amounts{"tokens": 60}, "")
	must(t, err)
	must(t, step.CompleteUsage("done", Amounts{"tokens": 55}))
	budget, err := store.Budget(runID)
	must(t, err)
	if b := budget.Units["tokens"]; b.Spent != 105 || b.Reserved != 0 || *b.Limit != 110 {
		t.Fatalf("%+v", b)
	}
	checked, err := store.Check()
	must(t, err)
	if !checked.Ok {
		t.Fatalf("%+v", checked)
	}
}

func TestABackupIsAStoreWithWhatWasThere(t *testing.T) {
	store := file(t)
	_, _, err := store.Submit("w", nil, nil)
	must(t, err)
	path := filepath.Join(t.TempDir(), "copy.db")
	must(t, store.Backup(path))
	_, _, err = store.Submit("w", nil, nil)
	must(t, err)
	copied, err := Open(path, nil)
	must(t, err)
	defer copied.Close()
	if run := claim(t, copied); run.Workflow() != "w" {
		t.Fatal(run.Workflow())
	}
	if err := store.Backup(path); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
}

func TestEventsAreReadInTheirOrder(t *testing.T) {
	store := memory(t)
	runID, _, err := store.Submit("w", nil, nil)
	must(t, err)
	run := claim(t, store)
	for i, key := range []string{"a", "b", "a"} {
		existed, err := run.Tell("seen", key, key)
		must(t, err)
		if existed != (i == 2) {
			t.Fatalf("telling %s as number %d: %v", key, i, existed)
		}
	}
	events, err := store.Events(0, runID, 0)
	must(t, err)
	if len(events) != 2 || events[0].Seq >= events[1].Seq || string(events[1].Payload) != `"b"` {
		t.Fatalf("%+v", events)
	}
}

func TestTheLibraryTellsOfItself(t *testing.T) {
	if Version() == "" || VersionNumber() == 0 || !json.Valid(BuildInfo()) {
		t.Fatal(Version(), VersionNumber(), string(BuildInfo()))
	}
	if text, err := Quote("a\"b"); err != nil || string(text) != `"a\"b"` {
		t.Fatalf("%s %v", text, err)
	}
	path := filepath.Join(t.TempDir(), "a.db")
	store, err := Open(path, &Options{NoInit: true})
	must(t, err)
	defer store.Close()
	if _, err := store.Migrate(1); err != nil {
		t.Fatal(err)
	}
	current, newest, err := store.SchemaVersion()
	must(t, err)
	if current != 1 || newest < 4 || store.Path() == "" || time.Since(store.Now()) > time.Hour {
		t.Fatal(current, newest, store.Path(), store.Now())
	}
	if applied, err := store.Migrations(); err != nil || len(applied) == 0 || applied[0].ID != 1 {
		t.Fatalf("%+v %v", applied, err)
	}
}

func TestAManualClockGoesToWhatComesDueNext(t *testing.T) {
	store, err := OpenInMemory(&Options{ManualClock: true})
	must(t, err)
	defer store.Close()
	began := store.Now()
	expect := func(want bool, after time.Duration) {
		t.Helper()
		isDue, err := store.AdvanceToDue()
		must(t, err)
		if passed := store.Now().Sub(began); isDue != want || passed != after {
			t.Errorf("%v after %v", isDue, passed)
		}
	}
	expect(false, 0)
	submit(t, store, &SubmitOptions{RunAtMS: began.Add(time.Hour).UnixMilli()})
	submit(t, store, &SubmitOptions{RunAtMS: began.Add(30 * time.Hour).UnixMilli()})
	expect(true, time.Hour)
	expect(true, time.Hour) // the first one is due
	must(t, claim(t, store).Complete(nil))
	expect(true, 30*time.Hour)
	if _, err := file(t).AdvanceToDue(); !errors.Is(err, ErrMisuse) {
		t.Error(err)
	}
}
