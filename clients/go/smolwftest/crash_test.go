package smolwftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smolwf.internal/smolwf"
)

// order does what a workflow may do, as it should be done.
func order(ctx context.Context, run *smolwf.Attempt, id int) (int, error) {
	options := smolwf.StepOptions{Input: id, Track: true, MaxTries: 5}
	if _, err := smolwf.DoWith(ctx, run, "charge", options, keyed("charge")); err != nil {
		return 0, err
	}
	if err := run.Sleep("a month", 30*24*time.Hour); err != nil {
		return 0, err
	}
	by, err := smolwf.As[string](run.SignalAwait("approved", smolwf.Forever))
	if err != nil {
		return 0, err
	}
	if _, err := run.Transaction(ctx, "ship", func(_ context.Context, tx *smolwf.Tx) error {
		tx.Execute("INSERT INTO shipped (id, by) VALUES (?, ?)", id, by)
		return nil
	}); err != nil {
		return 0, err
	}
	child, _, err := run.ChildSubmit("bill", "bill", id, &smolwf.SubmitOptions{Queue: "bills"})
	if err != nil {
		return 0, err
	}
	return smolwf.As[int](run.ChildAwait(child, smolwf.Forever))
}

func bill(ctx context.Context, run *smolwf.Attempt, id int) (int, error) {
	if _, err := smolwf.Do(ctx, run, "send", keyed("mail")); err != nil {
		return 0, err
	}
	return 100 * id, nil
}

// keyed is work that touches the outside as it should.
func keyed(name string) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		Effect(name, smolwf.CurrentStep(ctx).ID())
		return 1, nil
	}
}

func bare(name string) func(context.Context) (int, error) {
	return func(context.Context) (int, error) {
		Effect(name, "")
		return 1, nil
	}
}

func shippedTable(store *smolwf.Store) error {
	return store.Tx(context.Background(), func(_ context.Context, tx *smolwf.Tx) error {
		tx.Execute("CREATE TABLE IF NOT EXISTS shipped (id INTEGER PRIMARY KEY, by TEXT NOT NULL)")
		return nil
	})
}

func TestAGoodWorkflowHasNoFinding(t *testing.T) {
	t.Parallel()
	report := Crash(t, Case{
		Workflows: map[string]smolwf.Workflow{"order": smolwf.Typed(order), "bill": smolwf.Typed(bill)},
		Workflow:  "order", Args: 7, Signals: []Signal{{"approved", "ada"}}, Setup: shippedTable, CompareResult: true,
	})
	// Three claims, and that of the child; the begin and the end of charge; the ask of the sleep and its end; two
	// parks; the clock; the message taken; ship; the child submitted, its step and end; its answer taken; the end.
	const commits = 18
	if report.Commits != commits || report.Cases != 1+2*commits || !strings.HasSuffix(report.String(), "no findings") {
		t.Error(report)
	}
}

// lost is what a process has in memory, and a kill takes away.
var lost struct {
	isFast bool
	cart   []string
}

// twoSteps asks for one step, and then for one that says what is in memory by then.
func twoSteps(second func(ctx context.Context, run *smolwf.Attempt) (any, error)) smolwf.Workflow {
	return func(ctx context.Context, run *smolwf.Attempt) (any, error) {
		_, err := smolwf.Do(ctx, run, "look", func(context.Context) (int, error) {
			lost.isFast = true
			lost.cart = append(lost.cart, "book")
			return 1, nil
		})
		if err != nil {
			return nil, err
		}
		return second(ctx, run)
	}
}

