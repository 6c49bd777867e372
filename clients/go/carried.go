//go:build cgo

package smolwf

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"
)

// ErrStopped is why the context of an attempt ends, and what its calls answer, when its worker ends it:
// the run is given back, and no try is charged.
var ErrStopped = errors.New("smolwf: the worker stops, the run is given back")

const (
	// patience is how long an attempt that was told to end may take before it is left behind.
	patience = 500 * time.Millisecond
	// A call that the store could not take is made again after againMin, doubling to againMax.
	againMin, againMax = 50 * time.Millisecond, 2 * time.Second
	// unknownDelay is how long a run rests that was claimed for a workflow nobody knows.
	unknownDelay = 5 * time.Second
)

// carried is an attempt in the hands of a worker. Its methods that an Attempt calls do on nil, for one
// that was claimed by hand, what is right there.
type carried struct {
	run    *Attempt
	worker *Worker
	began  time.Time
	// halt is closed when the attempt is to end at once; fatal takes what the worker must end with.
	halt  <-chan struct{}
	fatal func(error)
	// claims is closed when its worker claims no more; nil where it was claimed by hand.
	claims <-chan struct{}

	// life ends when nothing can be stored any more, or is to be; ctx is a child of it that ends with a
	// cancel of the run too.
	life    context.Context
	endLife context.CancelCauseFunc
	ctx     context.Context
	cancel  context.CancelCauseFunc
	// hooked is ctx with what the hook put in.
	hooked context.Context
	// metadata is the run's, decoded once.
	metadata func() map[string]any

	mu sync.Mutex
	// open counts what is being done; idle is closed when the workflow has returned and there is
	// nothing, and nothing begins from then on.
	open               [kinds]int
	isReturned, isShut bool
	idle               chan struct{}
	steps              map[*Step]struct{}
	groups             []*Group
	// hasWaited says that a wait answered "not yet", pending which still do, as far as logs need it.
	hasWaited bool
	pending   map[[2]string]struct{}
	// doomed is a refusal that no catch undoes.
	doomed      error
	isDoomFinal bool
	// endedAs is how the author ended the attempt himself.
	endedAs EventKind

	// value and err are what the workflow returned, from is where its code is.
	value any
	err   error
	from  uintptr
}

func (w *Worker) carries(ctx context.Context, run *Attempt, halt <-chan struct{}, fatal func(error)) *carried {
	c := &carried{
		run: run, worker: w, began: time.Now(), halt: halt, fatal: fatal,
		idle: make(chan struct{}), steps: map[*Step]struct{}{}, pending: map[[2]string]struct{}{},
	}
	c.life, c.endLife = context.WithCancelCause(context.WithoutCancel(ctx))
	c.ctx, c.cancel = context.WithCancelCause(c.life)
	c.hooked = c.ctx
	c.metadata = sync.OnceValue(func() (m map[string]any) {
		_ = json.Unmarshal(run.Metadata(), &m) // what the library stored is an object
		return m
	})
	run.carried = c
	return c
}

// carry takes the attempt through its workflow to its end, and frees it.
func (c *carried) carry(work Workflow) {
	defer c.run.Close()
	defer c.endLife(errEnded)
	c.from = reflect.ValueOf(work).Pointer()
	c.hooked = c.tell(WorkerEvent{Kind: EventClaimed})
	if c.worker.Lease > 0 {
		go c.keepLease()
	}
	go func() {
		c.err = perform(func() (err error) {
			c.value, err = work(c.hooked, c.run)
			return err
		})
		c.hasReturned()
	}()
	select {
	case <-c.idle:
	case <-c.halt:
		c.endLife(ErrStopped)
		select {
		case <-c.idle:
		case <-time.After(patience):
			if c.abandon() {
				c.stop()
				return
			}
		}
	}
	c.finish()
}

// giveBack ends an attempt that did not begin, and frees it.
func (c *carried) giveBack(why string, delay time.Duration) {
	defer c.run.Close()
	defer c.endLife(errEnded)
	c.release(why, delay)
}

// abandon leaves behind what did not return; false when it has after all.
func (c *carried) abandon() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	wasShut := c.isShut
	c.isShut = true
	return !wasShut
}

// keepLease extends a lease that has an end for as long as the attempt lives.
func (c *carried) keepLease() {
	tick := time.NewTicker(c.worker.Lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = c.run.Heartbeat(0) // what it says was heard; the next one tries again
		case <-c.life.Done():
			return
		}
	}
}

// listen looks whether the attempt may go on.
func (c *carried) listen() {
	c.mu.Lock()
	isShut := c.isShut
	c.mu.Unlock()
	if !isShut {
		_ = c.run.Check() // what it says was heard
	}
}

// told returns why the attempt was told to end; nil if it was not. Cleanups do not hear of a cancel.
func (c *carried) told(isCleanup bool) error {
	switch {
	case c == nil:
		return nil
	case isCleanup:
		return context.Cause(c.life)
	}
	return context.Cause(c.ctx)
}

