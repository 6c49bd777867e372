package smolwftest

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"smolwf.internal/smolwf"
)

// Case is a workflow to be killed; the zero value of each field but Workflows is its default.
type Case struct {
	// Workflows by name: the one to be run, and all that it submits as children.
	Workflows map[string]smolwf.Workflow
	// Workflow is the name of the one to be run; it may be left out where there is one alone.
	Workflow string
	// Args is any value that encoding/json writes.
	Args any
	// Submit has the options of its submit.
	Submit *smolwf.SubmitOptions
	// Signals are sent to it at once, in this order.
	Signals []Signal
	// Setup is called in each process that works on a case, with its store, before it works: for tables,
	// which the second process of a case finds as the first left them.
	Setup func(store *smolwf.Store) error
	// State is how the clean run has to end: "completed".
	State string
	// CompareResult has a run that ends with another result than the clean one be a finding.
	CompareResult bool
	// MaxCommits is an error if the workflow makes more: 200.
	MaxCommits int
	// Timeout is how long a process may be at work: 60 s.
	Timeout time.Duration
}

// Signal is a message to the run.
type Signal struct {
	// Name and Payload, any value that encoding/json writes.
	Name    string
	Payload any
}

// Crash runs a workflow once undisturbed, and then once for each commit that it makes and moment before and
// after it, with a SIGKILL there. The test has failed, with the text of the report, if something then
// differs from the clean run; and it is ended there if the clean run does not end as it has to.
//
// In each case the store is new and has a manual clock, which moves to the next moment at which something
// is due when there is nothing to do: a sleep of a month takes no time. A worker takes all runs of the tree
// to their ends, with strict claims: see smolwf.ClaimOptions.
//
// It works for tests and their subtests, parallel ones too, that come to the same calls of Crash in the
// same order whenever they are run. A benchmark, a fuzz target and a test of a name that another test of
// the package makes at random cannot be found again by a process.
func Crash(t *testing.T, c Case) *Report {
	t.Helper()
	report := CrashReport(t, c)
	if err := report.Check(); err != nil && !InChild() {
		t.Error(err)
	}
	return report
}

// CrashReport is Crash that leaves it to the caller what to make of findings.
func CrashReport(t *testing.T, c Case) *Report {
	t.Helper()
	report, err := crash(t, c)
	if err != nil {
		t.Fatal("smolwftest: ", err)
	}
	return report
}

func crash(t *testing.T, c Case) (*Report, error) {
	t.Helper()
	if err := c.check(); err != nil {
		return nil, err
	}
	call := calls.next(t)
	if InChild() {
		return child.come(call, &c)
	}
	report, err := sweep(t, call, &c)
	if err == nil {
		calls.keep(call, report)
	}
	return report, err
}

// InChild says that this process was started by a crash test: for a TestMain that sets up what is not to be
// set up in each of them.
func InChild() bool { return child != nil }

// check fills in what was left out.
func (c *Case) check() error {
	if c.Workflow == "" && len(c.Workflows) == 1 {
		for c.Workflow = range c.Workflows {
		}
	}
	switch {
	case c.Workflow == "":
		return fmt.Errorf("the case has %s, and Workflow names none of them", count(len(c.Workflows), "workflow"))
	case c.Workflows[c.Workflow] == nil:
		return fmt.Errorf("%s is none of the workflows of the case", quote(c.Workflow))
	}
	if c.State == "" {
		c.State = "completed"
	}
	if !slices.Contains([]string{"completed", "failed", "cancelled"}, c.State) {
		return fmt.Errorf("no run ends as %s", quote(c.State))
	}
	if c.MaxCommits == 0 {
		c.MaxCommits = 200
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	return nil
}

// call is a call of Crash: the test, and which of its calls, from 1.
type call struct {
	Test  string `json:"test"`
	Which int    `json:"which"`
}

// calls counts the calls of each test under way, and keeps what they came to: a test may look at the report
// of one before it comes to the next, in a child too.
var calls = counted{last: map[string]int{}, reports: map[call]*Report{}}

type counted struct {
	mu      sync.Mutex
	last    map[string]int
	reports map[call]*Report
}

func (c *counted) next(t *testing.T) call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last[t.Name()] == 0 {
		t.Cleanup(func() { c.forget(t.Name()) }) // -test.count runs it again
	}
	c.last[t.Name()]++
	return call{t.Name(), c.last[t.Name()]}
}

func (c *counted) forget(test string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for which := range c.last[test] {
		delete(c.reports, call{test, which + 1})
	}
	delete(c.last, test)
}

func (c *counted) keep(of call, report *Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports[of] = report
}

// before returns what a process has to know of to come to a call: the reports of the calls before it, of the test and
// of those that it is a part of.
func (c *counted) before() []known {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []known
	for of, report := range c.reports {
		all = append(all, known{of, report.Workflow, report})
	}
	return all
}

// known is what a call came to.
type known struct {
	Call     call    `json:"call"`
	Workflow string  `json:"workflow"`
	Report   *Report `json:"report"`
}

// startedIn is the folder in which the test binary was started; a test may leave it.
var startedIn, _ = os.Getwd()