// planted are workflows with a fault each, and what is to be found.
var planted = map[string]struct {
	work  smolwf.Workflow
	kind  Kind
	name  string
	says  string
	first Finding // where it is seen first; the zero value is anywhere
}{
	"a charge without a key": {
		work: func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			return smolwf.Do(ctx, run, "pay", bare("charge"))
		},
		kind: EffectTwice, name: "charge", first: Finding{Commit: 2, Moment: before},
		says: `effect "charge" happened 2 times, and once in the clean run: hand whoever does it an idempotency key, such as ` +
			`the step's id, or record its start: a tracked step with MaxTries 1`,
	},
	"a charge with a key that is drawn in its step": {
		work: func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			return smolwf.Do(ctx, run, "pay", func(context.Context) (int, error) {
				Effect("charge", fmt.Sprint(rand.Int63()))
				return 1, nil
			})
		},
		kind: EffectTwice, name: "charge", first: Finding{Commit: 2, Moment: before},
		says: `and under 1 in the clean run: the key must be the same in every attempt, as the step's id is`,
	},
	"an effect outside of a step": {
		work: func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			Effect("mail", "")
			return smolwf.Do(ctx, run, "pay", keyed("charge"))
		},
		kind: EffectTwice, name: "mail", first: Finding{Commit: 2, Moment: before},
	},
	"a step with a name that is drawn": {
		work: func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			return smolwf.Do(ctx, run, fmt.Sprintf("draw %d", rand.Int63()), keyed("charge"))
		},
		kind: NotReplayed, first: Finding{Commit: 2, Moment: after},
		says: "occurrence 1 is recorded, and this attempt ends without having asked for it: what a workflow does must follow",
	},
	"a step with a name from the wall clock": {
		work: func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			return smolwf.Do(ctx, run, time.Now().String(), keyed("charge"))
		},
		kind: NotReplayed, first: Finding{Commit: 2, Moment: after},
	},
	"an input that is drawn": {
		work: func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			return smolwf.DoWith(ctx, run, "pay", smolwf.StepOptions{Input: rand.Int31()}, keyed("charge"))
		},
		kind: InputChanged, name: "pay", first: Finding{Commit: 2, Moment: after},
		says: "an input must follow from the args and from what is recorded",
	},
	"a branch on a global variable": {
		work: twoSteps(func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			if lost.isFast {
				return smolwf.Do(ctx, run, "fast", keyed("ship"))
			}
			return smolwf.Do(ctx, run, "slow", keyed("ship"))
		}),
		kind: NotReplayed, name: "fast", first: Finding{Commit: 3, Moment: after},
	},
	"an await that is another one after a kill": {
		work: twoSteps(func(_ context.Context, run *smolwf.Attempt) (any, error) {
			if lost.isFast {
				return nil, run.Sleep("pause", time.Hour)
			}
			_, err := run.AwaitAny("pause", []smolwf.Member{smolwf.After(time.Hour)}, smolwf.Forever)
			return nil, err
		}),
		kind: NotReplayed, name: "pause",
	},
	"an effect for what is in memory": {
		work: twoSteps(func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			for _, thing := range lost.cart {
				if _, err := smolwf.Do(ctx, run, "ship "+thing, keyed("ship")); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}),
		kind: EffectMissing, name: "ship", first: Finding{Commit: 2, Moment: after},
		says: `effect "ship" happened never, and once in the clean run`,
	},
	"a failure by what is not in memory": {
		work: twoSteps(func(context.Context, *smolwf.Attempt) (any, error) {
			if !lost.isFast {
				return nil, &smolwf.Retry{Err: errors.New("there is no cart"), Terminal: true}
			}
			return nil, nil
		}),
		kind: Outcome, name: "w", first: Finding{Commit: 2, Moment: after},
		says: "the run is failed, and completed in the clean run: there is no cart",
	},
	"a result of what is in memory": {
		work: twoSteps(func(context.Context, *smolwf.Attempt) (any, error) { return len(lost.cart), nil }),
		kind: Outcome, name: "w", first: Finding{Commit: 2, Moment: after},
		says: "the result is 0, and 1 in the clean run",
	},
	"an error of the first attempt that is swallowed": {
		work: func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			if run.Number() > 1 {
				return nil, nil // as if it had been done
			}
			return smolwf.Do(ctx, run, "pay", keyed("charge"))
		},
		kind: EffectMissing, name: "charge", first: Finding{Commit: 1, Moment: after},
	},
	"a wait for what nobody sends again": {
		work: twoSteps(func(_ context.Context, run *smolwf.Attempt) (any, error) {
			if !lost.isFast {
				_, err := run.SignalAwait("wake", smolwf.Forever)
				return nil, err
			}
			return 1, nil
		}),
		kind: Stuck, name: "w", says: `the run did not end: `, first: Finding{Commit: 2, Moment: after},
	},
	"a panic of a goroutine that is started by go": {
		work: twoSteps(func(context.Context, *smolwf.Attempt) (any, error) {
			if !lost.isFast {
				go func() { panic("there is no cart") }()
				select {}
			}
			return 1, nil
		}),
		kind: Outcome, name: "w", first: Finding{Commit: 2, Moment: after},
		says: "the run did not end: its process ended with exit status 2, and said: panic: there is no cart",
	},
	"an exit": {
		work: twoSteps(func(context.Context, *smolwf.Attempt) (any, error) {
			if !lost.isFast {
				fmt.Fprintln(os.Stderr, "there is no cart")
				os.Exit(3)
			}
			return 1, nil
		}),
		kind: Outcome, name: "w", first: Finding{Commit: 2, Moment: after},
		says: "the run did not end: its process ended with exit status 3, and said: there is no cart",
	},
}

