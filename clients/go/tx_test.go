package smolwf

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	accounts = "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))"
	taking   = "UPDATE accounts SET balance = balance - ? WHERE id = ?"
	giving   = "UPDATE accounts SET balance = balance + ? WHERE id = ?"
)

var background = context.Background()

// opens makes two accounts that have 100 each.
func opens(t *testing.T, store *Store) *Store {
	t.Helper()
	must(t, store.Tx(background, func(_ context.Context, tx *Tx) error {
		tx.Execute(accounts)
		tx.Execute("INSERT INTO accounts VALUES (1, 100), (2, 100)").ExpectChanges(2)
		return nil
	}))
	return store
}

// bank is two accounts with a run that was claimed.
func bank(t *testing.T) (*Store, *Attempt) {
	t.Helper()
	store := opens(t, memory(t))
	submit(t, store, &SubmitOptions{MaxTries: 100})
	return store, claim(t, store)
}

func balances(t *testing.T, store *Store, want ...int64) {
	t.Helper()
	rows, err := store.Query(background, "SELECT balance FROM accounts ORDER BY id")
	must(t, err)
	var all []int64
	for _, row := range rows.Rows {
		all = append(all, row[0].(int64))
	}
	if !slices.Equal(all, want) {
		t.Fatalf("balances %v, expected %v", all, want)
	}
}

// moves moves an amount from the first account to the second.
func moves(amount int64) func(context.Context, *Tx) error {
	return func(_ context.Context, tx *Tx) error {
		tx.Execute(taking, amount, 1).ExpectChanges(1)
		tx.ResultFrom(tx.Execute(giving, amount, 2).ExpectChanges(1))
		return nil
	}
}

func never(context.Context, *Tx) error { panic("the function ran again") }

// result of an item of a transaction that is committed.
func result(t *testing.T, item *TxItem) *TxResult {
	t.Helper()
	came, err := item.Result()
	must(t, err)
	return came
}

func TestATransactionOfAStoreIsDoneWholeAndSaysWhatEachItemCameTo(t *testing.T) {
	store := opens(t, memory(t))
	waits := submit(t, store, nil)
	var moved, read, run, same, first, second *TxItem
	must(t, store.Tx(background, func(_ context.Context, tx *Tx) error {
		moved = tx.Execute(giving+" RETURNING balance, x'01'", 5, 2).ExpectChanges(1)
		read = tx.Query("SELECT sum(balance) AS total FROM accounts")
		run = tx.Submit("v", json.RawMessage(`{"a":1}`), &SubmitOptions{IdempotencyKey: "k", Queue: "q"})
		same = tx.Submit("v", nil, &SubmitOptions{IdempotencyKey: "k"})
		first, second = tx.Signal(waits, "go", map[string]int{"n": 1}, "k"), tx.Signal(waits, "go", nil, "k")
		if _, err := moved.Result(); err == nil || !strings.Contains(err.Error(), "its function has not returned") {
			t.Error(err)
		}
		return nil
	}))
	if came := result(t, moved); came.Changes != 1 || !reflect.DeepEqual(came.Rows.Rows, [][]any{{int64(105), []byte{1}}}) {
		t.Errorf("%+v", came)
	}
	if came := result(t, read); !reflect.DeepEqual(*came.Rows, Rows{[]string{"total"}, [][]any{{int64(205)}}, false}) {
		t.Errorf("%+v", came)
	}
	runID, err := store.Find("v", "k")
	must(t, err)
	if one, other := result(t, run), result(t, same); one.RunID != runID || one.Exists || other.RunID != runID || !other.Exists {
		t.Errorf("%+v %+v", one, other)
	}
	if one, other := result(t, first), result(t, second); one.Exists || !other.Exists {
		t.Errorf("%+v %+v", one, other)
	}
	made, err := store.Get(runID)
	must(t, err)
	if string(made.Args) != `{"a":1}` || made.Queue != "q" {
		t.Errorf("%s", made.Raw)
	}
	must(t, store.Tx(background, func(context.Context, *Tx) error { return nil }))
}

