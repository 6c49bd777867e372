//go:build cgo

package smolwf

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Workflow is the host's function. It runs from the top in every attempt, and returns the run's
// result, any value that encoding/json writes, or an error.
//
// ErrSuspend, or an error that wraps it, parks the run. A *Failed of a step or child fails it for good,
// a *Retry says what follows, and any other error fails the attempt, which is tried again while tries
// are left. A panic and runtime.Goexit are errors too. The context ends when the run is cancelled, taken
// over, or given back: context.Cause is ErrCancelled, ErrLeaseLost or ErrStopped.
type Workflow func(ctx context.Context, run *Attempt) (any, error)

// Worker claims runs and carries them through the functions it knows. Fields are not to be changed
// while it runs.
type Worker struct {
	// Store to claim from.
	Store *Store
	// Queue to claim from; "" is "default".
	Queue string
	// Name under which its attempts are shown in the history.
	Name string
	// Workflows by name: no others are claimed.
	Workflows map[string]Workflow
	// CodeVersions by name of a workflow: it is claimed with that version, and without any. A workflow
	// that is not named here is claimed whatever the run's version.
	CodeVersions map[string]string
	// Concurrency is how many runs at once: 1.
	Concurrency int
	// Lease is LeaseWhileAlive when 0; else 1 s to 1 h, and extended while the attempt lives.
	Lease time.Duration
	// Strict has a run complete only after its attempt has asked for all that the run has recorded; else the
	// attempt has failed with ErrNondeterminism, which names what was left out, and is tried again. It costs
	// a read of the history per run, and finds code that took another way than what it goes on from, where
	// a run would complete with a result of the one and effects of the other.
	Strict bool
	// Grace is how long a stop lets attempts go on: 25 s. Negative ends them at once.
	Grace time.Duration
	// NoWatch lets Carry open no watch of the store: a cancel or a takeover is then heard by the next call of
	// the attempt, and not while a step runs. For tests that count commits: a watch moves what is due, too.
	NoWatch bool
	// Logger is told of each WorkerEvent; nil is slog.Default, for warnings and errors.
	Logger *slog.Logger
	// Hook is told of each WorkerEvent too, by any goroutine. The context that it returns, derived from
	// the one that it got, is the workflow's for EventClaimed and the work's for EventStepRun, and that
	// of their later events; nil keeps it. A hook that panics is logged and changes nothing.
	Hook func(ctx context.Context, e WorkerEvent) context.Context

	mu      sync.Mutex
	stops   int
	running *running
}

// Run works until it is stopped, or the store is closed, which is no error. The first stop, the end of
// the context or a Stop, ends claiming and lets attempts end, for Grace; the second, or the end of
// Grace, ends their contexts with ErrStopped and gives their runs back, so that another worker goes on
// at once and no try is charged. Work that does not hear is left behind: what it tries to record is
// refused.
//
// It returns an error when the store cannot go on (ErrWalLost, ErrPoisoned, ErrCorrupt, ErrReadOnly, a
// schema that is not its own), when a claim is refused, or when the worker lacks what it needs. What a
// run does never ends it.
func (w *Worker) Run(ctx context.Context) error {
	r, err := w.start(ctx)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { w.stop(r) })()
	listening, listened := context.WithCancel(context.Background())
	go w.Store.listen(listening, r.all)
	err = r.claims()
	close(r.claimed)
	if err != nil {
		r.fail(err)
	}
	r.attempts.Wait()
	listened()
	return w.finish(r)
}

// RunUntilSignal is Run that a signal stops too: SIGTERM and SIGINT, unless others are named. The first
// is the first stop, the second the second, and a third does what it does by default.
func (w *Worker) RunUntilSignal(ctx context.Context, signals ...os.Signal) error {
	if len(signals) == 0 {
		signals = []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	}
	came := make(chan os.Signal, 2)
	signal.Notify(came, signals...)
	over := make(chan struct{})
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		defer signal.Stop(came)
		for range 2 {
			select {
			case <-came:
				w.Stop()
			case <-over:
				return
			}
		}
	}()
	err := w.Run(ctx)
	close(over)
	<-heard
	return err
}