func TestEachPlantedFaultIsFound(t *testing.T) {
	for name, plant := range planted {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := CrashReport(t, Case{Workflows: map[string]smolwf.Workflow{"w": plant.work}, CompareResult: true})
			at := slices.IndexFunc(report.Findings, func(f Finding) bool {
				return f.Kind == plant.kind && (plant.name == "" || f.Name == plant.name)
			})
			if at < 0 {
				t.Fatal(report)
			}
			found := report.Findings[at]
			if !strings.Contains(found.Text, plant.says) {
				t.Errorf("%+v", found)
			}
			if at := plant.first; at != (Finding{}) && (at.Commit != found.Commit || at.Moment != found.Moment) {
				t.Errorf("%+v\n%s", found, report)
			}
			if err := report.Check(); err == nil || err.Error() != report.String() {
				t.Error(err)
			}
		})
	}
}

func TestAProcessThatHangsIsAFindingAndTheLast(t *testing.T) {
	t.Parallel()
	report := CrashReport(t, Case{
		Timeout: 3 * time.Second,
		Workflows: map[string]smolwf.Workflow{"w": twoSteps(func(context.Context, *smolwf.Attempt) (any, error) {
			if !lost.isFast {
				select {}
			}
			return 1, nil
		})},
	})
	last := report.Findings[len(report.Findings)-1]
	if last.Kind != Stuck || last.Text != "the run did not end: its process was at work for more than 3 s" {
		t.Error(report)
	}
	if report.Commits != 2 || report.Cases != 5 || len(report.Findings) != 1 {
		t.Error(report)
	}
}

// The clean run is made of more than one attempt, in one process: some faults need no kill.
func TestWhatIsWrongWithoutAKillIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	report := CrashReport(t, Case{Workflows: map[string]smolwf.Workflow{
		"w": func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			if run.Number() == 1 {
				if _, err := smolwf.Do(ctx, run, "first", keyed("charge")); err != nil {
					return nil, err
				}
			}
			return nil, run.Sleep("pause", time.Hour)
		},
	}})
	want := `w: no commits, 1 case, 1 finding
not_replayed first, without a kill: step "first" occurrence 1 is recorded`
	if !strings.HasPrefix(report.String(), want) || report.Findings[0].Moment != clean {
		t.Error(report)
	}
}

// Children that nobody awaits are worked to their ends too, whatever becomes of them.
func TestChildrenAreWorkedToTheirEnds(t *testing.T) {
	t.Parallel()
	report := CrashReport(t, Case{
		Workflow: "w",
		Workflows: map[string]smolwf.Workflow{
			"w": func(_ context.Context, run *smolwf.Attempt) (any, error) {
				_, err := run.ChildSubmitMany([]smolwf.Item{
					{Name: "a", Workflow: "part"}, {Name: "b", Workflow: "waits"},
				})
				return nil, err
			},
			"part": func(ctx context.Context, run *smolwf.Attempt) (any, error) {
				return smolwf.Do(ctx, run, "pay", bare("charge"))
			},
			"waits": func(_ context.Context, run *smolwf.Attempt) (any, error) {
				return run.SignalAwait("never", smolwf.Forever)
			},
		},
	})
	if len(report.Findings) != 1 || report.Findings[0].Kind != EffectTwice || report.Findings[0].Name != "charge" {
		t.Error(report)
	}
}

