package smolwf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const nobody = "run_01arz3ndektsv4rrffq69g5fav"

// ids lists all runs that a filter lets through.
func ids(t *testing.T, store *Store, filter RunFilter) []string {
	t.Helper()
	found := []string{}
	for run, err := range store.Runs(filter) {
		must(t, err)
		found = append(found, run.RunID)
	}
	return found
}

func idsOf(runs []*Run) []string {
	found := []string{}
	for _, run := range runs {
		found = append(found, run.RunID)
	}
	return found
}

// submitSome submits runs one after the other, and returns their ids, the oldest first.
func submitSome(t *testing.T, store *Store, count int) (made []string) {
	t.Helper()
	for range count {
		made = append(made, submit(t, store, nil))
	}
	return made
}

func equal(t *testing.T, what string, found, expected []string) {
	t.Helper()
	if !slices.Equal(found, expected) {
		t.Errorf("%s: %q, expected %q", what, found, expected)
	}
}

func TestRunsAreListedNewestFirstAndWithoutPayloadsUnlessIncluded(t *testing.T) {
	store := memory(t)
	first, _, err := store.Submit("w", []int{1}, &SubmitOptions{Metadata: map[string]any{"k": 1}})
	must(t, err)
	second := submit(t, store, nil)
	must(t, claim(t, store).Complete("done"))
	equal(t, "all", ids(t, store, RunFilter{}), []string{second, first})
	page, err := store.List(RunFilter{States: []string{"completed"}}, "", 0)
	must(t, err)
	bare := page.Items[0]
	if bare.Args != nil || bare.Result != nil || bare.Error != nil || bare.Metadata != nil || bare.RunID != first {
		t.Errorf("%s", bare.Raw)
	}
	every := []string{"args", "result", "error", "metadata", "waiting_for"}
	page, err = store.List(RunFilter{States: []string{"completed"}, Include: every}, "", 0)
	must(t, err)
	whole, err := store.Get(first)
	must(t, err)
	full := page.Items[0]
	if string(full.Args) != "[1]" || string(full.Result) != `"done"` || string(full.Metadata) != string(whole.Metadata) ||
		string(full.Error) != "null" || full.UpdatedAtMS != whole.UpdatedAtMS {
		t.Errorf("%s", full.Raw)
	}
	if page.Next != "" || page.LookedAt < 1 {
		t.Errorf("%+v", page)
	}
}

// zoo makes one run of each kind, and returns their ids by what they are.
func zoo(t *testing.T, store *Store) map[string]string {
	t.Helper()
	of := map[string]string{}
	make := func(kind, workflow string, o SubmitOptions) {
		runID, _, err := store.Submit(workflow, nil, &o)
		must(t, err)
		of[kind] = runID
	}
	make("parent", "parent", SubmitOptions{})
	attempt := claim(t, store)
	var err error
	of["child"], _, err = attempt.ChildSubmit("kid", "child", nil, &SubmitOptions{Queue: "kids"})
	must(t, err)
	must(t, attempt.Complete(nil))
	must(t, store.Advance(time.Second))
	make("failed", "failing", SubmitOptions{MaxTries: 1, Metadata: map[string]any{"tenant": "a", "n": 1}})
	attempt, err = store.TryClaim("", &ClaimOptions{Worker: "me"})
	must(t, err)
	_, err = attempt.Fail("no luck", FailOptions{Terminal: true})
	must(t, err)
	must(t, attempt.Close())
	must(t, store.Advance(time.Second))
	make("keyed", "keyed", SubmitOptions{IdempotencyKey: "k", CodeVersion: "v2"})
	make("shared", "keyed", SubmitOptions{IdempotencyKey: "k", IdempotencyScope: AllWorkflows})
	make("told", "told", SubmitOptions{})
	must(t, store.Cancel(of["told"], nil))
	return of
}

