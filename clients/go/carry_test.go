package smolwf

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// begun submits a run that has recorded a step and waits for its child.
func begun(t *testing.T, store *Store) (run, child string) {
	t.Helper()
	run, _, err := store.Submit("parent", map[string]any{"n": 1.5}, nil)
	must(t, err)
	attempt := claim(t, store)
	step, err := attempt.Begin("paid", StepOptions{})
	must(t, err)
	must(t, step.Complete(7))
	child, _, err = attempt.ChildSubmit("part", "child", nil, nil)
	must(t, err)
	if _, err := attempt.ChildAwait(child, Forever); !errors.Is(err, ErrSuspend) {
		t.Fatal(err)
	}
	must(t, attempt.Suspend())
	return run, child
}

// goOn does what is left: the child, then the parent.
func goOn(t *testing.T, store *Store, run string) {
	t.Helper()
	must(t, claim(t, store).Complete("part"))
	attempt := claim(t, store)
	step, err := attempt.Begin("paid", StepOptions{})
	must(t, err)
	if attempt.RunID() != run || attempt.Number() != 2 || !step.Replayed || string(step.Result()) != "7" {
		t.Fatalf("%s %d %s", attempt.RunID(), attempt.Number(), step.Result())
	}
	child, _, err := attempt.ChildSubmit("part", "child", nil, nil)
	must(t, err)
	if part, err := As[string](attempt.ChildAwait(child, Forever)); err != nil || part != "part" {
		t.Fatal(part, err)
	}
	must(t, attempt.Complete("done"))
}

func TestARunGoesOnInAnotherStore(t *testing.T) {
	store, other := memory(t), memory(t)
	run, child := begun(t, store)
	document, err := store.Export(run, ExportOptions{})
	must(t, err)
	came, err := other.Import(document, ImportOptions{})
	must(t, err)
	if came.RunID != run || came.Runs != 2 {
		t.Fatalf("%+v", came)
	}
	if found, err := other.Get(child); err != nil || found.RootRunID != run {
		t.Fatal(found, err)
	}
	goOn(t, other, run)
	goOn(t, store, run)
}

func TestASecondCopyHasIDsOfItsOwn(t *testing.T) {
	store := memory(t)
	run, _ := begun(t, store)
	document, err := store.Export(run, ExportOptions{})
	must(t, err)
	if _, err := store.Import(document, ImportOptions{}); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	copied, err := store.Import(document, ImportOptions{IDs: "new"})
	must(t, err)
	if copied.RunID == run || len(ids(t, store, RunFilter{})) != 4 {
		t.Errorf("%+v", copied)
	}
}

func TestARedactedDocumentShowsNoPayloadAndIsNotImported(t *testing.T) {
	store := memory(t)
	run, _ := begun(t, store)
	document, err := store.Export(run, ExportOptions{Redact: true})
	must(t, err)
	if text := string(document); strings.Contains(text, "1.5") || !strings.Contains(text, `"redacted":true`) {
		t.Error(text)
	}
	if _, err := store.Import(document, ImportOptions{IDs: "new"}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestWhatCannotBeCarriedIsRefused(t *testing.T) {
	store := memory(t)
	run, child := begun(t, store)
	unknown, err := NewID("run")
	must(t, err)
	if _, err := store.Export(unknown, ExportOptions{}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := store.Export(child, ExportOptions{}); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), run) {
		t.Error(err)
	}
	for _, bad := range []json.RawMessage{nil, {}, json.RawMessage("{}")} {
		if _, err := store.Import(bad, ImportOptions{}); !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	}
	document, err := store.Export(run, ExportOptions{})
	must(t, err)
	if _, err := store.Import(document, ImportOptions{IDs: "some"}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestAStoreIsMovedWithItsRunsAndSaysWhereItWent(t *testing.T) {
	store, other := memory(t), memory(t)
	run, _ := begun(t, store)
	if report, err := store.Graduate(nil, GraduateOptions{Abort: true}); err != nil || report.State != "in_force" {
		t.Fatal(report, err)
	}
	if _, err := store.Graduate(nil, GraduateOptions{}); !errors.Is(err, ErrMisuse) {
		t.Error(err)
	}
	report, err := store.Graduate(other, GraduateOptions{For: time.Millisecond})
	for err == nil && report.State != "moved" {
		report, err = store.Graduate(other, GraduateOptions{For: time.Millisecond})
	}
	must(t, err)
	if len(report.Tables) == 0 || report.Rows == 0 {
		t.Errorf("%+v", report)
	}
	if _, err := store.Get(run); !errors.Is(err, ErrMoved) {
		t.Error(err)
	}
	goOn(t, other, run)
}