func TestATransactionThatIsRefusedHasDoneNothing(t *testing.T) {
	mine := errors.New("by its author")
	acts := map[string]struct {
		act  func(tx *Tx) error
		says string
		is   error
	}{
		"other changes": {func(tx *Tx) error { tx.Execute(giving, 1, 99).ExpectChanges(1); return nil },
			"script[1]: sql changed 0 rows, expected 1", ErrConflict},
		"a constraint": {func(tx *Tx) error { tx.Execute(taking, 500, 1); return nil }, "CHECK", ErrConflict},
		"no SQL":       {func(tx *Tx) error { tx.Execute("UPSERT"); return nil }, "syntax error", ErrInvalid},
		"two":          {func(tx *Tx) error { tx.Execute("SELECT 1; SELECT 2"); return nil }, "more than one", ErrInvalid},
		"the library's": {func(tx *Tx) error { tx.Execute("DELETE FROM sw_workflow_steps"); return nil },
			"names that begin with sw_", ErrInvalid},
		"a query":      {func(tx *Tx) error { tx.Query("DELETE FROM accounts"); return nil }, "only a query", ErrInvalid},
		"a wrong item": {func(tx *Tx) error { tx.Query("SELECT 1").ExpectChanges(1); return nil }, "expect_changes", ErrInvalid},
		"nobody": {func(tx *Tx) error { tx.Signal("run_01arz3ndektsv4rrffq69g5fav", "go", nil, ""); return nil },
			"no run has the id", ErrNotFound},
		"no workflow":  {func(tx *Tx) error { tx.Submit("", nil, nil); return nil }, "script[1]", ErrInvalid},
		"no value":     {func(tx *Tx) error { tx.Execute(giving, math.NaN(), 1); return nil }, "params[0] is NaN", ErrInvalid},
		"no text":      {func(tx *Tx) error { tx.Execute("\xff"); return nil }, "no UTF-8", ErrInvalid},
		"no arguments": {func(tx *Tx) error { tx.Submit("v", func() {}, nil); return nil }, "has no form in JSON", nil},
		"no message":   {func(tx *Tx) error { tx.Signal("r", "go", math.NaN(), ""); return nil }, "has no form in JSON", nil},
		"an error":     {func(*Tx) error { return mine }, "by its author", mine},
	}
	for name, c := range acts {
		t.Run(name, func(t *testing.T) {
			store, run := bank(t)
			var first *TxItem
			work := func(_ context.Context, tx *Tx) error {
				first = tx.Execute(giving, 1, 1)
				return c.act(tx)
			}
			isIt := func(err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("%v", err)
				}
				if _, err := first.Result(); err == nil || !strings.Contains(err.Error(), "it failed") {
					t.Errorf("%v", err)
				}
			}
			isIt(store.Tx(background, work))
			isIt(run.Tx(background, work))
			isIt(run.CompleteTx(background, work))
			step, err := run.Begin("by hand", StepOptions{})
			must(t, err)
			isIt(step.CompleteTx(background, work))
			must(t, step.Complete("after all"))
			if _, err := run.Transaction(background, "s", work); !errors.Is(err, ErrSuspend) {
				t.Error(err)
			}
			_, err = run.TransactionWith(background, "once", StepOptions{MaxTries: 1}, work)
			var failed *Failed
			if !errors.As(err, &failed) || !strings.Contains(string(failed.Payload), strings.ReplaceAll(c.says, `"`, `\"`)) {
				t.Error(err)
			}
			balances(t, store, 100, 100)
		})
	}
}

func TestAStepMovesMoneyOnceAndAReplayAnswersItsResultWithoutRunningIt(t *testing.T) {
	store, run := bank(t)
	moved, err := As[TxResult](run.Transaction(background, "transfer", moves(30)))
	must(t, err)
	if moved.Changes != 1 || moved.Rows != nil {
		t.Fatalf("%+v", moved)
	}
	wide := func(_ context.Context, tx *Tx) error {
		tx.ResultFrom(tx.Query("SELECT 9223372036854775807, x'6200', 0.1, NULL"))
		return nil
	}
	row := [][]any{{int64(math.MaxInt64), []byte("b\x00"), 0.1, nil}}
	said := map[string]any{"wide": int64(math.MaxInt64)}
	must(t, run.Release(0))
	for range 2 {
		run = claim(t, store)
		if again, err := run.Transaction(background, "transfer", never); err != nil || string(again) != `{"changes":1}` {
			t.Fatalf("%s %v", again, err)
		}
		rows, err := As[Rows](run.Transaction(background, "rows", wide))
		must(t, err)
		if !reflect.DeepEqual(rows.Rows, row) {
			t.Fatalf("%#v", rows)
		}
		raw, err := run.Transaction(background, "said", func(_ context.Context, tx *Tx) error { tx.Result(said); return nil })
		must(t, err)
		if string(raw) != `{"wide":9223372036854775807}` {
			t.Fatalf("%s", raw)
		}
		if raw, err = run.Transaction(background, "none", func(context.Context, *Tx) error { return nil }); string(raw) != "null" || err != nil {
			t.Fatalf("%s %v", raw, err)
		}
		must(t, run.Release(0))
		wide = never
	}
	balances(t, store, 70, 130)
}