func TestACleanRunThatDoesNotEndAsItHasToIsAnError(t *testing.T) {
	t.Parallel()
	fails := func(context.Context, *smolwf.Attempt) (any, error) {
		return nil, &smolwf.Retry{Err: errors.New("refused"), Terminal: true}
	}
	waits := func(_ context.Context, run *smolwf.Attempt) (any, error) {
		return run.SignalAwait("go", smolwf.Forever)
	}
	many := func(ctx context.Context, run *smolwf.Attempt) (any, error) {
		for i := range 3 {
			if _, err := smolwf.Do(ctx, run, "step", keyed(fmt.Sprint(i))); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	of := func(work smolwf.Workflow) map[string]smolwf.Workflow { return map[string]smolwf.Workflow{"w": work} }
	for _, c := range []struct {
		of   Case
		says string
	}{
		{Case{Workflows: of(fails)}, "the clean run of w is failed: refused"},
		{Case{Workflows: of(waits)}, "the clean run of w did not end: "},
		{Case{Workflows: of(many), State: "failed"}, "the clean run of w is completed"},
		{Case{Workflows: of(many), MaxCommits: 4}, "w makes more than 4 commits: raise MaxCommits, or test a smaller part of it"},
		{Case{Workflows: of(many), Setup: func(*smolwf.Store) error { return errors.New("no table") }}, "Setup: no table"},
		{Case{Workflows: of(many), Workflow: "v"}, `"v" is none of the workflows of the case`},
		{Case{Workflows: of(many), State: "happy"}, `no run ends as "happy"`},
		{Case{}, "the case has no workflows, and Workflow names none of them"},
	} {
		report, err := crash(t, c.of)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, not %q: %v", err, c.says, report)
		}
	}
	report, err := crash(t, Case{Workflows: of(fails), State: "failed"})
	if err != nil || report.Check() != nil || report.Commits != 2 {
		t.Error(report, err)
	}
}

func TestAnEffectDoesNothingWhereNoCrashTestRuns(t *testing.T) {
	if path := os.Getenv(witnessVariable); path != "" || InChild() {
		t.Fatal("this test runs in a process of a crash test: ", path)
	}
	Effect("charge", "")
	path := filepath.Join(t.TempDir(), "witness")
	t.Setenv(witnessVariable, path)
	Effect("charge", "a")
	Effect("charge", "")
	Effect("charge", "a")
	if all, err := readEffects(path); err != nil || all.byName["charge"].count() != 2 {
		t.Error(all, err)
	}
}

func TestSentencesOfTheLibraryAreRead(t *testing.T) {
	for sentence, want := range map[string]Finding{
		`step "a" was recorded with input hash 1, it is begun with 2`:                           {Kind: InputChanged, Name: "a"},
		`step "a \"b\" \\ \n\u{1b}\0" occurrence 1 is begun: the attempt only replays`:          {Kind: NotRecorded, Name: "a \"b\" \\ \n\x1b\x00"},
		`await "a" occurrence 1 was recorded as "sleep", it is asked as "any"`:                  {Kind: NotReplayed, Name: "a"},
		`child "a" occurrence 2 is recorded, and this attempt ends without having asked for it`: {Kind: NotReplayed, Name: "a"},
	} {
		if kind, name := kindOf(sentence); kind != want.Kind || name != want.Name {
			t.Errorf("%s: %s %q", sentence, kind, name)
		}
	}
	for failure, want := range map[string]string{
		`{"type":"t","message":"no stock"}`: "no stock", `"no stock"`: "no stock", `{"declined":5000}`: `{"declined":5000}`, ``: "null",
	} {
		if got := said(json.RawMessage(failure)); got != want {
			t.Errorf("%s: %s", failure, got)
		}
	}
}
