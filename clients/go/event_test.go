package smolwf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// tellFrom is another process: it claims the run of the queue "elsewhere", and tells of it.
func tellFrom(path string) {
	err := func() error {
		store, err := Open(path, nil)
		if err != nil {
			return err
		}
		defer store.Close()
		run, err := store.Claim(context.Background(), "elsewhere", nil)
		if err != nil {
			return err
		}
		defer run.Close()
		if _, err := run.Tell("said", "by a process", ""); err != nil {
			return err
		}
		return run.Complete(nil)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func tellElsewhere(t *testing.T, store *Store) {
	t.Helper()
	submit(t, store, &SubmitOptions{Queue: "elsewhere"})
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "SMOLWF_TEST_TELL="+store.Path())
	if said, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}

// teller claims a run to tell from.
func teller(t *testing.T, store *Store) *Attempt {
	t.Helper()
	submit(t, store, nil)
	return claim(t, store)
}

func tell(t *testing.T, run *Attempt, eventType string, what any) {
	t.Helper()
	_, err := run.Tell(eventType, what, "")
	must(t, err)
}

// soon is a context for what comes at once.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// follow returns a tail's next payloads, and what ended it.
func follow(store *Store, ctx context.Context, after int64, filter EventFilter, count int) (seen []string, last error) {
	for event, err := range store.Tail(ctx, after, filter) {
		if err != nil {
			return seen, err
		}
		if seen = append(seen, string(event.Payload)); len(seen) == count {
			break
		}
	}
	return seen, nil
}

func TestAWaitFindsTheEventsThatAreMeant(t *testing.T) {
	store := memory(t)
	one, two := teller(t, store), teller(t, store)
	tell(t, one, "a", 1)
	tell(t, one, "b", 2)
	tell(t, two, "a", 3)
	types := []string{"a", "b"}
	first, err := store.EventWait(soon(t), 0, EventFilter{Types: types}, 1)
	must(t, err)
	if len(first.Items) != 1 || first.FirstSeq > first.NextSeq || first.NextSeq > first.LastSeq {
		t.Errorf("%+v", first)
	}
	cases := []struct {
		after    int64
		filter   EventFilter
		expected []string
	}{
		{0, EventFilter{Types: types}, []string{"1", "2", "3"}},
		{0, EventFilter{Types: []string{"a"}}, []string{"1", "3"}},
		{0, EventFilter{Types: types, RunID: one.RunID()}, []string{"1", "2"}},
		{first.NextSeq, EventFilter{Types: types}, []string{"2", "3"}},
	}
	for _, c := range cases {
		seen, err := follow(store, soon(t), c.after, c.filter, len(c.expected))
		must(t, err)
		equal(t, fmt.Sprintf("%+v", c.filter), seen, c.expected)
	}
}

func TestWhatIsNoWaitForEventsIsRefused(t *testing.T) {
	store := memory(t)
	cases := []struct {
		after  int64
		filter EventFilter
		limit  int
		code   Code
	}{
		{-1, EventFilter{}, 0, ErrInvalid},
		{0, EventFilter{}, 10_001, ErrInvalid},
		{0, EventFilter{}, -1, ErrInvalid},
		{0, EventFilter{Types: []string{}}, 0, ErrInvalid},
		{0, EventFilter{Types: []string{""}}, 0, ErrInvalid},
		{0, EventFilter{RunID: nobody}, 0, ErrNotFound},
	}
	for _, c := range cases {
		if _, err := store.EventWait(soon(t), c.after, c.filter, c.limit); !errors.Is(err, c.code) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if seen, err := follow(store, soon(t), 0, EventFilter{RunID: nobody}, 1); seen != nil || !errors.Is(err, ErrNotFound) {
		t.Error(seen, err)
	}
}

func TestATailIsWokenByAnotherHandleAndByAnotherProcess(t *testing.T) {
	store := file(t)
	other, err := Open(store.Path(), nil)
	must(t, err)
	defer other.Close()
	said := make(chan string)
	go func() {
		defer close(said)
		for event, err := range store.Tail(soon(t), 0, EventFilter{Types: []string{"said"}}) {
			if err != nil {
				t.Error(err)
				return
			}
			said <- string(event.Payload)
			if string(event.Payload) == `"by a process"` {
				return
			}
		}
	}()
	run := teller(t, other)
	tell(t, run, "unsaid", nil)
	tell(t, run, "said", "by a handle")
	if what := <-said; what != `"by a handle"` {
		t.Error(what)
	}
	tellElsewhere(t, store)
	if what := <-said; what != `"by a process"` {
		t.Error(what)
	}
}

// Looks by the clock would take longer than the context lets them.
func TestATailIsWokenByEachEventAndDoesNotLookByTheClock(t *testing.T) {
	store := file(t)
	run := teller(t, store)
	for name, o := range map[string]*Options{"a handle": nil, "a handle that is read only": {ReadOnly: true}} {
		t.Run(name, func(t *testing.T) {
			follower, err := Open(store.Path(), o)
			must(t, err)
			defer follower.Close()
			next, heard := make(chan int, 1), 0
			defer close(next)
			go func() {
				for n := range next {
					if _, err := run.Tell(name, n, ""); err != nil {
						t.Error(err)
					}
				}
			}()
			next <- heard
			for _, err := range follower.Tail(soon(t), 0, EventFilter{Types: []string{name}}) {
				must(t, err)
				if heard++; heard == 60 {
					break
				}
				next <- heard // is told when the tail sleeps, most likely
			}
			if heard != 60 {
				t.Errorf("%d events", heard)
			}
		})
	}
}

func TestAHandleThatIsReadOnlyFollowsWhatAnotherProcessTells(t *testing.T) {
	store := file(t)
	reader, err := Open(store.Path(), &Options{ReadOnly: true})
	must(t, err)
	defer reader.Close()
	done := make(chan error)
	go func() {
		_, err := follow(reader, soon(t), 0, EventFilter{Types: []string{"said"}}, 1)
		done <- err
	}()
	tellElsewhere(t, store)
	must(t, <-done)
}

func TestATailEndsWithItsContextAsleepAndBetweenTwoEvents(t *testing.T) {
	store := file(t)
	run := teller(t, store)
	for n := range 3 {
		tell(t, run, "said", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	seen := 0
	for _, err := range store.Tail(ctx, 0, EventFilter{Types: []string{"said"}}) {
		must(t, err)
		if seen++; seen == 2 {
			cancel()
		}
	}
	if seen != 2 {
		t.Errorf("%d events", seen)
	}
	ctx, cancel = context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := follow(store, ctx, 0, EventFilter{Types: []string{"never"}}, 1)
		done <- err
	}()
	cancel()
	must(t, <-done)
}

func TestCloseEndsATail(t *testing.T) {
	store := file(t)
	done := make(chan error)
	go func() {
		_, err := follow(store, context.Background(), 0, EventFilter{Types: []string{"never"}}, 1)
		done <- err
	}()
	store.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestAWaitGoesOnWhereALookPassedOverManyThatAreNotMeant(t *testing.T) {
	store := memory(t)
	run := teller(t, store)
	for range 10_001 {
		tell(t, run, "noise", nil)
	}
	tell(t, run, "said", 1)
	page, err := store.EventWait(soon(t), 0, EventFilter{Types: []string{"said"}}, 0)
	must(t, err)
	if len(page.Items) != 1 || page.NextSeq < 10_002 {
		t.Errorf("%+v", page)
	}
}
