// Command torture is a worker of scripts/torture-workers.sh, in Go: as worker.py, in the client's own ways.
//
//	torture store plans from lease_ms
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"smolwf.internal/smolwf"
)

var (
	who     = fmt.Sprintf("go.%d", os.Getpid())
	threads = map[string]int{"work": 3, "narrow": 2}
	patient = smolwf.StepOptions{
		MaxTries: 1000, BackoffInitial: 5 * time.Millisecond, BackoffMax: 20 * time.Millisecond,
	}
	lasting = smolwf.SubmitOptions{MaxTries: 1000, BackoffInitialMS: 5, BackoffMaxMS: 20}

	witness *os.File
	tokens  atomic.Int64
)

func token() string { return fmt.Sprintf("%s.%d", who, tokens.Add(1)) }

// note appends one fact, in one write.
func note(kind, run, name string, attempt int, value string) {
	fact := "\n" + strings.Join([]string{kind, run, name, strconv.Itoa(attempt), value, who, "."}, "\t")
	for {
		if wrote, err := witness.WriteString(fact); err == nil && wrote == len(fact) {
			return
		}
		time.Sleep(10 * time.Millisecond) // the disk is full: it will have room again
	}
}

// plan is one attempt at a plan.
type plan struct {
	ctx context.Context
	run *smolwf.Attempt
	key string
}

func (p *plan) seen(name, value string) {
	note("seen", p.run.RunID(), name, p.run.Number(), strings.TrimRight(value, "/"))
}

func (p *plan) do(name string, what byte, count int) error {
	switch what {
	case 's', 'w', 'f', 'h', 'd':
		return p.step(name, what, count)
	case 't':
		return p.once(name)
	case 'b':
		return p.spend(name, count)
	case 'x':
		return p.transaction(name, count)
	case 'z':
		return p.run.Sleep(name, time.Duration(count)*time.Millisecond)
	case 'g':
		value, err := smolwf.As[string](p.run.SignalAwait("go", smolwf.Forever))
		if err == nil {
			p.seen(name, value)
		}
		return err
	case 'q':
		return p.waitInVain(name, count)
	case 'n':
		_, err := p.run.SignalAwait("never", smolwf.Forever)
		return err
	case 'c':
		return p.children(name, count)
	case 'a':
		return p.first(name, count)
	case 'e':
		_, err := p.run.Tell("noted", name, name)
		if err == nil {
			note("event", p.run.RunID(), name, 0, "")
		}
		return err
	case 'r':
		if p.run.Number()%2 == 1 {
			return errors.New("an odd attempt")
		}
	}
	return nil
}

func (p *plan) effect(name string, tries int) {
	note("effect", p.run.RunID(), name, p.run.Number(), strconv.Itoa(tries))
}

func (p *plan) step(name string, what byte, count int) error {
	options := patient
	if what == 's' {
		options.Input = json.RawMessage(`{"at":1e0,"op":"s"}`)
	}
	if what == 'd' {
		options.MaxTries = 1
	}
	value, err := smolwf.DoWith(p.ctx, p.run, name, options, func(ctx context.Context) (string, error) {
		tries := smolwf.CurrentStep(ctx).Tries()
		p.effect(name, tries)
		switch {
		case what == 'w':
			time.Sleep(time.Duration(count) * time.Millisecond)
		case what == 'f' && tries < count:
			return "", errors.New("an early try")
		case what == 'd' && p.run.Number()%2 == 1:
			return "", errors.New("an odd attempt")
		case what == 'h':
			return token() + strings.Repeat("/", 20_000), nil
		}
		return token(), nil
	})
	if err == nil {
		p.seen(name, value)
	}
	return err
}

// once is a step whose work never runs twice: interrupted, it has failed.
func (p *plan) once(name string) error {
	options := smolwf.StepOptions{Track: true, MaxTries: 1}
	value, err := smolwf.DoWith(p.ctx, p.run, name, options, func(ctx context.Context) (string, error) {
		p.effect(name, smolwf.CurrentStep(ctx).Tries())
		return token(), nil
	})
	var failed *smolwf.Failed
	switch {
	case errors.As(err, &failed):
		note("interrupted", p.run.RunID(), name, p.run.Number(), "")
		return nil
	case err == nil:
		p.seen(name, value)
	}
	return err
}

func (p *plan) spend(name string, count int) error {
	step, err := p.run.Begin(name, patient)
	if err != nil {
		return err
	}
	defer step.Close()
	value := ""
	if step.Replayed {
		err = json.Unmarshal(step.Result(), &value)
	} else {
		value = token()
		if _, _, err = p.run.Reserve(step, smolwf.Amounts{"coins": int64(count)}, ""); err == nil {
			p.effect(name, step.Tries())
			err = step.CompleteUsage(value, smolwf.Amounts{"coins": int64(count - count/3)})
		}
	}
	if err == nil {
		p.seen(name, value)
	}
	return err
}

