package smolwf

import (
	"errors"
	"testing"
)

func TestWhatHasEndedIsPrunedAndWhatLivesStays(t *testing.T) {
	store := memory(t)
	made := submitSome(t, store, 3)
	must(t, store.Cancel(made[0], nil))
	must(t, store.Cancel(made[1], nil))
	prune := func(filter RunFilter, limit, runs int, more bool) int64 {
		t.Helper()
		pruned, err := store.Prune(filter, limit)
		must(t, err)
		if pruned.Runs != runs || pruned.Trees != runs || pruned.More != more {
			t.Fatalf("%+v", pruned)
		}
		return pruned.Bytes
	}
	told := prune(RunFilter{DryRun: true}, 0, 2, false)
	first := prune(RunFilter{Order: "newest", States: []string{"cancelled"}}, 1, 1, true)
	if _, err := store.Get(made[1]); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if rest := prune(RunFilter{}, 0, 1, false); first+rest != told {
		t.Errorf("%d and %d of %d bytes", first, rest, told)
	}
	equal(t, "left", ids(t, store, RunFilter{}), made[2:])
}

func TestAPruneThatCannotBeIsRefused(t *testing.T) {
	store := memory(t)
	if _, err := store.Prune(RunFilter{}, 100_001); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := store.Prune(RunFilter{States: []string{"done"}}, 0); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := store.Prune(RunFilter{Metadata: map[string]any{"a": func() {}}}, 0); err == nil {
		t.Error("a filter that is no JSON was taken")
	}
}