func TestATransactionThatFailedIsTriedAgainByItsBackoff(t *testing.T) {
	store, run := bank(t)
	ran := 0
	work := func(ctx context.Context, tx *Tx) error {
		if ran++; ran == 1 {
			return moves(500)(ctx, tx)
		}
		return moves(50)(ctx, tx)
	}
	if _, err := run.Transaction(background, "pay", work); !errors.Is(err, ErrSuspend) {
		t.Fatal(err)
	}
	must(t, store.Advance(time.Minute))
	if _, err := run.Transaction(background, "pay", work); err != nil || ran != 2 {
		t.Fatal(err, ran)
	}
	balances(t, store, 50, 150)
}

func TestAPanicOrAnExitInATransactionIsAFailedTryThatDidNothing(t *testing.T) {
	ends := map[string]func(){"panic": func() { panic("at the wheel") }, "runtime.Goexit": runtime.Goexit}
	for name, end := range ends {
		store, run := bank(t)
		work := func(ctx context.Context, tx *Tx) error {
			must(t, moves(1)(ctx, tx))
			end()
			return nil
		}
		_, err := run.TransactionWith(background, "s", StepOptions{MaxTries: 1}, work)
		var failed *Failed
		if !errors.As(err, &failed) || !strings.Contains(string(failed.Payload), name) {
			t.Error(name, err)
		}
		if why := perform(func() error { return store.Tx(background, work) }); why == nil {
			t.Error(name)
		}
		balances(t, store, 100, 100)
	}
}

func TestAResultWithoutAFormEndsTheStepForGoodAndNothingIsDone(t *testing.T) {
	store, run := bank(t)
	_, err := run.Transaction(background, "s", func(ctx context.Context, tx *Tx) error {
		tx.Execute(giving, 1, 1)
		tx.Result(map[string]any{"at": math.NaN()})
		return nil
	})
	var failed *Failed
	if !errors.As(err, &failed) || !strings.Contains(string(failed.Payload), `cannot be recorded: smolwf: $.at is NaN`) {
		t.Fatal(err)
	}
	balances(t, store, 100, 100)
}

func TestAWorkerPerformsTransactionsAndTellsOfThem(t *testing.T) {
	store := opens(t, file(t))
	var mu sync.Mutex
	var told []string
	worker := &Worker{Store: store, Logger: silent, Hook: func(ctx context.Context, e WorkerEvent) context.Context {
		if e.Step != "" {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, string(e.Kind)+" "+e.Step)
		}
		return ctx
	}}
	var step *Step
	worker.Workflows = map[string]Workflow{"w": func(ctx context.Context, run *Attempt) (any, error) {
		return run.Transaction(ctx, "move", func(ctx context.Context, tx *Tx) error {
			step = CurrentStep(ctx)
			return moves(25)(ctx, tx)
		})
	}}
	runID := submit(t, store, nil)
	must(t, worker.Carry(background, claim(t, store)))
	moved, err := WaitResult[TxResult](background, store, runID)
	must(t, err)
	if moved.Changes != 1 || step == nil || !slices.Equal(told, []string{"step_run move", "step_done move"}) {
		t.Fatal(moved, step, told)
	}
	balances(t, store, 75, 125)
}

