package smolwftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"smolwf.internal/smolwf"
)

// Difference is where a workflow does not do what it did when its run was recorded.
type Difference struct {
	// RunID and Workflow of the run, as the document has them.
	RunID    string `json:"run_id"`
	Workflow string `json:"workflow"`
	// Kind is what differs, and Name the step, await, sleep or child; for Outcome the workflow's.
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
	// Text is a sentence.
	Text string `json:"text"`
}

// Replayed is what Replay came to.
type Replayed struct {
	// Runs is how many were replayed.
	Runs int `json:"runs"`
	// Differences has the first of each run that has any.
	Differences []Difference `json:"differences"`
}

// Check returns the differences as an error, if there are any.
func (r *Replayed) Check() error {
	if len(r.Differences) == 0 {
		return nil
	}
	return errors.New(r.String())
}

// String returns a line that sums up, and one for each difference: for the first 20.
func (r *Replayed) String() string {
	lines := []string{fmt.Sprintf("%s, %s", count(r.Runs, "run"), count(len(r.Differences), "difference"))}
	for i, d := range r.Differences {
		if i == shownMax {
			lines = append(lines, fmt.Sprintf("and %d more", len(r.Differences)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%s %s, in %s %s: %s", d.Kind, d.Name, d.Workflow, d.RunID, d.Text))
	}
	return strings.Join(lines, "\n")
}

// Replay looks whether workflows replay the runs of a document of smolwf.Store.Export, each run of the tree
// whose workflow is among them and that has recorded something. The test has failed, with the text of
// the report, where one does not.
//
// No step is run. What a workflow reads beside its steps, such as from tables of its own, is not there: the
// store is new, and in memory. Of a run that is open, was cancelled, or failed by its time-out or for the
// loss of its workers, there is only a history so far: its workflow may go on from the end of it.
func Replay(t testing.TB, document json.RawMessage, workflows map[string]smolwf.Workflow) *Replayed {
	t.Helper()
	replayed, err := ReplayReport(document, workflows)
	if err != nil {
		t.Fatal("smolwftest: ", err)
	}
	if err := replayed.Check(); err != nil {
		t.Error(err)
	}
	return replayed
}

// ReplayReport is Replay that leaves it to the caller what to make of differences, also outside of tests. It
// is an error if no run of the document is replayed.
func ReplayReport(document json.RawMessage, workflows map[string]smolwf.Workflow) (*Replayed, error) {
	store, err := smolwf.OpenInMemory(&smolwf.Options{ManualClock: true})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	imported, err := store.Import(document, smolwf.ImportOptions{})
	if err != nil {
		return nil, err
	}
	var runs []*smolwf.Run
	for run, err := range store.Runs(smolwf.RunFilter{
		RootRunID: imported.RunID, Order: "oldest", Include: []string{"result", "error"},
	}) {
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	if err := setAside(store); err != nil {
		return nil, err
	}
	return replayAll(store, runs, workflows)
}

// setAside pauses what is open, so that nothing but forks is claimed.
func setAside(store *smolwf.Store) error {
	for {
		acted, err := store.ActMany(smolwf.ActPause, smolwf.RunFilter{}, 1000)
		if err != nil || !acted.More {
			return err
		}
	}
}

func replayAll(store *smolwf.Store, runs []*smolwf.Run, workflows map[string]smolwf.Workflow) (*Replayed, error) {
	replayed := &Replayed{Differences: []Difference{}}
	for _, run := range runs {
		work := workflows[run.Workflow]
		if work == nil {
			continue
		}
		children, isRecorded, err := recorded(store, run.RunID)
		if err != nil {
			return nil, err
		}
		if !isRecorded {
			continue
		}
		replayed.Runs++
		r := &replay{store: store, run: run, work: work, children: children}
		kind, name, text, err := r.difference()
		if err != nil {
			return nil, err
		}
		if kind != "" {
			replayed.Differences = append(replayed.Differences, Difference{run.RunID, run.Workflow, kind, name, text})
		}
	}
	if replayed.Runs == 0 {
		return nil, errors.New("no run of the document is of these workflows and has recorded anything")
	}
	return replayed, nil
}

// recorded returns the children that a run has submitted, and whether it has recorded anything.
func recorded(store *smolwf.Store, runID string) (children map[childName]bool, isRecorded bool, _ error) {
	children = map[childName]bool{}
	for cursor := ""; ; {
		page, err := store.History(runID, cursor, 0)
		if err != nil {
			return nil, false, err
		}
		for _, step := range page.Steps {
			isRecorded = true
			if step.Kind == "child_submit" {
				children[childName{step.Name, step.Occurrence}] = true
			}
		}
		if page.Next == nil {
			return children, isRecorded, nil
		}
		cursor = *page.Next
	}
}

// childName names a child within its parent.
type childName struct {
	name       string
	occurrence int64
}

// replay is that of one run.
type replay struct {
	store    *smolwf.Store
	run      *smolwf.Run
	work     smolwf.Workflow
	children map[childName]bool
}

// difference returns the first; none has no kind.
func (r *replay) difference() (kind Kind, name, text string, _ error) {
	played, err := r.play(r.work)
	if err != nil {
		return "", "", "", err
	}
	kind, name = kindOf(played.refused)
	switch {
	case played.refused != "" && kind != NotRecorded:
		return kind, name, played.refused, nil
	case r.hasEndedByItself():
		kind, name, text = r.compare(played)
		return kind, name, text, nil
	case played.refused == "" && played.failure != "" && r.hasNotFailed():
		return Outcome, r.run.Workflow, "the run is open, and its replay fails: " + played.failure, nil
	}
	said, err := r.left()
	if err != nil || said == "" {
		return "", "", "", err
	}
	kind, name = kindOf(said)
	return kind, name, said, nil
}

// hasEndedByItself says that the history of the run is all that there will be, by what its code did.
func (r *replay) hasEndedByItself() bool {
	return r.run.State == "completed" || r.run.State == "failed" && !isOfEngine(r.run.Error)
}

// hasNotFailed says that the run is open, and no attempt has failed by what its code did.
func (r *replay) hasNotFailed() bool {
	return r.run.FinishedAtMS == nil && isOfEngine(r.run.LastError)
}

// isOfEngine says that the library itself recorded an error, or nobody did.
func isOfEngine(failure json.RawMessage) bool {
	var engine smolwf.EngineError
	isThere := len(failure) > 0 && string(failure) != "null"
	return !isThere || json.Unmarshal(failure, &engine) == nil && engine.Kind != ""
}

// left plays the run once more, and asks where that has ended what it has not asked for; "" is nothing.
func (r *replay) left() (said string, _ error) {
	_, err := r.play(func(ctx context.Context, run *smolwf.Attempt) (any, error) {
		value, err := r.work(ctx, run)
		var told *smolwf.Error
		if errors.As(run.Complete(nil), &told) && told.Code == smolwf.ErrNondeterminism {
			said = told.Message
		}
		return value, err
	})
	return said, err
}

// compare compares the end of a replay with that of its run.
func (r *replay) compare(p *played) (kind Kind, name, text string) {
	_, unrecorded := kindOf(p.refused)
	hasCompleted := r.run.State == "completed"
	switch {
	case p.child != "":
		return NotRecorded, p.child, fmt.Sprintf("child %s is submitted, and history has none of it", quote(p.child))
	case p.refused != "":
		return NotRecorded, unrecorded, p.refused
	case p.isParked:
		return Waits, append(p.waits, r.run.Workflow)[0], "the run ended, and its replay waits for " + strings.Join(p.waits, ", ")
	case hasCompleted && p.failure != "":
		return Outcome, r.run.Workflow, "the run completed, and its replay fails: " + p.failure
	case !hasCompleted && p.run.State == "completed":
		return Outcome, r.run.Workflow, "the run failed, and its replay completes"
	case hasCompleted && !isSame(p.run.Result, r.run.Result):
		return Outcome, r.run.Workflow, fmt.Sprintf("the run completed with %s, and its replay with %s",
			cut(r.run.Result), cut(p.run.Result))
	}
	return "", "", ""
}

// played is how one attempt at a fork went.
type played struct {
	// run is the fork, as it stands then.
	run *smolwf.Run
	// refused is the sentence of a nondeterminism, failure that of another error; child is one that history
	// has none of.
	refused, failure, child string
	// isParked says that it waits, and waits for what.
	isParked, hasFailed bool
	waits               []string
}

// play takes one attempt at a fork of the run.
func (r *replay) play(work smolwf.Workflow) (*played, error) {
	fork, err := r.store.Fork(r.run.RunID, smolwf.FromEnd)
	if err != nil {
		return nil, err
	}
	attempt, err := r.claim(fork)
	if err != nil {
		return nil, err
	}
	p := &played{}
	worker := smolwf.Worker{
		Store: r.store, Workflows: map[string]smolwf.Workflow{r.run.Workflow: work}, NoWatch: true, Hook: p.hear,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), // what it would say is in the report
	}
	if err := worker.Carry(context.Background(), attempt); err != nil {
		return nil, err
	}
	if p.run, err = r.store.Get(fork); err != nil {
		return nil, err
	}
	if p.hasFailed {
		failure := p.run.Error
		if p.run.FinishedAtMS == nil {
			failure = p.run.LastError
		}
		p.failure = said(failure)
	}
	if p.child, err = r.newChild(fork); err != nil {
		return nil, err
	}
	if err := r.store.Cancel(fork, nil); err != nil && !errors.Is(err, smolwf.ErrConflict) {
		return nil, err
	}
	return p, nil
}

// claim claims the fork; whatever else can be claimed is cancelled.
func (r *replay) claim(fork string) (*smolwf.Attempt, error) {
	o := &smolwf.ClaimOptions{
		Lease: smolwf.LeaseWhileAlive, Workflows: []string{r.run.Workflow}, Strict: true, ReplayOnly: true,
	}
	for {
		attempt, err := r.store.TryClaim(r.run.Queue, o)
		switch {
		case err != nil:
			return nil, err
		case attempt == nil:
			return nil, fmt.Errorf("the fork of run %s is not claimed", r.run.RunID)
		case attempt.RunID() == fork:
			return attempt, nil
		}
		err = r.store.Cancel(attempt.RunID(), nil)
		attempt.Close()
		if err != nil {
			return nil, err
		}
	}
}

// newChild returns a child that the fork has and the run has not.
func (r *replay) newChild(fork string) (string, error) {
	now, _, err := recorded(r.store, fork)
	for child := range now {
		if err == nil && !r.children[child] {
			return child.name, nil
		}
	}
	return "", err
}

func (p *played) hear(ctx context.Context, e smolwf.WorkerEvent) context.Context {
	var told *smolwf.Error
	switch e.Kind {
	case smolwf.EventParked:
		p.isParked, p.waits = true, e.WaitingFor
	case smolwf.EventRetrying, smolwf.EventFailed:
		p.hasFailed = true
		if errors.As(e.Err, &told) && told.Code == smolwf.ErrNondeterminism {
			p.refused = told.Message
		}
	}
	return ctx
}