// contextOf returns the context for the work of a step.
func (c *carried) contextOf(ctx context.Context, isCleanup bool) (context.Context, func()) {
	if c == nil || !isCleanup {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	free := context.AfterFunc(c.life, func() { cancel(context.Cause(c.life)) })
	return ctx, func() {
		free()
		cancel(nil)
	}
}

// doing is what an attempt waits for before it ends.
type doing int

const (
	// recording stores what was done.
	recording doing = iota
	// asking begins something, or asks for it.
	asking
	// working is the work of a step, from its begin to its record.
	working
	// grouped is a goroutine of a Group.
	grouped
	kinds
)

// enter keeps the attempt from ending until leave. Once the workflow has returned, no step begins but
// for those of a Group, and nothing is asked but for the work of a step: else goroutines left behind
// could keep the attempt from ending for ever.
func (c *carried) enter(what doing) error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	isLate := c.isReturned && c.open[grouped] == 0 && (what != asking || c.open[working] == 0)
	if c.isShut || isLate && what != recording {
		return errEnded
	}
	c.open[what]++
	return nil
}

func (c *carried) leave(what doing) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[what]--
	c.settle()
}

func (c *carried) hasReturned() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isReturned = true
	c.settle()
}

func (c *carried) settle() {
	if c.isReturned && c.open == [kinds]int{} && !c.isShut {
		c.isShut = true
		close(c.idle)
	}
}

// begin makes a call that begins something or asks; it is refused once the attempt was told to end,
// but for a cancel, which the library tells, since cleanups may begin.
func (c *carried) begin(name string, call func() error) error {
	if c != nil && c.life.Err() != nil {
		return context.Cause(c.life)
	}
	return c.durable(asking, name, call)
}

// record makes a call that stores what was done.
func (c *carried) record(name string, call func() error) error {
	return c.durable(recording, name, call)
}

func (c *carried) durable(what doing, name string, call func() error) error {
	if c == nil {
		return call()
	}
	if err := c.enter(what); err != nil {
		return err
	}
	defer c.leave(what)
	return c.heard(c.again(name, call))
}

// again makes a call until the store takes it or refuses it, or the attempt is to end.
func (c *carried) again(name string, call func() error) error {
	return again(c.life, call, func(err error) {
		c.tell(WorkerEvent{Kind: EventDelayed, Call: name, Err: err})
	})
}

func again(life context.Context, call func() error, delayed func(error)) error {
	for pause := time.Duration(0); ; {
		err := call()
		if code, ok := codeOf(err); !ok || !code.mayPass() {
			return err
		}
		if pause == 0 {
			delayed(err)
		}
		pause = min(max(2*pause, againMin), againMax)
		select {
		case <-time.After(pause):
		case <-life.Done():
			return err
		}
	}
}

// heard looks what an answer says of the attempt.
func (c *carried) heard(err error) error {
	if c == nil || err == nil {
		return err
	}
	code, ok := codeOf(err)
	switch {
	case !ok:
	case code == ErrCancelled:
		c.cancel(err)
	case code == ErrLeaseLost, code == ErrClosed:
		c.endLife(err)
	case code == ErrNondeterminism:
		c.doom(err, false)
	case code.endsWorker():
		c.fatal(err)
		c.endLife(err)
	}
	return err
}

// doom keeps a refusal that decides the attempt, however it is caught.
func (c *carried) doom(err error, isFinal bool) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.doomed == nil || isFinal && !c.isDoomFinal {
		c.doomed, c.isDoomFinal = err, isFinal
	}
}

// tooLate hears of something that nobody waited for: it decides the attempt, like a call that was never
// waited for where a language can tell. After the end it is logged.
func (c *carried) tooLate(err error) {
	if c == nil {
		slog.Warn(textOf(err))
		return
	}
	c.mu.Lock()
	isShut := c.isShut
	if !isShut && !c.isDoomFinal {
		c.doomed, c.isDoomFinal = err, true
	}
	c.mu.Unlock()
	if isShut {
		c.worker.logger().WarnContext(c.hooked, "smolwf: after the end of an attempt", "run_id", c.run.RunID(),
			"attempt_id", c.run.ID(), "error", textOf(err))
	}
}

// waits notes what a wait answered.
func (c *carried) waits(kind, name string, isPending bool) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if isPending {
		c.hasWaited = true
		c.pending[[2]string{kind, name}] = struct{}{}
	} else if len(c.pending) > 0 {
		delete(c.pending, [2]string{kind, name})
	}
}

// waitsFor names what still answers "not yet".
func (c *carried) waitsFor() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for wait := range maps.Keys(c.pending) {
		names = append(names, wait[1])
	}
	slices.Sort(names)
	return names
}

func (c *carried) opened(s *Step) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steps[s] = struct{}{}
}

func (c *carried) closed(s *Step) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.steps, s)
}

// endsItself makes the end of an attempt that its author asks for.
func (c *carried) endsItself(as EventKind, end func() error) error {
	err := c.record("end of the attempt", end)
	if c == nil || err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endedAs = as
	return nil
}
