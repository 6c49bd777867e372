package smolwf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"time"
)

// acts of a workflow; tests/vectors/worker/README.md says what each means. A key that is not here is
// refused by the decoder.
type scenarioAct struct {
	Step    string          `json:"step"`
	Tx      string          `json:"transaction"`
	Do      []txAct         `json:"do"`
	Unknown string          `json:"unknown"`
	Scope   string          `json:"scope"`
	Sleep   string          `json:"sleep"`
	Signal  string          `json:"signal"`
	Child   string          `json:"child"`
	Result  string          `json:"result"`
	All     string          `json:"all"`
	Reserve Amounts         `json:"reserve"`
	Expect  string          `json:"expect"`
	Throw   *thrown         `json:"throw"`
	Return  json.RawMessage `json:"return"`

	Parallel  [][]scenarioAct `json:"parallel"`
	Spawn     []scenarioAct   `json:"spawn"`
	Unawaited *scenarioAct    `json:"unawaited"`
	Swallow   []scenarioAct   `json:"swallow"`
	Wrap      []scenarioAct   `json:"wrap"`

	As         string          `json:"as"`
	Effect     string          `json:"effect"`
	Gate       string          `json:"gate"`
	UntilTold  bool            `json:"until_told"`
	Throws     *thrown         `json:"throws"`
	Fails      int             `json:"fails"`
	Returns    json.RawMessage `json:"returns"`
	Input      json.RawMessage `json:"input"`
	Occurrence int             `json:"occurrence"`
	MaxTries   int             `json:"max_tries"`
	MS         int64           `json:"ms"`
	TimeoutMS  *int64          `json:"timeout_ms"`
	Workflow   string          `json:"workflow"`
	Args       json.RawMessage `json:"args"`
	Waits      []struct {
		Signal  string `json:"signal"`
		Child   string `json:"child"`
		SleepMS *int64 `json:"sleep_ms"`
	} `json:"waits"`
	Is   json.RawMessage `json:"is"`
	Join string          `json:"join"`
}

// txAct is what the work of a transaction does: an item, or an act.
type txAct struct {
	scenarioAct
	Insert     string          `json:"insert"`
	Refused    int             `json:"refused"`
	Result     json.RawMessage `json:"result"`
	ResultFrom string          `json:"result_from"`
}

type thrown struct {
	Error    *string         `json:"error"`
	Failure  json.RawMessage `json:"failure"`
	Terminal bool            `json:"terminal"`
	Kind     string          `json:"kind"`
}

// errReturned ends a workflow with a value.
type errReturned struct{ value any }

func (errReturned) Error() string { return "returned" }

// errText fails when asked for its text.
type errText struct{}

func (errText) Error() string { panic("no text") }

// player plays the acts of one attempt.
type player struct {
	world *scenarioWorld
	run   *Attempt
	mu    sync.Mutex
	vars  map[string]any
}

func (p *player) play(ctx context.Context, acts []scenarioAct) (any, error) {
	err := p.all(ctx, acts)
	var returned errReturned
	if errors.As(err, &returned) {
		return returned.value, nil
	}
	return nil, err
}

