//go:build cgo

package smolwf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// finish ends an attempt whose workflow has returned, as it ended.
func (c *carried) finish() {
	c.freeSteps()
	c.joinGroups()
	told := context.Cause(c.ctx)
	code, _ := codeOf(told)
	switch {
	case c.endedAs != "":
		c.tellEnd(WorkerEvent{Kind: c.endedAs})
	case code == ErrLeaseLost:
		c.tellEnd(WorkerEvent{Kind: EventLost})
	case code == ErrCancelled:
		c.release("the run was cancelled", 0)
	case told == ErrStopped:
		c.stop()
	case told != nil: // the store is closed or cannot go on: nothing is stored
	case c.doomed != nil:
		v := judged(c.doomed, 0)
		v.options.Terminal = c.isDoomFinal
		c.fail(v)
	case c.err == nil && c.hasWaited:
		c.park(true)
	case c.err == nil:
		c.complete()
	default:
		if v := judged(c.err, c.from); v.suspends {
			c.park(false)
		} else {
			c.fail(v)
		}
	}
}

// freeSteps frees what Begin began and nobody finished.
func (c *carried) freeSteps() {
	c.mu.Lock()
	var open []*Step
	for s := range c.steps {
		open = append(open, s)
	}
	c.mu.Unlock()
	for _, s := range open {
		s.Close()
	}
}

// joinGroups adds the errors of groups that nobody waited for.
func (c *carried) joinGroups() {
	c.mu.Lock()
	groups := c.groups
	c.mu.Unlock()
	for _, g := range groups {
		if err := g.unclaimed(); err != nil {
			c.value, c.err = nil, errors.Join(c.err, err)
		}
	}
}

func (c *carried) complete() {
	raw, err := encode(c.value)
	if err == nil {
		err = c.end("sw_attempt_complete", func() error { return c.run.complete(raw) })
		if code, _ := codeOf(err); code == ErrNondeterminism {
			c.fail(judged(err, 0)) // a strict attempt: as if a begin had been refused
			return
		}
		if !isRefused(err) {
			c.ended(err, WorkerEvent{Kind: EventCompleted})
			return
		}
	}
	c.fail(judged(fmt.Errorf("the result of the run cannot be recorded: %w", err), 0).finally())
}

// park suspends the attempt. That there is nothing to wait for, the library knows best.
func (c *carried) park(isSwallowed bool) {
	names := c.waitsFor()
	err := c.end("sw_attempt_suspend", c.run.suspend)
	code, _ := codeOf(err)
	switch {
	case code == ErrConflict && isSwallowed && len(names) == 0:
		c.complete()
	case code == ErrConflict, isRefused(err):
		c.fail(judged(fmt.Errorf("the workflow returned ErrSuspend, but cannot be parked: %w", err), 0))
	default:
		c.ended(err, WorkerEvent{Kind: EventParked, WaitingFor: names, Swallowed: isSwallowed})
	}
}

func (c *carried) fail(v verdict) {
	var again bool
	_, err := v.record(func(raw json.RawMessage) error {
		return c.end("sw_attempt_fail", func() (err error) {
			again, err = c.run.fail(raw, v.options)
			return err
		})
	})
	if isRefused(err) {
		c.release("its failure cannot be recorded", unknownDelay)
		return
	}
	e := WorkerEvent{Kind: EventFailed, Err: v.err, Trace: v.trace}
	if err == nil && again {
		e.Kind = EventRetrying
		e.RetryAt = c.retryAt()
	}
	c.ended(err, e)
}

func (c *carried) retryAt() time.Time {
	run, err := c.run.store.Get(c.run.RunID())
	if err != nil || run.DueAtMS == nil {
		return time.Time{}
	}
	return time.UnixMilli(*run.DueAtMS)
}

func (c *carried) release(reason string, delay time.Duration) {
	err := c.end("sw_attempt_release", func() error { return c.run.release(delay) })
	c.ended(err, WorkerEvent{Kind: EventReleased, Reason: reason})
}

// stop gives the run back at the end of its worker. A claim that was under way when that stopped would take it
// once more: so that comes first. It waits for the lock alone, as this does.
func (c *carried) stop() {
	if c.claims != nil {
		<-c.claims
	}
	c.release("the worker stops", 0)
}

func (c *carried) end(name string, call func() error) error {
	return c.heard(c.again(name, call))
}

// ended tells how the attempt ended, by what its end was answered.
func (c *carried) ended(err error, e WorkerEvent) {
	code, _ := codeOf(err)
	switch code {
	case 0:
	case ErrCancelled:
		e = c.cancelled(err)
	case ErrLeaseLost:
		e = WorkerEvent{Kind: EventLost}
	case ErrClosed:
		return
	default:
		c.worker.logger().ErrorContext(c.hooked, "smolwf: the end of an attempt is not stored",
			"run_id", c.run.RunID(), "attempt_id", c.run.ID(), "error", textOf(err))
		return
	}
	c.tellEnd(e)
}

// cancelled tells apart what one code says: the run was cancelled, or its time-out has passed.
func (c *carried) cancelled(err error) WorkerEvent {
	run, e := c.run.store.Get(c.run.RunID())
	if e == nil && run.State == "failed" {
		return WorkerEvent{Kind: EventFailed, Err: err}
	}
	return WorkerEvent{Kind: EventCancelled}
}

func (c *carried) tellEnd(e WorkerEvent) {
	e.Duration = time.Since(c.began)
	c.tell(e)
}
