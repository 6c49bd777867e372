package smolwf

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
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

func TestWhatAPolicyLetsGoIsGoneAfterClaims(t *testing.T) {
	store := memory(t)
	made := submitSome(t, store, 3)
	audit, _, err := store.Submit("audit", nil, nil)
	must(t, err)
	for _, run := range append(made, audit) {
		must(t, store.Cancel(run, nil))
	}
	hour, one, five := time.Hour.Milliseconds(), 1, 5
	policy := Retention{
		CancelledMS: &hour, KeepNewest: &one,
		Workflows: map[string]RetentionRule{"audit": {KeepNewest: &five}},
	}
	must(t, store.SetRetention(policy))
	found, err := store.Retention()
	must(t, err)
	if !reflect.DeepEqual(*found, policy) {
		t.Fatalf("%+v", found)
	}
	look := func(what string, left ...string) {
		t.Helper()
		if run, err := store.TryClaim("", nil); run != nil || err != nil {
			t.Fatal(run, err)
		}
		equal(t, what, ids(t, store, RunFilter{}), left)
	}
	look("within the hour", audit, made[2], made[1], made[0])
	must(t, store.Advance(2*time.Hour))
	look("after it", audit, made[2])
}

func TestAPolicyIsReplacedWholeAndEnded(t *testing.T) {
	store := memory(t)
	five, none := int64(5), int64(0)
	for _, policy := range []Retention{
		{FailedMS: &five, Workflows: map[string]RetentionRule{"w": {CompletedMS: &none}}},
		{CompletedMS: &none},
		{},
	} {
		must(t, store.SetRetention(policy))
		found, err := store.Retention()
		must(t, err)
		if !reflect.DeepEqual(*found, policy) {
			t.Errorf("%+v of %+v", found, policy)
		}
	}
	run := submit(t, store, nil)
	must(t, store.Cancel(run, nil))
	must(t, store.Advance(300*24*time.Hour))
	if _, err := store.TryClaim("", nil); err != nil {
		t.Fatal(err)
	}
	equal(t, "left", ids(t, store, RunFilter{}), []string{run})
}

func TestAPolicyThatCannotBeIsRefused(t *testing.T) {
	store := memory(t)
	less := int64(-1)
	if err := store.SetRetention(Retention{FailedMS: &less}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	long := map[string]RetentionRule{strings.Repeat("w", 300): {}}
	if err := store.SetRetention(Retention{Workflows: long}); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	if found, err := store.Retention(); err != nil || !reflect.DeepEqual(*found, Retention{}) {
		t.Error(found, err)
	}
}

func TestAFileOutOfWhichMuchHasGoneIsMadeSmaller(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.db")
	size := func() int64 {
		found, err := os.Stat(path)
		must(t, err)
		return found.Size()
	}
	store, err := Open(path, nil)
	must(t, err)
	for range 20 {
		// Equal payloads would stand there once, and packed.
		noise := make([]byte, 150_000)
		rand.Read(noise)
		run, _, err := store.Submit("w", base64.StdEncoding.EncodeToString(noise), nil)
		must(t, err)
		must(t, store.Cancel(run, nil))
	}
	if _, err := store.Prune(RunFilter{}, 0); err != nil {
		t.Fatal(err)
	}
	must(t, store.Close()) // moves the log into the file
	large := size()
	store, err = Open(path, nil)
	must(t, err)
	defer store.Close()
	if _, err := store.Compact(1_000_001); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	first, err := store.Compact(10)
	must(t, err)
	if first.FreedPages != 10 || first.LeftPages == 0 {
		t.Fatalf("%+v", first)
	}
	for freed := first.FreedPages; freed > 0; {
		next, err := store.Compact(0)
		must(t, err)
		freed = next.FreedPages
	}
	must(t, store.Close())
	if now := size(); now > large/2 {
		t.Errorf("%d of %d bytes", now, large)
	}
}