func TestEachFieldOfAFilterLetsThroughWhatItSays(t *testing.T) {
	store := memory(t)
	start, yes, no := store.Now().UnixMilli(), true, false
	of := zoo(t, store)
	cases := []struct {
		filter RunFilter
		kinds  string
	}{
		{RunFilter{}, "parent child failed keyed shared told"},
		{RunFilter{States: []string{"failed"}}, "failed"},
		{RunFilter{States: []string{"cancelled", "failed"}}, "failed told"},
		{RunFilter{Workflow: "keyed"}, "keyed shared"},
		{RunFilter{Queue: "kids"}, "child"},
		{RunFilter{CodeVersion: "v2"}, "keyed"},
		{RunFilter{Worker: "me"}, "failed"},
		{RunFilter{ParentRunID: of["parent"]}, "child"},
		{RunFilter{RootRunID: of["parent"]}, "parent child"},
		{RunFilter{RootsOnly: true, States: []string{"completed", "pending"}}, "parent keyed shared"},
		{RunFilter{CreatedFromMS: start + 1000, CreatedToMS: start + 2000}, "failed"},
		{RunFilter{CreatedToMS: start + 1000}, "parent child"},
		{RunFilter{FinishedFromMS: start + 1000}, "failed told"},
		{RunFilter{FinishedToMS: start + 1000}, "parent"},
		{RunFilter{Metadata: map[string]any{"tenant": "a"}}, "failed"},
		{RunFilter{Metadata: map[string]any{"tenant": "a", "n": 2}}, ""},
		{RunFilter{Workflow: "keyed", IdempotencyKey: "k"}, "keyed"},
		{RunFilter{IdempotencyKey: "k", IdempotencyScope: "keyed"}, "keyed"},
		{RunFilter{IdempotencyKey: "k", IdempotencyScope: AllWorkflows}, "shared"},
		{RunFilter{IdempotencyKey: "k"}, "shared"},
		{RunFilter{IdempotencyScope: "keyed"}, "keyed"},
		{RunFilter{ErrorContains: "no luck"}, "failed"},
		{RunFilter{CancelAsked: &yes}, ""},
		{RunFilter{CancelAsked: &no, Queue: "kids"}, "child"},
	}
	for _, c := range cases {
		expected := []string{}
		for _, kind := range strings.Fields(c.kinds) {
			expected = append(expected, of[kind])
		}
		c.filter.Order = "oldest"
		what := fmt.Sprintf("%+v", c.filter)
		equal(t, what, ids(t, store, c.filter), expected)
		if count, err := store.Count(c.filter, 0); err != nil || count != len(expected) {
			t.Errorf("%s: %d %v", what, count, err)
		}
	}
}

func TestPagesOfAnySizeMakeTheWholeListInEitherOrder(t *testing.T) {
	store := memory(t)
	all := submitSome(t, store, 5)
	for _, order := range []string{"oldest", "newest"} {
		for _, limit := range []int{1, 2, 5, 6} {
			found, cursor := []string{}, ""
			for isFirst := true; isFirst || cursor != ""; isFirst = false {
				page, err := store.List(RunFilter{Order: order}, cursor, limit)
				must(t, err)
				if len(page.Items) > limit {
					t.Fatalf("%d runs in a page of %d", len(page.Items), limit)
				}
				found = append(found, idsOf(page.Items)...)
				cursor = page.Next
			}
			equal(t, fmt.Sprintf("%s by %d", order, limit), found, all)
		}
		slices.Reverse(all)
	}
}

func TestAListThatIsLongerThanAPageIsRangedOverToItsEnd(t *testing.T) {
	store := memory(t)
	made, err := store.SubmitMany(slices.Repeat([]Item{{Workflow: "w"}}, 230))
	must(t, err)
	expected := []string{}
	for _, one := range made {
		expected = append(expected, one.RunID)
	}
	equal(t, "all", ids(t, store, RunFilter{Order: "oldest"}), expected)
	seen := 0
	for range store.Runs(RunFilter{}) {
		if seen++; seen == 3 {
			break // it may be left early
		}
	}
}

func TestWhatIsSubmittedBetweenTwoPagesMovesNothingInThoseThatFollow(t *testing.T) {
	store := memory(t)
	all := submitSome(t, store, 3)
	newest, err := store.List(RunFilter{}, "", 1)
	must(t, err)
	oldest, err := store.List(RunFilter{Order: "oldest"}, "", 2)
	must(t, err)
	equal(t, "the first", idsOf(newest.Items), all[2:])
	late := submitSome(t, store, 2)
	newest, err = store.List(RunFilter{}, newest.Next, 0)
	must(t, err)
	equal(t, "those before", idsOf(newest.Items), []string{all[1], all[0]})
	oldest, err = store.List(RunFilter{Order: "oldest"}, oldest.Next, 0)
	must(t, err)
	equal(t, "those after", idsOf(oldest.Items), append(all[2:], late...))
}