func TestAnotherAttemptThatTookOverLeavesALateTransactionNothing(t *testing.T) {
	store, run := bank(t)
	var other *Attempt
	late := func(ctx context.Context, tx *Tx) error {
		if other == nil {
			must(t, store.Advance(time.Hour))
			other = claim(t, store)
		}
		return moves(1)(ctx, tx)
	}
	isLost := func(err error) {
		t.Helper()
		if !errors.Is(err, ErrLeaseLost) {
			t.Error(err)
		}
	}
	_, err := run.Transaction(background, "s", late)
	isLost(err)
	isLost(run.Tx(background, late))
	isLost(run.CompleteTx(background, late))
	balances(t, store, 100, 100)
	_, err = other.Transaction(background, "s", moves(2))
	must(t, err)
	_, err = run.Transaction(background, "s", late)
	isLost(err)
	balances(t, store, 98, 102)
}

func TestARunThatIsCancelledOnTheWayKeepsWhatItsStepHasDone(t *testing.T) {
	store, run := bank(t)
	_, err := run.Transaction(background, "s", func(ctx context.Context, tx *Tx) error {
		must(t, store.Cancel(run.RunID(), nil))
		return moves(5)(ctx, tx)
	})
	must(t, err)
	if _, err := run.Transaction(background, "next", never); !errors.Is(err, ErrCancelled) {
		t.Error(err)
	}
	if err := run.Tx(background, moves(5)); !errors.Is(err, ErrCancelled) {
		t.Error(err)
	}
	balances(t, store, 95, 105)
}

func TestAnAttemptCommitsInItsOwnNameAndEndsItsRunInATransaction(t *testing.T) {
	store := opens(t, memory(t))
	run := carriedOnce(t, store, nil, func(ctx context.Context, run *Attempt) (any, error) {
		if err := run.Tx(ctx, moves(1)); err != nil {
			return nil, err
		}
		return nil, run.CompleteTx(ctx, func(ctx context.Context, tx *Tx) error {
			tx.Execute(giving, 2, 2)
			tx.Result("done")
			return nil
		})
	})
	if run.State != "completed" || string(run.Result) != `"done"` {
		t.Fatalf("%s", run.Raw)
	}
	balances(t, store, 99, 103)
}

func TestAStepThatWasBegunByHandIsCompletedInATransactionOnce(t *testing.T) {
	store, run := bank(t)
	step, err := run.Begin("s", StepOptions{})
	must(t, err)
	for range 2 {
		must(t, step.CompleteTx(background, moves(4)))
	}
	if err := step.CompleteTx(background, moves(5)); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	balances(t, store, 96, 104)
	step.Close()
	if err := step.CompleteTx(background, moves(4)); !errors.Is(err, ErrLeaseLost) {
		t.Error(err)
	}
}

func TestOneTransactionInsideOfAnotherIsRefusedAndEndsItsStepForGood(t *testing.T) {
	store, run := bank(t)
	inner := map[string]func(ctx context.Context) error{
		"store":    func(ctx context.Context) error { return store.Tx(ctx, moves(1)) },
		"attempt":  func(ctx context.Context) error { return run.Tx(ctx, moves(1)) },
		"complete": func(ctx context.Context) error { return run.CompleteTx(ctx, moves(1)) },
		"step":     func(ctx context.Context) error { _, err := run.Transaction(ctx, "inner", moves(1)); return err },
	}
	for name, nested := range inner {
		var later context.Context
		work := func(ctx context.Context, tx *Tx) error {
			later = ctx
			tx.Execute(giving, 1, 1)
			return nested(ctx)
		}
		_, err := run.Transaction(background, name, work)
		var failed *Failed
		if !errors.As(err, &failed) || !strings.Contains(string(failed.Payload), "inside of another is no part of it") {
			t.Error(name, err)
		}
		var misuse *TxError
		if err := store.Tx(background, work); !errors.As(err, &misuse) {
			t.Error(name, err)
		}
		must(t, store.Tx(later, func(context.Context, *Tx) error { return nil })) // the outer one is over
	}
	balances(t, store, 100, 100)
}

func TestAQueryAndAStepMayStandInATransaction(t *testing.T) {
	store, run := bank(t)
	_, err := run.Transaction(background, "s", func(ctx context.Context, tx *Tx) error {
		rows, err := store.Query(ctx, "SELECT balance FROM accounts WHERE id = 1")
		must(t, err)
		fee, err := Do(ctx, run, "ask for the fee", func(context.Context) (int64, error) { return 3, nil })
		must(t, err)
		return moves(rows.Rows[0][0].(int64)-90+fee)(ctx, tx)
	})
	must(t, err)
	balances(t, store, 87, 113)
}

