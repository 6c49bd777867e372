package smolwftest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"smolwf.internal/smolwf"
)

// taskVariable names the file with the task of a process that a crash test started.
const taskVariable = "SMOLWF_CRASH_TASK"

// childProcess is this process, when a crash test started it.
type childProcess struct{ task }

// child is nil in every other process.
var child = born()

func born() *childProcess {
	path := os.Getenv(taskVariable)
	if path == "" {
		return nil
	}
	os.Unsetenv(taskVariable) // what this process starts is no child of the test
	c := &childProcess{}
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &c.task)
	}
	if err != nil {
		panic(fmt.Sprintf("smolwftest: the task of this process cannot be read: %v", err))
	}
	return c
}

// come is a call of Crash in this process. The one that it was started for does the work, and ends the
// process; those before it answer what they came to.
func (p *childProcess) come(to call, c *Case) (*Report, error) {
	if to == p.Call {
		p.finish(c)
	}
	for _, known := range p.Known {
		if known.Call == to {
			known.Report.Workflow = known.Workflow
			return known.Report, nil
		}
	}
	return nil, fmt.Errorf("the process that works for call %d of Crash in %s came to call %d in %s: a test has to "+
		"make the same calls in the same order whenever it is run", p.Call.Which, p.Call.Test, to.Which, to.Test)
}

// finish does the work, says how it ended, and ends the process without a clean-up.
func (p *childProcess) finish(c *Case) {
	e, err := p.work(c)
	if err != nil {
		e = &end{Fault: err.Error()}
	}
	raw, err := json.Marshal(e)
	if err == nil {
		err = os.WriteFile(p.path(endFile), raw, 0o600)
	}
	if err != nil {
		panic(err)
	}
	os.Exit(0)
}

func (p *childProcess) path(name string) string { return filepath.Join(p.Folder, name) }

// work does what there is to do until nothing is.
func (p *childProcess) work(c *Case) (*end, error) {
	store, err := smolwf.Open(p.path(storeFile), &smolwf.Options{
		ManualClock: true, Durability: smolwf.Process, // a kill is all that it has to stand
	})
	if err != nil {
		return nil, err
	}
	if c.Setup != nil {
		if err := c.Setup(store); err != nil {
			return nil, fmt.Errorf("Setup: %w", err)
		}
	}
	runID, err := p.submitted(store, c)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.path(runFile), []byte(runID), 0o600); err != nil {
		return nil, err
	}
	if p.Commit > 0 {
		if err := store.KillAt(int64(p.Commit), p.Moment == after); err != nil {
			return nil, err
		}
	}
	w := newWork(store, runID, c)
	e, err := w.all()
	if err != nil {
		return nil, err
	}
	return e, store.KillAt(0, false)
}

// submitted returns the run of the case: submitted by the first process, found by the second.
func (p *childProcess) submitted(store *smolwf.Store, c *Case) (string, error) {
	runID, err := os.ReadFile(p.path(runFile))
	if err == nil {
		return string(runID), nil
	}
	id, _, err := store.Submit(c.Workflow, c.Args, c.Submit)
	for _, s := range c.Signals {
		if err == nil {
			_, err = store.Signal(id, s.Name, s.Payload, "")
		}
	}
	return id, err
}
