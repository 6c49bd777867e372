package smolwf

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAnExplanationNamesWhatKeepsARun(t *testing.T) {
	store := memory(t)
	must(t, store.SetQueue("shut", QueueSettings{Paused: true}))
	kept := submit(t, store, &SubmitOptions{Queue: "shut"})
	parked := submit(t, store, nil)
	attempt := claim(t, store)
	if _, err := attempt.SignalAwait("go", Forever); !errors.Is(err, ErrSuspend) {
		t.Fatal(err)
	}
	must(t, attempt.Suspend())
	late := submit(t, store, &SubmitOptions{RunAtMS: store.Now().Add(time.Minute).UnixMilli()})
	expect := func(runID, code string) {
		t.Helper()
		told, err := store.Explain(runID)
		must(t, err)
		run, err := store.Get(runID)
		must(t, err)
		reason := told.Reasons[0]
		if told.RunID != runID || told.State != run.State || reason.Code != code || reason.Text == "" {
			t.Errorf("%+v", told)
		}
		if !strings.HasPrefix(string(reason.Evidence), "{") {
			t.Errorf("%s", reason.Evidence)
		}
	}
	expect(kept, "queue_paused")
	expect(parked, "waits_signal")
	expect(late, "not_due")
	must(t, store.Cancel(parked, nil))
	expect(parked, "ended")
	if _, err := store.Explain(nobody); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := store.Explain(""); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}