// Stop stops Run: the first time gently, the second at once; the end of Run's context counts as one of
// them. It does not wait. A worker that does not run yet is stopped when it does.
func (w *Worker) Stop() { w.stop(nil) }

// stop counts a stop, of one Run only if that is named.
func (w *Worker) stop(of *running) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if of != nil && of != w.running {
		return
	}
	w.stops++
	if w.running != nil {
		w.running.stop(w.stops)
	}
}

// Carry takes one attempt that was claimed by hand through its workflow to its end, and frees it. The
// end of the context gives the run back. A lost lease, a cancel and a closed store are no errors; what
// Run would end with is.
func (w *Worker) Carry(ctx context.Context, run *Attempt) error {
	work := w.Workflows[run.Workflow()]
	var fatal error
	var once sync.Once
	c := w.carries(ctx, run, ctx.Done(), func(err error) { once.Do(func() { fatal = err }) })
	if work == nil {
		c.giveBack("no workflow of this name is known", unknownDelay)
	} else {
		listening, listened := context.WithCancel(context.Background())
		defer listened()
		if !w.NoWatch {
			go w.Store.listen(listening, func() []*carried { return []*carried{c} })
		}
		c.carry(work)
	}
	once.Do(func() {})
	return fatal
}

// running is a Run.
type running struct {
	worker *Worker
	// ctx is Run's, without its end; stopped and halted end with the first stop and the second.
	ctx           context.Context
	stopped       context.Context
	halted        context.Context
	stopNow, halt context.CancelFunc
	// filters say what to claim, in turn.
	filters []*ClaimOptions
	// claimed is closed when nothing is claimed any more.
	claimed chan struct{}
	// slots has a place for each run that is carried or about to be claimed.
	slots    chan struct{}
	attempts sync.WaitGroup

	mu      sync.Mutex
	carried map[*carried]struct{}
	err     error
}

func (w *Worker) start(ctx context.Context) (*running, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	r := &running{
		worker: w, ctx: context.WithoutCancel(ctx), filters: w.filters(),
		slots: make(chan struct{}, max(w.Concurrency, 1)), carried: map[*carried]struct{}{},
		claimed: make(chan struct{}),
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running != nil {
		return nil, &Error{Code: ErrMisuse, Message: "the worker runs already"}
	}
	r.halted, r.halt = context.WithCancel(context.Background())
	// Below the caller's context, whose end is then known as soon as it is there: what is submitted after it is
	// left alone.
	r.stopped, r.stopNow = context.WithCancel(ctx)
	w.running = r
	r.stop(w.stops)
	return r, nil
}

func (w *Worker) finish(r *running) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running, w.stops = nil, 0
	r.haltNow() // and the timer of the grace time has nothing to end
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (w *Worker) check() error {
	say := func(format string, args ...any) error {
		return &Error{Code: ErrInvalid, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case w.Store == nil:
		return say("the worker has no store")
	case len(w.Workflows) == 0:
		return say("the worker has no workflows")
	case w.Store.isReadOnly:
		return &Error{Code: ErrReadOnly, Message: "the store was opened read only: a worker claims nothing there"}
	}
	for name, work := range w.Workflows {
		if work == nil {
			return say("workflow %q has no function", name)
		}
	}
	for name := range w.CodeVersions {
		if w.Workflows[name] == nil {
			return say("CodeVersions names %q, which is none of the workflows", name)
		}
	}
	return nil
}

// filters returns what to claim: workflows that differ in their versions are claimed apart.
func (w *Worker) filters() []*ClaimOptions {
	lease := w.Lease
	if lease == 0 {
		lease = LeaseWhileAlive
	}
	byVersion := map[string]*ClaimOptions{}
	var all []*ClaimOptions
	for name := range w.Workflows {
		version := w.CodeVersions[name]
		filter := byVersion[version]
		if filter == nil {
			filter = &ClaimOptions{Lease: lease, Worker: w.Name, Strict: w.Strict}
			if version != "" {
				filter.CodeVersions = []string{version}
			}
			byVersion[version] = filter
			all = append(all, filter)
		}
		filter.Workflows = append(filter.Workflows, name)
	}
	for _, filter := range all {
		slices.Sort(filter.Workflows)
	}
	return all
}

func (r *running) stop(count int) {
	switch {
	case count == 0:
		return
	case count > 1 || r.worker.Grace < 0:
		r.haltNow()
		return
	}
	grace := r.worker.Grace
	if grace == 0 {
		grace = 25 * time.Second
	}
	r.stopNow()
	timer := time.AfterFunc(grace, r.haltNow)
	context.AfterFunc(r.halted, func() { timer.Stop() })
}

// haltNow ends what runs, and claiming with it.
func (r *running) haltNow() {
	r.stopNow()
	r.halt()
}

// fail ends the run of the worker; that the store was closed is no error.
func (r *running) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if code, _ := codeOf(err); r.err == nil && code != ErrClosed {
		r.err = err
	}
	r.haltNow()
}

// all returns the attempts that are carried.
func (r *running) all() []*carried {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*carried, 0, len(r.carried))
	for c := range r.carried {
		all = append(all, c)
	}
	return all
}

