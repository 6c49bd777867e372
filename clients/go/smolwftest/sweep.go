package smolwftest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The two moments of a commit, and that of a case in which nothing is killed.
const (
	before = "before"
	after  = "after"
	clean  = "clean"
)

// sweeper runs the cases of one call of Crash.
type sweeper struct {
	*Case
	call   call
	folder string
	report *Report
	// clean is how the case went that was not disturbed.
	clean *ran
}

// ran is how a case went.
type ran struct {
	// isKilled says that the first process was killed at its commit.
	isKilled bool
	end      *end
	effects  *effects
}

func sweep(t *testing.T, of call, c *Case) (*Report, error) {
	s := &sweeper{
		Case: c, call: of, folder: room(t),
		report: &Report{Workflow: c.Workflow, Cases: 1, Findings: []Finding{}},
	}
	isClean, err := s.undisturbed()
	for commit := 1; err == nil && isClean; commit++ {
		var isOver bool
		if isOver, err = s.kills(commit); isOver {
			break
		}
	}
	return s.report, err
}

// room makes a folder that goes with the test, in memory where there is one: that a kill leaves what was
// written is true there too, and nothing waits for a disk.
func room(t *testing.T) string {
	folder, err := os.MkdirTemp("/dev/shm", "smolwftest")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// undisturbed runs the clean case; it is not clean when it is a finding by itself.
func (s *sweeper) undisturbed() (isClean bool, _ error) {
	r, err := s.play(0, clean)
	if err != nil {
		return false, err
	}
	s.clean = r
	switch e := r.end; {
	case e.Refused != "":
		s.add(0, clean, refusal(e.Refused))
		return false, nil
	case e.Stuck != "":
		return false, fmt.Errorf("the clean run of %s did not end: %s", s.Workflow, e.Stuck)
	case e.Exit != "":
		return false, fmt.Errorf("the clean run of %s: %s", s.Workflow, e.Exit)
	case e.State != s.State:
		return false, fmt.Errorf("the clean run of %s is %s%s", s.Workflow, e.State, why(e))
	}
	return true, nil
}

// kills runs the two cases of a commit; it is over when there is no such commit.
func (s *sweeper) kills(commit int) (isOver bool, _ error) {
	for _, moment := range []string{before, after} {
		r, err := s.play(commit, moment)
		if err != nil {
			return true, err
		}
		if r.isKilled && commit > s.MaxCommits {
			return true, fmt.Errorf("%s makes more than %d commits: raise MaxCommits, or test a smaller part of it",
				s.Workflow, s.MaxCommits)
		}
		for _, found := range s.judge(r) {
			s.add(commit, moment, found)
		}
		if r.isKilled {
			s.report.Commits = commit
			s.report.Cases++
		}
		if !r.isKilled || r.end.IsLate {
			return true, nil
		}
	}
	return false, nil
}

func (s *sweeper) add(commit int, moment string, f Finding) {
	f.Commit, f.Moment = commit, moment
	s.report.Findings = append(s.report.Findings, f)
}

// play runs one case: a process that is killed at a commit, and one that goes on.
func (s *sweeper) play(commit int, moment string) (*ran, error) {
	folder, err := os.MkdirTemp(s.folder, "case")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder) // t.TempDir removes what is left
	r := &ran{}
	if r.end, err = s.work(folder, commit, moment); err == nil && r.end == nil {
		r.isKilled = true
		r.end, err = s.work(folder, 0, clean)
	}
	if err != nil {
		return nil, err
	}
	if r.end == nil {
		r.end = &end{Exit: "the run did not end: its process was killed by another than the test"}
	}
	r.effects, err = readEffects(filepath.Join(folder, witnessFile))
	return r, err
}