func TestACursorIsRefusedWithAnotherFilterOrderOrStore(t *testing.T) {
	store, other := memory(t), memory(t)
	submitSome(t, store, 3)
	submitSome(t, other, 3)
	pending := RunFilter{States: []string{"pending"}}
	page, err := store.List(pending, "", 1)
	must(t, err)
	turned := pending
	turned.Order = "oldest"
	for _, filter := range []RunFilter{{}, {States: []string{"failed"}}, turned} {
		if _, err := store.List(filter, page.Next, 0); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", filter, err)
		}
	}
	if _, err := other.List(pending, page.Next, 0); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := store.List(pending, "nonsense", 0); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestWhatIsNoFilterIsRefusedAndNamed(t *testing.T) {
	store := memory(t)
	cases := []struct {
		filter RunFilter
		code   Code
		names  string
	}{
		{RunFilter{States: []string{"done"}}, ErrInvalid, "state"},
		{RunFilter{States: []string{}}, ErrInvalid, "state"},
		{RunFilter{Include: []string{"steps"}}, ErrInvalid, "include"},
		{RunFilter{Order: "up"}, ErrInvalid, "order"},
		{RunFilter{Metadata: map[string]any{"deep": []int{1}}}, ErrInvalid, "deep"},
		{RunFilter{CreatedFromMS: -1}, ErrInvalid, "created_from_ms"},
		{RunFilter{ParentRunID: nobody}, ErrNotFound, nobody},
		{RunFilter{RootRunID: nobody}, ErrNotFound, nobody},
	}
	for _, c := range cases {
		_, listed := store.List(c.filter, "", 0)
		_, counted := store.Count(c.filter, 0)
		_, acted := store.ActMany(ActCancel, c.filter, 0)
		var ranged error
		for _, err := range store.Runs(c.filter) {
			ranged = err
		}
		for _, err := range []error{listed, counted, acted, ranged} {
			if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.names) {
				t.Errorf("%+v: %v", c.filter, err)
			}
		}
	}
	for _, limit := range []int{-1, 1001, 1 << 32} {
		if _, err := store.List(RunFilter{}, "", limit); !errors.Is(err, ErrInvalid) {
			t.Errorf("%d: %v", limit, err)
		}
	}
	for _, most := range []int{-1, 1_000_000_001} {
		if _, err := store.Count(RunFilter{}, most); !errors.Is(err, ErrInvalid) {
			t.Errorf("%d: %v", most, err)
		}
	}
	var unwritable *EncodeError
	if _, err := store.Count(RunFilter{Metadata: map[string]any{"f": t.Log}}, 0); !errors.As(err, &unwritable) {
		t.Error(err)
	}
	store.Close()
	if _, err := store.List(RunFilter{}, "", 0); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestACountStopsWhereItIsToldTo(t *testing.T) {
	store := memory(t)
	submitSome(t, store, 4)
	for most, expected := range map[int]int{0: 4, 3: 3, 4: 4, 9: 4} {
		if count, err := store.Count(RunFilter{States: []string{"pending"}}, most); err != nil || count != expected {
			t.Errorf("at most %d: %d %v", most, count, err)
		}
	}
}

func TestMetadataIsChangedMemberByMemberAlsoOfARunThatHasEnded(t *testing.T) {
	store := memory(t)
	runID := submit(t, store, &SubmitOptions{Metadata: map[string]any{
		"tenant": "a", "old": 1, "deep": map[string]any{"kept": true},
	}})
	must(t, store.Annotate(runID, map[string]any{"old": nil, "deep": map[string]any{"more": 2}}))
	must(t, claim(t, store).Complete(nil))
	must(t, store.Annotate(runID, map[string]any{"ticket": "T-8"}))
	if err := store.Annotate(runID, map[string]any{"text": strings.Repeat("x", 65_536)}); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	run, err := store.Get(runID)
	must(t, err)
	metadata, err := As[map[string]any](run.Metadata, nil)
	must(t, err)
	if text := fmt.Sprint(metadata); text != "map[deep:map[kept:true more:2] tenant:a ticket:T-8]" {
		t.Error(text)
	}
	equal(t, "by the new member", ids(t, store, RunFilter{Metadata: map[string]any{"ticket": "T-8"}}), []string{runID})
	if err := store.Annotate(nobody, map[string]any{}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := store.Annotate(runID, nil); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestManyAreActedOnAndCallsRepeatedWhileThereAreMoreComeToAnEnd(t *testing.T) {
	store := memory(t)
	submitSome(t, store, 5)
	done := 0
	for more := true; more; {
		acted, err := store.ActMany(ActCancel, RunFilter{}, 2)
		must(t, err)
		done, more = done+acted.Done, acted.More
	}
	if done != 5 {
		t.Fatalf("%d cancelled", done)
	}
	for _, action := range []Action{ActRetry, ActPause, ActResume} {
		if acted, err := store.ActMany(action, RunFilter{Workflow: "w"}, 0); err != nil || acted.Done != 5 {
			t.Fatalf("%s: %+v %v", action, acted, err)
		}
	}
	if count, err := store.Count(RunFilter{States: []string{"pending"}}, 0); err != nil || count != 5 {
		t.Fatal(count, err)
	}
}

func TestWhatAnActDoesNotDoIsTold(t *testing.T) {
	store := memory(t)
	all := submitSome(t, store, 2)
	must(t, claim(t, store).Complete(nil))
	filter := RunFilter{States: []string{"completed", "pending"}, DryRun: true}
	acted, err := store.ActMany(ActCancel, filter, 0)
	must(t, err)
	if acted.Matched != 2 || acted.Done != 0 || len(acted.Refused) != 1 {
		t.Errorf("a dry run: %+v", acted)
	}
	if run, err := store.Get(all[1]); err != nil || run.State != "pending" {
		t.Error(run.State, err)
	}
	filter.DryRun = false
	acted, err = store.ActMany(ActCancel, filter, 0)
	must(t, err)
	if acted.Matched != 2 || acted.Done != 1 || acted.More || !slices.Equal(acted.Refused, []Refused{{all[0], ErrConflict}}) {
		t.Errorf("%+v", acted)
	}
	if err := store.Cancel(all[0], nil); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	if _, err := store.ActMany("stop", RunFilter{}, 0); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), `"stop"`) {
		t.Error(err)
	}
}
