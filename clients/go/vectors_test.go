package smolwf

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const root = "../.."

func read(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "tests", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func memory(t *testing.T) *Store {
	t.Helper()
	options := &Options{ManualClock: true}
	store, err := OpenInMemory(options)
	if server != "" {
		store.Close()
		store, err = Open(place(t), options)
	}
	must(t, err)
	t.Cleanup(func() { store.Close() })
	return store
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, store *Store) *Attempt {
	t.Helper()
	run, err := store.TryClaim("", nil)
	must(t, err)
	if run == nil {
		t.Fatal("nothing to claim")
	}
	t.Cleanup(func() { run.Close() })
	return run
}

func TestCodesHaveTheirNames(t *testing.T) {
	var vectors struct {
		Codes []struct {
			Name string
			Code Code
		}
	}
	read(t, "codes.json", &vectors)
	source, err := os.ReadFile("errors.go")
	must(t, err)
	for _, c := range vectors.Codes {
		if c.Code.Error() != c.Name {
			t.Errorf("%d is %s, not %s", c.Code, c.Code.Error(), c.Name)
		}
		if c.Code < 0 && !bytes.Contains(source, []byte("= C."+c.Name+"\n")) {
			t.Errorf("%s has no constant", c.Name)
		}
	}
}

func TestIdsHaveTheirForm(t *testing.T) {
	var vectors struct {
		Form            string
		Prefixes        []string
		RefusedPrefixes []string `json:"refused_prefixes"`
		IDs             []string
		NotIDs          []string `json:"not_ids"`
	}
	read(t, "ids.json", &vectors)
	form := regexp.MustCompile(vectors.Form)
	for _, prefix := range vectors.Prefixes {
		id, err := NewID(prefix)
		must(t, err)
		if !form.MatchString(id) || !strings.HasPrefix(id, prefix+"_") {
			t.Errorf("%q from %q", id, prefix)
		}
	}
	for _, prefix := range vectors.RefusedPrefixes {
		if _, err := NewID(prefix); !errors.Is(err, ErrInvalid) {
			t.Errorf("prefix %q: %v", prefix, err)
		}
	}
	for _, id := range vectors.IDs {
		if !form.MatchString(id) {
			t.Errorf("%q does not match", id)
		}
	}
	for _, id := range vectors.NotIDs {
		if form.MatchString(id) {
			t.Errorf("%q matches", id)
		}
	}
}

func recorded(t *testing.T, store *Store, runID string) *History {
	t.Helper()
	history, err := store.History(runID, "", 0)
	must(t, err)
	return history
}

func TestInputsHaveTheirHashes(t *testing.T) {
	var vectors struct {
		Accepted []struct {
			Input, Canonical string
			InputHash        string `json:"input_hash"`
		}
		Refused []struct{ Why, Input, Answers string }
	}
	read(t, "inputs.json", &vectors)
	store := memory(t)
	runID, _, err := store.Submit("w", nil, nil)
	must(t, err)
	run := claim(t, store)
	for _, v := range vectors.Accepted {
		step, err := run.Begin("hashed", StepOptions{Input: json.RawMessage(v.Input)})
		must(t, err)
		must(t, step.Complete(nil))
		step.Close()
	}
	steps := recorded(t, store, runID).Steps
	if len(steps) != len(vectors.Accepted) {
		t.Fatalf("%d steps for %d inputs", len(steps), len(vectors.Accepted))
	}
	for i, v := range vectors.Accepted {
		if *steps[i].InputHash != v.InputHash {
			t.Errorf("%s has %s, not %s", v.Input, *steps[i].InputHash, v.InputHash)
		}
	}
	for _, v := range vectors.Refused {
		_, err := run.Begin("refused", StepOptions{Input: json.RawMessage(v.Input)})
		var e *Error
		if !errors.As(err, &e) || e.Code.Error() != v.Answers {
			t.Errorf("%s: %v, not %s", v.Why, err, v.Answers)
		}
	}
}

// act is one line of an occurrence case.
type act struct {
	Begin, Answers, Input, Then, Result, Error, As, Complete string

	At, Occurrence int
	RetryAfterMS   int64 `json:"retry_after_ms"`
	AdvanceMS      int64 `json:"advance_ms"`
}

func TestOccurrencesAreCountedAlike(t *testing.T) {
	var vectors struct {
		Cases []struct {
			Name     string
			Attempts [][]act
			Recorded [][2]any
		}
	}
	read(t, "occurrences.json", &vectors)
	for _, c := range vectors.Cases {
		t.Run(c.Name, func(t *testing.T) {
			store := memory(t)
			runID, _, err := store.Submit("w", nil, nil)
			must(t, err)
			for _, acts := range c.Attempts {
				run := claim(t, store)
				kept := map[string]*Step{}
				for _, a := range acts {
					do(t, run, kept, a)
				}
				must(t, run.Release(0))
				for _, step := range kept {
					step.Close()
				}
			}
			steps := recorded(t, store, runID).Steps
			if len(steps) != len(c.Recorded) {
				t.Fatalf("%d steps were recorded, not %d", len(steps), len(c.Recorded))
			}
			for i, want := range c.Recorded {
				if steps[i].Name != want[0] || float64(steps[i].Occurrence) != want[1] {
					t.Errorf("step %d is %v, not %v", i, steps[i], want)
				}
			}
		})
	}
}

func do(t *testing.T, run *Attempt, kept map[string]*Step, a act) {
	t.Helper()
	switch {
	case a.AdvanceMS > 0:
		must(t, run.Store().Advance(time.Duration(a.AdvanceMS)*time.Millisecond))
	case a.Complete != "":
		step := kept[a.Complete]
		delete(kept, a.Complete)
		answers(t, a, 0, step.Complete(json.RawMessage(a.Result)))
		step.Close()
	default:
		begin(t, run, kept, a)
	}
}

func begin(t *testing.T, run *Attempt, kept map[string]*Step, a act) {
	t.Helper()
	options := StepOptions{Occurrence: a.At}
	if a.Input != "" {
		options.Input = json.RawMessage(a.Input)
	}
	step, err := run.Begin(a.Begin, options)
	code := Code(0)
	var failed *Failed
	switch {
	case err == nil && step.Replayed:
		code = 3
		if string(step.Result()) != a.Result {
			t.Errorf("%+v: result %s", a, step.Result())
		}
	case errors.Is(err, ErrSuspend):
		code, err = 5, nil
	case errors.As(err, &failed):
		code, err = 6, nil
		if string(failed.Payload) != a.Error {
			t.Errorf("%+v: error %s", a, failed.Payload)
		}
	}
	answers(t, a, code, err)
	if step == nil {
		return
	}
	if step.Occurrence() != a.Occurrence {
		t.Errorf("%+v: occurrence %d", a, step.Occurrence())
	}
	if a.Then == "keep" {
		kept[a.As] = step
		return
	}
	defer step.Close()
	finish(t, step, a)
}

func finish(t *testing.T, step *Step, a act) {
	t.Helper()
	switch a.Then {
	case "complete":
		must(t, step.Complete(json.RawMessage(a.Result)))
	case "fail":
		after := time.Duration(a.RetryAfterMS) * time.Millisecond
		again, err := step.Fail(json.RawMessage(a.Error), FailOptions{RetryAfter: after})
		must(t, err)
		if !again {
			t.Errorf("%+v: not again", a)
		}
	case "fail_terminal":
		again, err := step.Fail(json.RawMessage(a.Error), FailOptions{Terminal: true})
		must(t, err)
		if again {
			t.Errorf("%+v: again", a)
		}
	case "", "free":
	default:
		t.Fatalf("unknown act %+v", a)
	}
}

func answers(t *testing.T, a act, code Code, err error) {
	t.Helper()
	var e *Error
	if errors.As(err, &e) {
		code = e.Code
	} else if err != nil {
		t.Fatalf("%+v: %v", a, err)
	}
	if code.Error() != a.Answers {
		t.Errorf("%+v: answered %s", a, code.Error())
	}
}
