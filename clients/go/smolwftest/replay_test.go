package smolwftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"smolwf.internal/smolwf"
)

// recordedBy plays workflows on a store until nothing can go on, and returns the document of the run "w".
func recordedBy(t *testing.T, workflows map[string]smolwf.Workflow, o *smolwf.SubmitOptions, signals ...string) json.RawMessage {
	t.Helper()
	store, err := smolwf.OpenInMemory(&smolwf.Options{ManualClock: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	runID, _, err := store.Submit("w", 7, o)
	for _, name := range signals {
		if err == nil {
			_, err = store.Signal(runID, name, name, "")
		}
	}
	if err == nil {
		work := newWork(store, runID, &Case{Workflows: workflows})
		work.worker.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
		_, err = work.all()
	}
	var document json.RawMessage
	if err == nil {
		document, err = store.Export(runID, smolwf.ExportOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// parts are what the workflow of these tests is made of, so that a test changes one of them.
type parts struct {
	step, second    string
	input, result   any
	sleep, child    string
	childIs, awaits string
	err             error
}

// usual has a step with an input, a sleep, a step without, a child that is awaited, and a message.
var usual = parts{
	step: "charge", second: "ship", input: 7, result: "done", sleep: "night", child: "bill", childIs: "bill", awaits: "approved",
}

func (p parts) workflows() map[string]smolwf.Workflow {
	ran := func(context.Context) (int, error) { return 1, nil }
	return map[string]smolwf.Workflow{
		"w": func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			if p.step != "" {
				if _, err := smolwf.DoWith(ctx, run, p.step, smolwf.StepOptions{Input: p.input}, ran); err != nil {
					return nil, err
				}
			}
			if err := run.Sleep(p.sleep, time.Hour); err != nil {
				return nil, err
			}
			if p.second != "" {
				if _, err := smolwf.Do(ctx, run, p.second, ran); err != nil {
					return nil, err
				}
			}
			id, _, err := run.ChildSubmit(p.child, p.childIs, nil, nil)
			if err != nil {
				return nil, err
			}
			if _, err := run.ChildAwait(id, smolwf.Forever); err != nil {
				return nil, err
			}
			if _, err := run.SignalAwait(p.awaits, smolwf.Forever); err != nil {
				return nil, err
			}
			return p.result, p.err
		},
		"bill": func(ctx context.Context, run *smolwf.Attempt) (any, error) {
			return smolwf.Do(ctx, run, "send", ran)
		},
	}
}

func (p parts) but(change func(*parts)) parts {
	change(&p)
	return p
}

func TestTheSameCodeReplaysWithoutADifference(t *testing.T) {
	replayed := Replay(t, recordedBy(t, usual.workflows(), nil, "approved"), usual.workflows())
	if replayed.Runs != 2 || replayed.String() != "2 runs, no differences" {
		t.Error(replayed)
	}
}

func TestARunThatIsOpenReplaysToItsEnd(t *testing.T) {
	document := recordedBy(t, usual.workflows(), nil)
	Replay(t, document, usual.workflows())
	// What comes behind the end of its history may be anything.
	Replay(t, document, usual.but(func(p *parts) { p.awaits, p.result = "signed", 1 }).workflows())
	Replay(t, document, map[string]smolwf.Workflow{"w": func(ctx context.Context, run *smolwf.Attempt) (any, error) {
		if _, err := usual.workflows()["w"](ctx, run); !errors.Is(err, smolwf.ErrSuspend) {
			return nil, err
		}
		return smolwf.Do(ctx, run, "instead", keyed("charge"))
	}})
}

func TestEachDifferenceIsNamed(t *testing.T) {
	done := recordedBy(t, usual.workflows(), nil, "approved")
	open := recordedBy(t, usual.workflows(), nil)
	failing := usual.but(func(p *parts) { p.err = &smolwf.Retry{Err: errors.New("refused"), Terminal: true} })
	failed := recordedBy(t, failing.workflows(), nil, "approved")
	for name, c := range map[string]struct {
		document json.RawMessage
		code     parts
		kind     Kind
		name     string
		says     string
	}{
		"a renamed step": {
			done, usual.but(func(p *parts) { p.step = "charge_card" }), NotRecorded, "charge_card",
			`step "charge_card" occurrence 1 is begun, and no end of it is recorded`,
		},
		"a removed step": {
			done, usual.but(func(p *parts) { p.step = "" }), NotReplayed, "charge",
			`step "charge" occurrence 1 is recorded, and this attempt ends without having asked for it`,
		},
		"a changed input":    {done, usual.but(func(p *parts) { p.input = 8 }), InputChanged, "charge", "input hash"},
		"a changed result":   {done, usual.but(func(p *parts) { p.result = 1 }), Outcome, "w", `the run completed with "done", and its replay with 1`},
		"a renamed sleep":    {done, usual.but(func(p *parts) { p.sleep = "pause" }), Waits, "pause", "the run ended, and its replay waits for pause"},
		"a renamed child":    {done, usual.but(func(p *parts) { p.child = "invoice" }), NotRecorded, "invoice", `child "invoice" is submitted, and history has none of it`},
		"another message":    {done, usual.but(func(p *parts) { p.awaits = "signed" }), Waits, "signed", "waits for signed"},
		"a new failure":      {done, usual.but(func(p *parts) { p.err = errors.New("no stock") }), Outcome, "w", "the run completed, and its replay fails: no stock"},
		"a failure that was": {failed, usual, Outcome, "w", "the run failed, and its replay completes"},
		"a renamed step of an open run": {
			open, usual.but(func(p *parts) { p.second = "send" }), NotReplayed, "ship", `step "ship" occurrence 1 is recorded`,
		},
		"a removed step of an open run":  {open, usual.but(func(p *parts) { p.second = "" }), NotReplayed, "ship", `step "ship" occurrence 1 is recorded`},
		"a changed input of an open run": {open, usual.but(func(p *parts) { p.input = 8 }), InputChanged, "charge", "input hash"},
	} {
		replayed, err := ReplayReport(c.document, c.code.workflows())
		if err != nil || replayed.Runs != 2 || len(replayed.Differences) != 1 {
			t.Errorf("%s: %v %v", name, replayed, err)
			continue
		}
		got := replayed.Differences[0]
		if got.Kind != c.kind || got.Name != c.name || got.Workflow != "w" || !strings.Contains(got.Text, c.says) {
			t.Errorf("%s: %+v", name, got)
		}
		if !strings.Contains(string(c.document), got.RunID) {
			t.Errorf("%s: the document has no run %s", name, got.RunID)
		}
		want := fmt.Sprintf("2 runs, 1 difference\n%s %s, in w %s: %s", got.Kind, got.Name, got.RunID, got.Text)
		if replayed.Check() == nil || replayed.Check().Error() != want {
			t.Error(replayed)
		}
	}
	if same, err := ReplayReport(failed, failing.workflows()); err != nil || same.Check() != nil {
		t.Error(same, err)
	}
}

// A run that its time-out ended, or a cancel, has not come to an end of its own.
func TestARunThatWasEndedReplaysToTheEndOfItsHistory(t *testing.T) {
	document := recordedBy(t, usual.workflows(), &smolwf.SubmitOptions{TimeoutMS: 2 * time.Hour.Milliseconds()})
	if !strings.Contains(string(document), "timeout") {
		t.Fatal("the run was not ended by its time-out")
	}
	Replay(t, document, usual.workflows())
	replayed, err := ReplayReport(document, usual.but(func(p *parts) { p.second = "send" }).workflows())
	if err != nil || len(replayed.Differences) != 1 || replayed.Differences[0].Name != "ship" {
		t.Error(replayed, err)
	}
}

func TestAnOpenRunThatFailsOnlyInItsReplayIsNamed(t *testing.T) {
	document := recordedBy(t, usual.workflows(), nil)
	replayed, err := ReplayReport(document, map[string]smolwf.Workflow{
		"w": func(context.Context, *smolwf.Attempt) (any, error) { panic("broken") },
	})
	if err != nil || replayed.Runs != 1 || len(replayed.Differences) != 1 {
		t.Fatal(replayed, err)
	}
	if got := replayed.Differences[0]; got.Kind != Outcome || got.Text != "the run is open, and its replay fails: panic: broken" {
		t.Error(got)
	}
}

func TestWhatCannotBeReplayedIsAnError(t *testing.T) {
	document := recordedBy(t, usual.workflows(), nil)
	if _, err := ReplayReport(document, map[string]smolwf.Workflow{"other": usual.workflows()["w"]}); err == nil ||
		err.Error() != "no run of the document is of these workflows and has recorded anything" {
		t.Error(err)
	}
	if _, err := ReplayReport(json.RawMessage(`{}`), usual.workflows()); !errors.Is(err, smolwf.ErrInvalid) {
		t.Error(err)
	}
}