func TestAMisusedTransactionIsRefused(t *testing.T) {
	store, run := bank(t)
	var other *TxItem
	must(t, store.Tx(background, func(_ context.Context, tx *Tx) error { other = tx.Query("SELECT 1"); return nil }))
	misuses := map[string]func(tx *Tx) error{
		"two results":            func(tx *Tx) error { tx.Result(1); tx.Result(2); return nil },
		"the item of another":    func(tx *Tx) error { tx.ResultFrom(other); return nil },
		"a result not yet":       func(tx *Tx) error { _, err := tx.Query("SELECT 1").Result(); return err },
		"an error, and a misuse": func(tx *Tx) error { tx.Result(1); tx.Result(2); return &TxError{"mine"} },
	}
	for name, misuse := range misuses {
		work := func(_ context.Context, tx *Tx) error {
			tx.Execute(giving, 1, 1)
			return misuse(tx)
		}
		var e *TxError
		if err := store.Tx(background, work); !errors.As(err, &e) {
			t.Error(name, err)
		}
		var failed *Failed
		if _, err := run.Transaction(background, name, work); !errors.As(err, &failed) {
			t.Error(name, err)
		}
	}
	balances(t, store, 100, 100)
}

func TestWhatComesAfterTheEndOfATransactionIsRefusedAndFailsTheRun(t *testing.T) {
	store := opens(t, memory(t))
	run := carriedOnce(t, store, nil, func(ctx context.Context, run *Attempt) (any, error) {
		var kept *Tx
		_, err := run.Transaction(ctx, "s", func(ctx context.Context, tx *Tx) error {
			kept = tx
			return moves(1)(ctx, tx)
		})
		must(t, err)
		late := kept.Execute(giving, 1, 1).ExpectChanges(1)
		kept.Query("SELECT 1")
		kept.Submit("w", nil, nil)
		kept.Signal("r", "go", nil, "")
		kept.Result(1)
		if _, err := late.Result(); err == nil || !strings.Contains(err.Error(), "is over") {
			t.Error(err)
		}
		return nil, nil
	})
	if run.State != "failed" || !strings.Contains(string(run.Error), "the transaction is over") {
		t.Fatalf("%s", run.Raw)
	}
	balances(t, store, 99, 101)
}

func TestWhatComesAfterATransactionOutsideOfAWorkerIsLogged(t *testing.T) {
	var said strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&said, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	var kept *Tx
	must(t, memory(t).Tx(background, func(_ context.Context, tx *Tx) error { kept = tx; return nil }))
	kept.Execute("SELECT 1")
	if !strings.Contains(said.String(), "level=WARN") || !strings.Contains(said.String(), "the transaction is over") {
		t.Error(said.String())
	}
}

func TestGoroutinesMayShareATransaction(t *testing.T) {
	store := opens(t, memory(t))
	must(t, store.Tx(background, func(_ context.Context, tx *Tx) error {
		var group sync.WaitGroup
		for range 20 {
			group.Add(1)
			go func() {
				defer group.Done()
				tx.Execute(giving, 1, 1).ExpectChanges(1)
			}()
		}
		group.Wait()
		return nil
	}))
	balances(t, store, 120, 100)
}

func TestAWaitInATransactionParksTheRunAndNothingIsDone(t *testing.T) {
	store := opens(t, memory(t))
	run := carriedOnce(t, store, nil, func(ctx context.Context, run *Attempt) (any, error) {
		_, err := run.Transaction(ctx, "s", func(ctx context.Context, tx *Tx) error {
			tx.Execute(giving, 1, 1)
			return run.Sleep("nap", time.Hour)
		})
		return nil, err
	})
	if run.State != "waiting" {
		t.Fatalf("%s", run.Raw)
	}
	balances(t, store, 100, 100)
}

func TestAContextThatEndsLeavesATransactionUndone(t *testing.T) {
	store, run := bank(t)
	ctx, cancel := context.WithCancel(background)
	work := func(_ context.Context, tx *Tx) error {
		tx.Execute(giving, 1, 1)
		cancel()
		return nil
	}
	if err := store.Tx(ctx, work); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := run.Transaction(ctx, "s", never); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	balances(t, store, 100, 100)
}