func (p *plan) transaction(name string, count int) error {
	work := func(_ context.Context, tx *smolwf.Tx) error {
		entry := []any{p.run.RunID(), name, count}
		tx.Execute("INSERT INTO torture_entries VALUES (?, ?, ?)", entry...).ExpectChanges(1)
		tx.Execute("UPDATE torture_total SET amount = amount + ?", count).ExpectChanges(1)
		tx.Result(token())
		return nil
	}
	value, err := smolwf.As[string](p.run.TransactionWith(p.ctx, name, patient, work))
	if err == nil {
		p.seen(name, value)
	}
	return err
}

// waitInVain waits for what nobody sends, until its time is over.
func (p *plan) waitInVain(name string, count int) error {
	_, err := p.run.SignalAwait(name, time.Duration(count)*time.Millisecond)
	if errors.Is(err, smolwf.ErrTimeout) {
		note("timeout", p.run.RunID(), name, p.run.Number(), "")
		return nil
	}
	return err
}

// first waits for a message, a child or a time.
func (p *plan) first(name string, count int) error {
	options := lasting
	options.Queue = "work"
	child, _, err := p.run.ChildSubmit(name+"0", "torture", fmt.Sprintf("%s.%s0 s w5 b1 x1", p.key, name), &options)
	if err != nil {
		return err
	}
	after := smolwf.After(time.Duration(count) * time.Millisecond)
	came, err := p.run.AwaitAny(name, []smolwf.Member{{Signal: "yes"}, {Child: child}, after}, smolwf.Forever)
	if err != nil {
		return err
	}
	value := ""
	_ = json.Unmarshal(came.Value, &value) // of a time there is none
	note("chosen", p.run.RunID(), name, p.run.Number(), fmt.Sprintf("%d.%s", came.Index, value))
	return nil
}

func (p *plan) children(name string, count int) error {
	items := make([]smolwf.Item, count)
	for at := range items {
		args := fmt.Sprintf("%s.%s%d s w5 b1 x1", p.key, name, at)
		items[at] = smolwf.Item{
			Name: fmt.Sprintf("%s%d", name, at), Workflow: "torture", Args: args, SubmitOptions: lasting,
		}
		items[at].Queue = "work"
	}
	submitted, err := p.run.ChildSubmitMany(items)
	if err != nil {
		return err
	}
	waits := make([]smolwf.Member, count)
	for at, child := range submitted {
		waits[at] = smolwf.Member{Child: child.RunID}
	}
	came, err := p.run.AwaitAll(name, waits, smolwf.Forever)
	for at := range came {
		var value string
		if err := json.Unmarshal(came[at].Value, &value); err != nil {
			return err
		}
		note("child", submitted[at].RunID, "", 0, value)
	}
	return err
}

func torture(ctx context.Context, run *smolwf.Attempt, args string) (string, error) {
	words := strings.Split(args, " ")
	p := &plan{ctx: ctx, run: run, key: words[0]}
	for at, op := range words[1:] {
		count, _ := strconv.Atoi(op[1:])
		if err := p.do(fmt.Sprintf("%d%c", at, op[0]), op[0], count); err != nil {
			return "", err
		}
	}
	return token(), nil
}

