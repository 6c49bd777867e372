package smolwf

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

type inner struct {
	Bad  any            `json:"bad"`
	Skip chan int       `json:"-"`
	Dash any            `json:"-,"`
	Gone func()         `json:"gone,omitempty"`
	M    map[string]any `json:"a b"`
}

type outer struct {
	inner
	Items [2]any
	Next  *outer
	lower chan int
}

type refusing struct{ n int }

func (r *refusing) MarshalJSON() ([]byte, error) {
	if r.n == 0 {
		panic("no marshal")
	}
	return nil, errors.New("will not")
}

func TestAValueWithoutAFormIsNamedByItsPlace(t *testing.T) {
	self := []any{nil}
	self[0] = map[string]any{"up": self}
	next := &outer{}
	next.Next = next
	cases := []struct {
		value any
		says  string
	}{
		{math.NaN(), "$ is NaN"},
		{map[string]any{"items": []any{1, map[string]any{"bad": math.Inf(-1)}}}, "$.items[1].bad is -Inf"},
		{&outer{inner: inner{Bad: complex(1, 2)}}, "$.bad is a complex128"},
		{outer{inner: inner{Dash: math.NaN()}}, `$["-"] is NaN`},
		{outer{inner: inner{Gone: func() {}}}, "$.gone is a func()"},
		{outer{Items: [2]any{nil, make(chan string)}}, "$.Items[1] is a chan string"},
		{map[string]any{"x": outer{inner: inner{M: map[string]any{"c d": func() {}}}}}, `$.x["a b"]["c d"] is a func()`},
		{self, "$[0].up is the same as $, a cycle"},
		{next, "$.Next is the same as $, a cycle"},
		{map[bool]int{true: 1}, "$ is a map[bool]int"},
		{[]any{json.RawMessage("{no")}, "$[0] is a json.RawMessage (json: "},
		{json.Number("x"), "$ is a json.Number"},
		{map[string]*refusing{"r": {0}}, "$.r is a *smolwf.refusing (panic: no marshal)"},
		{[]refusing{{1}}, "$[0] is a *smolwf.refusing (json: "},
	}
	for _, c := range cases {
		_, err := encode(c.value)
		if e := new(EncodeError); !errors.As(err, &e) || !strings.HasPrefix(e.Error(), "smolwf: "+c.says) {
			t.Errorf("%v, not %s", err, c.says)
		}
	}
}

type pair[T any] struct {
	Value  T `json:"value"`
	hidden int
}

// sees returns what Do hands out in the first attempt and in the second.
func sees[T any](t *testing.T, value T) (first, second T) {
	t.Helper()
	store := memory(t)
	work := func(into *T) Workflow {
		return func(ctx context.Context, run *Attempt) (any, error) {
			var err error
			*into, err = Do(ctx, run, "s", func(context.Context) (T, error) { return value, nil })
			if err != nil {
				return nil, err
			}
			return nil, run.Sleep("again", 1)
		}
	}
	runID := carriedOnce(t, store, nil, work(&first)).RunID
	must(t, store.Advance(10))
	carryOn(t, store, work(&second))
	if run, err := store.Get(runID); err != nil || run.State != "completed" {
		t.Fatalf("%v %s", err, run.Raw)
	}
	return first, second
}

func TestTheFirstAttemptSeesWhatAReplaySees(t *testing.T) {
	if first, second := sees(t, pair[string]{"\xff<", 7}); first != second || first.hidden != 0 || first.Value != "\uFFFD<" {
		t.Errorf("%+v %+v", first, second)
	}
	if first, second := sees[any](t, 1<<60+1); first != second || first != float64(1<<60) {
		t.Errorf("%v %v", first, second)
	}
	if first, second := sees(t, pair[int64]{1<<60 + 1, 0}); first != second || first.Value != 1<<60+1 {
		t.Errorf("%v %v", first, second)
	}
	if first, second := sees(t, json.RawMessage("[ 1e0 ]")); string(first) != "[ 1e0 ]" || string(second) != string(first) {
		t.Errorf("%s %s", first, second)
	}
	if first, second := sees[*int](t, nil); first != nil || second != nil {
		t.Errorf("%v %v", first, second)
	}
	if first, second := sees[json.RawMessage](t, nil); string(first) != "null" || string(second) != "null" {
		t.Errorf("%s %s", first, second)
	}
}

// A result that is paid for is not paid for again, whatever stands in its way.
func TestAResultThatCannotBeStoredOrReadEndsTheRunAtOnce(t *testing.T) {
	works := map[string]func(ctx context.Context, run *Attempt, paid *int) error{
		"no JSON": func(ctx context.Context, run *Attempt, paid *int) error {
			_, err := Do(ctx, run, "s", func(context.Context) (json.RawMessage, error) {
				*paid++
				return json.RawMessage("{no"), nil
			})
			return err
		},
		"panicking": func(ctx context.Context, run *Attempt, paid *int) error {
			_, err := Do(ctx, run, "s", func(context.Context) (*refusing, error) { *paid++; return &refusing{}, nil })
			return err
		},
		"an interface": func(ctx context.Context, run *Attempt, paid *int) error {
			_, err := Do(ctx, run, "s", func(context.Context) (error, error) { *paid++; return errors.New("x"), nil })
			return err
		},
	}
	for name, work := range works {
		t.Run(name, func(t *testing.T) {
			paid := 0
			run := carriedOnce(t, memory(t), nil, func(ctx context.Context, run *Attempt) (any, error) {
				return nil, work(ctx, run, &paid)
			})
			if run.State != "failed" || paid != 1 || !strings.Contains(string(run.Error), `step \"s\"`) {
				t.Fatalf("paid %d times: %s", paid, run.Raw)
			}
		})
	}
}

func TestAnArgumentWithoutAFormIsAnErrorOfTheCall(t *testing.T) {
	store := memory(t)
	bad := map[string]any{"x": []any{math.NaN()}}
	isNamed := func(place string, err error) {
		t.Helper()
		if e := new(EncodeError); !errors.As(err, &e) || e.Place != place {
			t.Errorf("%v, not at %s", err, place)
		}
	}
	_, _, err := store.Submit("w", bad, nil)
	isNamed("$.x[0]", err)
	_, err = store.SubmitMany([]Item{{Workflow: "w"}, {Workflow: "w", Args: bad}})
	isNamed("$[1].args.x[0]", err)
	_, _, err = store.Submit("w", nil, &SubmitOptions{Metadata: bad})
	isNamed("$.x[0]", err)
	isNamed("$.args.x[0]", store.SetSchedule("s", Schedule{Workflow: "w", EveryMS: 1, Args: bad}))
	runID, _, err := store.Submit("w", nil, nil)
	must(t, err)
	_, err = store.Signal(runID, "s", bad, "")
	isNamed("$.x[0]", err)
	run := claim(t, store)
	_, err = run.Begin("s", StepOptions{Input: bad})
	isNamed("$.x[0]", err)
	_, _, err = run.ChildSubmit("c", "w", bad, nil)
	isNamed("$.x[0]", err)
	_, err = run.Tell("told", bad, "")
	isNamed("$.x[0]", err)
	isNamed("$.x[0]", run.Complete(bad))
}