func (p *player) all(ctx context.Context, acts []scenarioAct) error {
	for i := range acts {
		if err := p.act(ctx, &acts[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *player) act(ctx context.Context, a *scenarioAct) error {
	switch {
	case a.Step != "":
		value, err := p.step(ctx, a)
		return p.keep(a, value, err)
	case a.Tx != "":
		value, err := As[any](p.transaction(ctx, a))
		return p.keep(a, value, err)
	case a.Unknown != "":
		return p.unknown(a)
	case a.Sleep != "":
		return p.run.Sleep(a.Sleep, time.Duration(a.MS)*time.Millisecond)
	case a.Signal != "":
		value, err := As[any](p.run.SignalAwait(a.Signal, timeout(a)))
		return p.keep(a, value, err)
	case a.Child != "":
		return p.child(a)
	case a.Result != "":
		child, _ := p.variable(a.Result).(string)
		value, err := As[any](p.run.ChildAwait(child, timeout(a)))
		return p.keep(a, value, err)
	case a.All != "":
		return p.awaitAll(a)
	case a.Reserve != nil:
		_, _, err := p.run.Reserve(nil, a.Reserve, "")
		return err
	case a.Expect != "":
		return p.expect(a)
	case a.Throw != nil:
		return p.throw(a.Throw)
	case a.Return != nil:
		return errReturned{p.value(a.Return)}
	}
	return p.flow(ctx, a)
}

func (p *player) flow(ctx context.Context, a *scenarioAct) error {
	switch {
	case a.Parallel != nil:
		return p.parallel(ctx, a)
	case a.Spawn != nil:
		go p.branch(ctx, a.Spawn)
	case a.Swallow != nil:
		p.branch(ctx, a.Swallow)
	case a.Wrap != nil:
		if err := p.all(ctx, a.Wrap); err != nil {
			return fmt.Errorf("wrapped by its author: %w", err)
		}
	case a.Gate != "":
		p.world.pass(a.Gate)
	case a.Effect != "":
		p.world.count(a.Effect)
	default:
		panic(fmt.Sprintf("no act that this runner knows: %+v", a))
	}
	return nil
}

// branch plays acts with the widest catch that there is.
func (p *player) branch(ctx context.Context, acts []scenarioAct) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v", value)
		}
	}()
	return p.all(ctx, acts)
}

func (p *player) parallel(ctx context.Context, a *scenarioAct) error {
	came := make(chan error, len(a.Parallel))
	if a.Join == "group" {
		group := p.run.Group()
		for _, acts := range a.Parallel {
			group.Go(func() error { return p.all(ctx, acts) })
		}
		return group.Wait()
	}
	for _, acts := range a.Parallel {
		go func() { came <- p.branch(ctx, acts) }()
	}
	var first error
	for range a.Parallel {
		err := <-came
		if err != nil && (first == nil || errors.Is(first, ErrSuspend)) {
			first = err
		}
		if first != nil && a.Join == "first" {
			return first
		}
	}
	if a.Join != "all" && a.Join != "first" {
		panic("a join that this runner does not know: " + a.Join)
	}
	return first
}

func (p *player) step(ctx context.Context, a *scenarioAct) (any, error) {
	options := StepOptions{
		Occurrence: a.Occurrence, MaxTries: a.MaxTries, BackoffInitial: time.Millisecond,
	}
	if a.Input != nil {
		options.Input = p.value(a.Input)
	}
	return DoWith(ctx, p.run, a.Step, options, func(ctx context.Context) (any, error) {
		effect := a.Effect
		if effect == "" {
			effect = a.Step
		}
		count := p.world.count(effect)
		if a.Gate != "" {
			p.world.pass(a.Gate)
		}
		if a.UntilTold {
			<-ctx.Done()
			p.world.count(effect + " heard")
			return nil, nil
		}
		if a.Throws != nil {
			return nil, p.throw(a.Throws)
		}
		if count <= a.Fails {
			return nil, errors.New("boom")
		}
		return p.value(a.Returns), nil
	})
}

func (p *player) transaction(ctx context.Context, a *scenarioAct) (json.RawMessage, error) {
	options := StepOptions{MaxTries: a.MaxTries, BackoffInitial: time.Millisecond}
	return p.run.TransactionWith(ctx, a.Tx, options, func(ctx context.Context, tx *Tx) error {
		count := p.world.count(a.Tx)
		for i := range a.Do {
			if err := p.collect(ctx, tx, &a.Do[i], count); err != nil {
				return err
			}
		}
		if count <= a.Fails {
			return errors.New("boom")
		}
		return nil
	})
}

func (p *player) collect(ctx context.Context, tx *Tx, a *txAct, count int) error {
	switch {
	case a.Insert != "":
		return p.keep(&a.scenarioAct, tx.Execute("INSERT INTO kept VALUES ($1)", a.Insert), nil)
	case a.Refused != 0:
		if count <= a.Refused {
			tx.Execute("INSERT INTO kept VALUES (NULL)")
		}
	case a.Result != nil:
		tx.Result(p.value(a.Result))
	case a.ResultFrom != "":
		tx.ResultFrom(p.variable(a.ResultFrom).(*TxItem))
	default:
		return p.act(ctx, &a.scenarioAct)
	}
	return nil
}