// patiently makes a call again while the store is locked or has no room.
func patiently(call func() error) error {
	for {
		err := call()
		var of *smolwf.Error
		if !errors.As(err, &of) || (!of.Retryable && of.Code != smolwf.ErrFull) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func cancel(store *smolwf.Store, runID string) error {
	time.Sleep(30 * time.Millisecond)
	err := patiently(func() error { return store.Cancel(runID, nil) })
	if errors.Is(err, smolwf.ErrConflict) {
		return nil // it has ended before
	}
	var run *smolwf.Run
	if err == nil {
		err = patiently(func() (err error) { run, err = store.Get(runID); return err })
	}
	if err == nil {
		note("cancel", runID, "", int(run.Attempts), "")
	}
	return err
}

func pause(store *smolwf.Store, runID string) error {
	err := patiently(func() error { return store.Pause(runID) })
	if err == nil {
		time.Sleep(30 * time.Millisecond)
		err = patiently(func() error { return store.Resume(runID) })
	}
	if errors.Is(err, smolwf.ErrConflict) {
		return nil // it has ended before
	}
	return err
}

func send(store *smolwf.Store, runID, name, key string) error {
	err := patiently(func() error { _, err := store.Signal(runID, name, key, key); return err })
	if errors.Is(err, smolwf.ErrConflict) {
		return nil // it has ended before
	}
	if err == nil {
		note("signal", runID, name, 0, key)
	}
	return err
}

// fork notes each call before it is made: one that failed may have made a run all the same.
func fork(store *smolwf.Store, runID, from string) error {
	made := ""
	err := patiently(func() (err error) {
		note("forking", runID, from, 0, "")
		made, err = store.Fork(runID, from)
		return err
	})
	if errors.Is(err, smolwf.ErrNotFound) {
		return nil // it has not come so far
	}
	if err == nil {
		note("fork", made, from, 0, runID)
	}
	return err
}

func retry(store *smolwf.Store, runID string, attempts int) error {
	note("retrying", runID, "", 0, "")
	err := patiently(func() error { return store.Retry(runID) })
	if errors.Is(err, smolwf.ErrConflict) {
		return nil // a call before, which failed, has done it
	}
	if err == nil {
		note("retry", runID, "", attempts, "")
	}
	return err
}

// after does what is done to a run that has ended, or was waited for in vain.
func after(store *smolwf.Store, act, how, key string, began time.Time, run *smolwf.Run) error {
	hasFailed := run.State == "failed"
	switch {
	case act == "fork":
		return fork(store, run.RunID, how)
	case act == "timeout" && hasFailed:
		note("late", run.RunID, key, 0, strconv.FormatInt(time.Now().UnixMilli()-began.UnixMilli(), 10))
	case act == "retry" && hasFailed:
		if err := retry(store, run.RunID, int(run.Attempts)); err != nil {
			return err
		}
		_, err := wait(store, run.RunID)
		return err
	}
	return nil
}

func submit(store *smolwf.Store, line string) error {
	parts := strings.Split(line, "\t")
	key, queue, shared, args := parts[0], parts[1], parts[2], parts[4]
	act, how, _ := strings.Cut(parts[3], ":")
	options := lasting
	options.IdempotencyKey, options.Queue, options.Budget = key, queue, smolwf.Amounts{"coins": 20}
	if shared != "-" {
		options.ConcurrencyKey = shared
	}
	if act == "timeout" {
		options.TimeoutMS, _ = strconv.ParseInt(how, 10, 64)
	}
	began := time.Now()
	runID := ""
	err := patiently(func() (err error) { runID, _, err = store.Submit("torture", args, &options); return err })
	if err != nil {
		return err
	}
	note("submit", runID, key, 0, "")
	switch act {
	case "cancel":
		err = cancel(store, runID)
	case "pause":
		err = pause(store, runID)
	case "signal":
		err = send(store, runID, "go", key)
	case "yes":
		err = send(store, runID, "yes", key)
	}
	if err != nil {
		return err
	}
	run, err := wait(store, runID)
	if err != nil {
		return err
	}
	return after(store, act, how, key, began, run)
}

// wait gives the run once it has ended, or its id alone.
func wait(store *smolwf.Store, runID string) (*smolwf.Run, error) {
	ctx, end := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer end()
	var run *smolwf.Run
	err := patiently(func() (err error) { run, err = store.Wait(ctx, runID); return err })
	if err != nil {
		if ctx.Err() != nil {
			return &smolwf.Run{RunID: runID}, nil
		}
		return nil, err
	}
	value := ""
	_ = json.Unmarshal(run.Result, &value) // of one that was cancelled there is none
	note("end", runID, run.State, int(run.Attempts), value)
	return run, nil
}

func work(path, plans, first, lease string) error {
	lines, err := os.ReadFile(plans)
	if err != nil {
		return err
	}
	from, _ := strconv.Atoi(first)
	leaseMS, _ := strconv.Atoi(lease)
	store, err := smolwf.Open(path, &smolwf.Options{NoCreate: true})
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		for _, line := range strings.Split(strings.TrimRight(string(lines), "\n"), "\n")[from:] {
			if err := submit(store, line); ctx.Err() != nil {
				return
			} else if err != nil {
				log.Fatalf("%s: no more submits: %v", who, err)
			}
		}
	}()
	var group sync.WaitGroup
	ends := make(chan error, len(threads))
	for queue, count := range threads {
		worker := &smolwf.Worker{
			Store: store, Queue: queue, Name: who, Concurrency: count,
			Lease:     time.Duration(leaseMS) * time.Millisecond,
			Workflows: map[string]smolwf.Workflow{"torture": smolwf.Typed(torture)},
		}
		group.Add(1)
		go func() {
			defer group.Done()
			ends <- worker.Run(ctx)
			stop()
		}()
	}
	group.Wait()
	return errors.Join(<-ends, <-ends)
}

func main() {
	log.SetFlags(0)
	var err error
	if witness, err = os.OpenFile(os.Getenv("TORTURE_WITNESS"), os.O_WRONLY|os.O_APPEND, 0); err != nil {
		log.Fatal(err)
	}
	if err = work(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		log.Fatal(err)
	}
}
