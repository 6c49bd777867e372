//go:build cgo

package smolwf

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// EventKind is what happened to a run in a worker.
type EventKind string

// What a worker tells of, and the level at which it logs it.
const (
	// EventClaimed: an attempt begins. Debug.
	EventClaimed EventKind = "claimed"
	// EventStepRun: the work of a step begins. Debug.
	EventStepRun EventKind = "step_run"
	// EventStepDone: its result is recorded. Debug.
	EventStepDone EventKind = "step_done"
	// EventStepFailed: its failure is recorded. Warning.
	EventStepFailed EventKind = "step_failed"
	// EventParked: the run waits. Info; a warning when it was Swallowed.
	EventParked EventKind = "parked"
	// EventRetrying: the attempt failed, and the run will be tried again. Warning.
	EventRetrying EventKind = "retrying"
	// EventFailed: the run failed for good. Error.
	EventFailed EventKind = "failed"
	// EventCompleted: the run completed. Info.
	EventCompleted EventKind = "completed"
	// EventCancelled: the run was cancelled. Info.
	EventCancelled EventKind = "cancelled"
	// EventLost: another worker has the run. Warning.
	EventLost EventKind = "lost"
	// EventReleased: the run was given back. Info.
	EventReleased EventKind = "released"
	// EventDelayed: a call could not be stored and will be made again. Warning, once for each call.
	EventDelayed EventKind = "delayed"
)

// WorkerEvent is what a worker tells its Hook and its log. Fields that say nothing are zero.
type WorkerEvent struct {
	// Kind is what happened.
	Kind EventKind
	// Of which run and attempt; all are empty for a claim that is Delayed.
	RunID, RootRunID, ParentRunID, Workflow, Queue, AttemptID string
	// Attempt is the attempt's number, from 1.
	Attempt int
	// Metadata is the run's, decoded; nil if it has none.
	Metadata map[string]any
	// Duration is since the claim for what ends an attempt, and since the begin for a step that ended.
	Duration time.Duration
	// Step is the step's name, for the kinds of steps; Occurrence and StepTries are from 1.
	Step, StepID          string
	Occurrence, StepTries int
	// Err is why a step or run failed, or what a call was answered that is Delayed; Trace is where it
	// comes from.
	Err   error
	Trace string
	// RetryAt is when a step or run will be tried again, by the store's clock; zero if it will not.
	RetryAt time.Time
	// WaitingFor names the waits that a run was parked on.
	WaitingFor []string
	// Swallowed says that the workflow returned as if there had been no wait.
	Swallowed bool
	// Reason is why a run was released.
	Reason string
	// Call is the call that is delayed, by its name in C.
	Call string
}

func (e *WorkerEvent) level() slog.Level {
	switch e.Kind {
	case EventClaimed, EventStepRun, EventStepDone:
		return slog.LevelDebug
	case EventStepFailed, EventRetrying, EventLost, EventDelayed:
		return slog.LevelWarn
	case EventFailed:
		return slog.LevelError
	case EventParked:
		if e.Swallowed {
			return slog.LevelWarn
		}
	}
	return slog.LevelInfo
}

// Attrs returns what the event says as attributes of a log or a span, by the names that every client of
// smolwf uses: run_id, root_run_id, parent_run_id, workflow, queue, attempt_id, attempt, metadata; then
// those that the kind has: step, step_id, occurrence, step_tries, duration_ms, error, trace,
// retry_at_ms, waiting_for, swallowed, reason, call.
func (e *WorkerEvent) Attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("run_id", e.RunID), slog.String("root_run_id", e.RootRunID),
		slog.String("parent_run_id", e.ParentRunID), slog.String("workflow", e.Workflow),
		slog.String("queue", e.Queue), slog.String("attempt_id", e.AttemptID),
		slog.Int("attempt", e.Attempt), slog.Any("metadata", e.Metadata),
	}
	add := func(isThere bool, attr slog.Attr) {
		if isThere {
			attrs = append(attrs, attr)
		}
	}
	isOfStep := strings.HasPrefix(string(e.Kind), "step_")
	add(isOfStep, slog.String("step", e.Step))
	add(isOfStep, slog.String("step_id", e.StepID))
	add(isOfStep, slog.Int("occurrence", e.Occurrence))
	add(isOfStep, slog.Int("step_tries", e.StepTries))
	add(e.Duration > 0, slog.Float64("duration_ms", float64(e.Duration.Microseconds())/1000))
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", textOf(e.Err)))
	}
	add(e.Trace != "", slog.String("trace", e.Trace))
	if !e.RetryAt.IsZero() {
		attrs = append(attrs, slog.Int64("retry_at_ms", e.RetryAt.UnixMilli()))
	}
	add(e.Kind == EventParked, slog.Any("waiting_for", e.WaitingFor))
	add(e.Swallowed, slog.Bool("swallowed", true))
	add(e.Reason != "", slog.String("reason", e.Reason))
	add(e.Call != "", slog.String("call", e.Call))
	return attrs
}

// quiet lets a handler that nobody chose tell of warnings and errors only.
type quiet struct{ slog.Handler }

// Enabled keeps what is below a warning to itself.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

func (w *Worker) logger() *slog.Logger {
	if w.Logger != nil {
		return w.Logger
	}
	return slog.New(quiet{slog.Default().Handler()})
}

// tell logs an event and shows it to the hook. Whatever those do, it changes nothing.
func (w *Worker) tell(ctx context.Context, e WorkerEvent) context.Context {
	logger := w.logger()
	if level := e.level(); logger.Enabled(ctx, level) {
		_ = perform(func() error {
			logger.LogAttrs(ctx, level, "smolwf: "+string(e.Kind), e.Attrs()...)
			return nil
		})
	}
	if w.Hook == nil {
		return ctx
	}
	hooked := ctx
	err := perform(func() error {
		if got := w.Hook(ctx, e); got != nil {
			hooked = got
		}
		return nil
	})
	if err != nil {
		_ = perform(func() error {
			logger.ErrorContext(ctx, "smolwf: the hook failed", "kind", string(e.Kind), "error", textOf(err))
			return nil
		})
	}
	return hooked
}

// tell tells of the attempt, and returns the context that the hook wants for what follows.
func (c *carried) tell(e WorkerEvent) context.Context { return c.tellUnder(c.hooked, e) }

func (c *carried) tellUnder(ctx context.Context, e WorkerEvent) context.Context {
	f := &c.run.facts
	e.RunID, e.RootRunID, e.ParentRunID = f.runID, f.rootRunID, f.parentRunID
	e.Workflow, e.Queue, e.AttemptID, e.Attempt = f.workflow, f.queue, f.id, f.number
	e.Metadata = c.metadata()
	return c.worker.tell(ctx, e)
}

func (c *carried) tellStep(ctx context.Context, s *Step, e WorkerEvent) context.Context {
	if c == nil {
		return ctx
	}
	e.Step, e.StepID, e.Occurrence, e.StepTries = s.name, s.id, s.occurrence, s.tries
	return c.tellUnder(ctx, e)
}