// unknown asks for what an item came to; it is not there where its work was not done.
func (p *player) unknown(a *scenarioAct) error {
	p.mu.Lock()
	item, _ := p.vars[a.Unknown].(*TxItem)
	p.mu.Unlock()
	if item != nil {
		var refused *TxError
		if _, err := item.Result(); !errors.As(err, &refused) {
			p.world.count("not as expected")
			return nil
		}
	}
	p.world.count("as expected")
	return nil
}

func (p *player) child(a *scenarioAct) error {
	options := &SubmitOptions{BackoffInitialMS: 1}
	if a.TimeoutMS != nil {
		options.TimeoutMS = *a.TimeoutMS
	}
	id, _, err := p.run.ChildSubmit(a.Child, a.Workflow, p.value(a.Args), options)
	return p.keep(a, id, err)
}

func (p *player) awaitAll(a *scenarioAct) error {
	var members []Member
	for _, wait := range a.Waits {
		member := Member{Signal: wait.Signal, SleepMS: wait.SleepMS}
		if wait.Child != "" {
			member.Child, _ = p.variable(wait.Child).(string)
		}
		members = append(members, member)
	}
	came, err := p.run.AwaitAll(a.All, members, timeout(a))
	return p.keep(a, came, err)
}

func (p *player) expect(a *scenarioAct) error {
	if reflect.DeepEqual(p.variable(a.Expect), p.value(a.Is)) {
		p.world.count("as expected")
	} else {
		p.world.count("not as expected")
	}
	return nil
}

func timeout(a *scenarioAct) time.Duration {
	if a.TimeoutMS == nil {
		return Forever
	}
	return time.Duration(*a.TimeoutMS) * time.Millisecond
}

func (p *player) keep(a *scenarioAct, value any, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.As != "" && err == nil {
		p.vars[a.As] = value
	}
	return err
}

func (p *player) variable(name string) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	value, isThere := p.vars[name]
	if !isThere {
		panic("no variable " + name)
	}
	return value
}

func (p *player) value(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		panic(err)
	}
	return p.fill(value)
}

func (p *player) fill(value any) any {
	switch value := value.(type) {
	case []any:
		for i, member := range value {
			value[i] = p.fill(member)
		}
	case map[string]any:
		if name, isVar := value["$var"].(string); isVar {
			return p.variable(name)
		}
		if value["$attempt"] == true {
			return p.run.Number()
		}
		if kind, isMade := value["$make"].(string); isMade {
			return made(kind)
		}
		for name, member := range value {
			value[name] = p.fill(member)
		}
	}
	return value
}

func made(kind string) any {
	switch kind {
	case "nan":
		return math.NaN()
	case "infinity":
		return math.Inf(1)
	case "cycle":
		cycle := map[string]any{}
		cycle["self"] = cycle
		return cycle
	case "opaque":
		return make(chan int)
	case "bad_text":
		return "\xff\xfe"
	case "deep":
		var deep any
		for range 150 {
			deep = []any{deep}
		}
		return deep
	case "huge":
		return strings.Repeat("x", 17<<20)
	case "engine_key":
		return map[string]any{"$smolwf": "tries"}
	case "pair":
		return [2]int{1, 2}
	}
	panic("nothing that this runner makes: " + kind)
}

func (p *player) throw(what *thrown) error {
	switch {
	case what.Error != nil:
		return errors.New(*what.Error)
	case what.Failure != nil:
		return &Retry{Failure: p.value(what.Failure), Terminal: what.Terminal}
	}
	switch what.Kind {
	case "bad_text":
		return errors.New("\xff\xfe")
	case "nul_text":
		return errors.New("a\x00b")
	case "bad_str":
		return errText{}
	case "nan", "cycle", "deep", "huge", "engine_key":
		return &Retry{Failure: made(what.Kind)}
	case "not_an_error":
		panic(42)
	case "nothing":
		panic(nil)
	case "exit":
		runtime.Goexit()
	case "suspend":
		return ErrSuspend
	case "own_cancel":
		return context.Canceled
	case "group":
		return errors.Join(errors.New("one"), errors.New("other"))
	}
	panic("nothing that this runner throws: " + what.Kind)
}
