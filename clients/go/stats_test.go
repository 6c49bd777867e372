package smolwf

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestAStoreTellsHowItStands(t *testing.T) {
	store, one := file(t), 1
	must(t, store.SetQueue("narrow", QueueSettings{Concurrency: &one}))
	for _, queue := range []string{"narrow", "narrow", "other"} {
		submit(t, store, &SubmitOptions{Queue: queue})
	}
	attempt, err := store.TryClaim("narrow", nil)
	must(t, err)
	defer attempt.Close()
	stats, err := store.Stats()
	must(t, err)
	if c := stats.Runs; c.Total != 3 || c.Pending != 2 || c.Running != 1 || c.Completed != 0 || len(c.AtLeast) != 0 {
		t.Errorf("%+v", c)
	}
	full := []FullLimit{{Queue: "narrow", Limit: 1, Running: 1, RunIDs: []string{attempt.RunID()}}}
	if !reflect.DeepEqual(stats.Full, full) {
		t.Errorf("%+v", stats.Full)
	}
	queues, err := store.Queues()
	must(t, err)
	owners, err := store.Owners()
	must(t, err)
	if !reflect.DeepEqual(queues, stats.Queues) || !reflect.DeepEqual(owners, stats.Owners) {
		t.Errorf("%s", stats.Raw)
	}
	if f := stats.File; f.Bytes != f.Pages*f.PageBytes || f.Bytes == 0 {
		t.Errorf("%+v", f)
	}
	w := stats.Writer
	if w == nil || w.Writes < 4 || w.Batches.One+w.Batches.TwoTo7+w.Batches.EightTo63+w.Batches.SixtyFourAndUp != w.Commits {
		t.Errorf("%+v", w)
	}
	if stats.AtMS == 0 || stats.OldestReadyAtMS == nil || stats.OldestReadyForMS == nil {
		t.Errorf("%s", stats.Raw)
	}
}

// The document's keys are those of the structs: no name is misspelt, and none is left out.
func TestEveryKeyOfTheDocumentsIsRead(t *testing.T) {
	store, one := file(t), 1
	must(t, store.SetQueue("default", QueueSettings{Concurrency: &one}))
	runID := submit(t, store, nil)
	claim(t, store)
	stats, err := store.Stats()
	must(t, err)
	stillThere(t, stats.Raw, stats)
	raw, err := store.Explain(runID)
	must(t, err)
	if raw.Reasons[0].Code != "running" {
		t.Errorf("%+v", raw)
	}
}

// stillThere looks whether a document survives being read into v.
func stillThere(t *testing.T, document json.RawMessage, v any) {
	t.Helper()
	again, err := json.Marshal(v)
	must(t, err)
	var before, after any
	must(t, json.Unmarshal(document, &before))
	must(t, json.Unmarshal(again, &after))
	if !reflect.DeepEqual(before, after) {
		t.Errorf("%s\n%s", document, again)
	}
}

func TestQueuesAreListedByNameWithTheirLimitsAndWhatWaits(t *testing.T) {
	store, three, one := memory(t), 3, 1
	must(t, store.SetQueue("b", QueueSettings{Concurrency: &three, ConcurrencyPerKey: &one, Paused: true}))
	submit(t, store, &SubmitOptions{Queue: "a", RunAtMS: store.Now().Add(time.Second).UnixMilli()})
	submit(t, store, &SubmitOptions{Queue: "b"})
	queues, err := store.Queues()
	must(t, err)
	if len(queues) != 2 {
		t.Fatalf("%+v", queues)
	}
	a, b := queues[0], queues[1]
	if a.Queue != "a" || a.Delayed != 1 || a.Ready != 0 || a.Concurrency != nil || a.Paused {
		t.Errorf("%+v", a)
	}
	if b.Queue != "b" || *b.Concurrency != 3 || *b.ConcurrencyPerKey != 1 || !b.Paused || b.LastClaimedAtMS != nil {
		t.Errorf("%+v", b)
	}
}

func TestTheOwnersOfAStoreAreThoseWhoClaimFromIt(t *testing.T) {
	store := file(t)
	submit(t, store, nil)
	claim(t, store)
	owners, err := store.Owners()
	must(t, err)
	i := slices.IndexFunc(owners, func(o Owner) bool { return o.Running == 1 })
	if i < 0 || owners[i].PID != int64(os.Getpid()) || owners[i].Alive == nil || !*owners[i].Alive || owners[i].OldestLeaseAtMS == nil {
		t.Errorf("%+v", owners)
	}
}

func TestAHandleThatIsReadOnlyListsCountsExplainsAndTells(t *testing.T) {
	store := file(t)
	runID := submit(t, store, &SubmitOptions{Queue: "q"})
	reader, err := Open(store.Path(), &Options{ReadOnly: true})
	must(t, err)
	defer reader.Close()
	equal(t, "all", ids(t, reader, RunFilter{}), []string{runID})
	if count, err := reader.Count(RunFilter{}, 0); err != nil || count != 1 {
		t.Error(count, err)
	}
	if told, err := reader.Explain(runID); err != nil || told.RunID != runID {
		t.Error(told, err)
	}
	if stats, err := reader.Stats(); err != nil || stats.Runs.Total != 1 || stats.Writer != nil {
		t.Error(stats, err)
	}
	if queues, err := reader.Queues(); err != nil || len(queues) != 1 || queues[0].Ready != 1 {
		t.Error(queues, err)
	}
	if _, err := reader.Owners(); err != nil {
		t.Error(err)
	}
	if err := reader.Annotate(runID, map[string]any{"a": 1}); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	if _, err := reader.ActMany(ActCancel, RunFilter{}, 0); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	if dry, err := reader.ActMany(ActCancel, RunFilter{DryRun: true}, 0); err != nil || dry.Matched != 1 {
		t.Error(dry, err)
	}
}