func TestAWorkerThatStopsLeavesATransactionBehindThatDoesNothing(t *testing.T) {
	store := opens(t, file(t))
	begun, gate, came := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	worker := &Worker{Store: store, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, run *Attempt) (any, error) {
			_, err := run.Transaction(ctx, "s", func(ctx context.Context, tx *Tx) error {
				close(begun)
				<-gate
				return moves(1)(ctx, tx)
			})
			came <- err
			return nil, err
		},
	}}
	runID := submit(t, store, nil)
	_, wait := works(t, worker)
	<-begun
	worker.Stop()
	worker.Stop()
	must(t, wait())
	close(gate)
	if err := <-came; err == nil {
		t.Error("it was done")
	}
	balances(t, store, 100, 100)
	run, err := store.Get(runID)
	must(t, err)
	if run.State != "pending" || run.Tries != 0 {
		t.Fatalf("%s", run.Raw)
	}
}

func TestALockIsWaitedOutAndTheTransactionIsDoneOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	// Statements may take as long as calls wait, so it is not too short for them.
	store, err := Open(path, &Options{BusyTimeout: 200 * time.Millisecond})
	must(t, err)
	defer store.Close()
	opens(t, store)
	runID := submit(t, store, nil)
	other := &scenarioWorld{t: t, path: path, unlock: func() {}}
	t.Cleanup(func() { other.lock(false) })
	var delayed []string
	worker := &Worker{Store: store, Logger: silent, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, run *Attempt) (any, error) {
			return run.Transaction(ctx, "s", func(ctx context.Context, tx *Tx) error {
				other.lock(true)
				return moves(1)(ctx, tx)
			})
		},
	}, Hook: func(ctx context.Context, e WorkerEvent) context.Context {
		if e.Kind == EventDelayed {
			delayed = append(delayed, e.Call)
			other.lock(false)
		}
		return ctx
	}}
	must(t, worker.Carry(background, claim(t, store)))
	run, err := store.Get(runID)
	must(t, err)
	if run.State != "completed" || !slices.Equal(delayed, []string{"sw_tx_run"}) {
		t.Fatalf("%s %v", run.Raw, delayed)
	}
	balances(t, store, 99, 101)
}

func TestAStoreThatIsClosedOnTheWayIsToldAndNothingIsDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	store, err := Open(path, nil)
	must(t, err)
	opens(t, store)
	submit(t, store, nil)
	run := claim(t, store)
	_, err = run.Transaction(background, "s", func(ctx context.Context, tx *Tx) error {
		store.Close()
		return moves(1)(ctx, tx)
	})
	if !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "the store is closed") {
		t.Fatal(err)
	}
	store, err = Open(path, nil)
	must(t, err)
	defer store.Close()
	balances(t, store, 100, 100)
}

// dieInTx claims a run in a process of its own, which dies at a moment of its step.
func dieInTx(path, moment string) {
	die := func(now string) {
		if now == moment {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	store, err := Open(path, nil)
	if err != nil {
		panic(err)
	}
	run, err := store.Claim(background, "", nil)
	if err != nil {
		panic(err)
	}
	_, err = run.Transaction(background, "s", func(ctx context.Context, tx *Tx) error {
		err := moves(7)(ctx, tx)
		die("in its function")
		go die("on its way")
		return err
	})
	if err != nil {
		panic(err)
	}
	die("after its commit")
	select {} // on its way
}

func TestWheneverItsProcessIsKilledAStepHasMovedMoneyOnceWhenTheRunEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	store, err := Open(path, nil)
	must(t, err)
	defer store.Close()
	opens(t, store)
	runID := submit(t, store, &SubmitOptions{MaxTries: 100})
	for _, moment := range []string{"in its function", "on its way", "after its commit"} {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "SMOLWF_TEST_TX="+path, "SMOLWF_TEST_MOMENT="+moment)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("%s: %v\n%s", moment, err, out)
		}
	}
	balances(t, store, 93, 107)
	run, err := store.Claim(background, "", nil)
	must(t, err)
	worker := &Worker{Store: store, Logger: silent, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, run *Attempt) (any, error) { return run.Transaction(ctx, "s", moves(7)) },
	}}
	must(t, worker.Carry(background, run))
	balances(t, store, 93, 107)
	ended, err := store.Get(runID)
	must(t, err)
	if ended.State != "completed" || ended.Attempts != 4 {
		t.Fatalf("%s", ended.Raw)
	}
}