// claims claims runs for as long as there are places, and carries them, until it is stopped.
func (r *running) claims() error {
	for {
		free := r.places()
		if free == 0 {
			return nil
		}
		runs, err := r.claim(free)
		for range free - len(runs) {
			<-r.slots
		}
		for _, run := range runs {
			r.take(run)
		}
		if err != nil || r.stopped.Err() != nil {
			return err
		}
	}
}

// places waits for one place and takes all there are; none once it is stopped.
func (r *running) places() int {
	select {
	case r.slots <- struct{}{}:
	case <-r.stopped.Done():
		return 0
	}
	for count := 1; ; count++ {
		select {
		case r.slots <- struct{}{}:
		default:
			return count
		}
	}
}

// claim waits for runs and claims up to most.
func (r *running) claim(most int) (runs []*Attempt, _ error) {
	err := again(r.stopped, func() error {
		return r.worker.Store.until(r.stopped, func() (_ bool, err error) {
			runs, err = r.look(most)
			return len(runs) > 0, err
		})
	}, func(err error) {
		r.worker.tell(r.ctx, WorkerEvent{Kind: EventDelayed, Call: "sw_run_claim_many", Err: err})
	})
	if r.stopped.Err() != nil {
		return runs, nil
	}
	return runs, err
}

// look claims what is there, by each filter in turn.
func (r *running) look(most int) (runs []*Attempt, _ error) {
	for range r.filters {
		filter := r.filters[0]
		r.filters = append(r.filters[1:], filter)
		some, err := r.worker.Store.ClaimMany(r.worker.Queue, most-len(runs), filter)
		runs = append(runs, some...)
		if len(runs) > 0 && (err != nil || len(runs) == most) {
			return runs, nil // an error will be there again
		}
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// take carries a run in a goroutine of its own; its place is free when it has ended. One that was
// claimed while a stop came is given back: nothing has begun.
func (r *running) take(run *Attempt) {
	c := r.worker.carries(r.ctx, run, r.halted.Done(), r.fail)
	c.claims = r.claimed
	r.mu.Lock()
	r.carried[c] = struct{}{}
	r.mu.Unlock()
	r.attempts.Add(1)
	go func() {
		defer r.attempts.Done()
		defer func() { <-r.slots }()
		if r.stopped.Err() != nil {
			c.giveBack("the worker stops", 0)
		} else {
			c.carry(r.worker.Workflows[run.Workflow()])
		}
		r.mu.Lock()
		delete(r.carried, c)
		r.mu.Unlock()
	}()
}
