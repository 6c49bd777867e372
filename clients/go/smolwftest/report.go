package smolwftest

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is what is wrong.
type Kind string

// What Crash finds.
const (
	// EffectTwice: an effect happened more often than in the clean run.
	EffectTwice Kind = "effect_twice"
	// EffectMissing: an effect happened less often than in the clean run.
	EffectMissing Kind = "effect_missing"
	// InputChanged: a step that is recorded was begun with another input. Replay finds it too.
	InputChanged Kind = "input_changed"
	// NotReplayed: an attempt ended without having asked for something that is recorded, or asked for it
	// as something else. Replay finds it too.
	NotReplayed Kind = "not_replayed"
	// Outcome: the run ended in another state than the clean run, or with another result where that is
	// compared; or its process ended by itself. Replay finds it too.
	Outcome Kind = "outcome"
	// Stuck: the run did not end.
	Stuck Kind = "stuck"
)

// What Replay finds beside InputChanged, NotReplayed and Outcome.
const (
	// NotRecorded: the code begins a step, or submits a child, that history has none of.
	NotRecorded Kind = "not_recorded"
	// Waits: the run has ended, and its replay waits.
	Waits Kind = "waits"
)

// Finding is something that a kill changed.
type Finding struct {
	// Kind is what is wrong.
	Kind Kind `json:"kind"`
	// Commit at which the process was killed, from 1, and Moment, "before" or "after" it; 0 and "clean" for
	// what came without a kill.
	Commit int    `json:"commit"`
	Moment string `json:"moment"`
	// Name of the effect, step, await, sleep or child; for Outcome and Stuck the workflow's.
	Name string `json:"name"`
	// Text is a sentence.
	Text string `json:"text"`
}

// Report is what Crash came to.
type Report struct {
	// Workflow is its name.
	Workflow string `json:"-"`
	// Commits is how many commits there were to kill it at.
	Commits int `json:"commits"`
	// Cases is how often it was run: once undisturbed, and twice for each commit.
	Cases int `json:"cases"`
	// Findings in the order of the kills: at most one for each kill, kind and name.
	Findings []Finding `json:"findings"`
}

// Check returns the report as an error, if there are findings.
func (r *Report) Check() error {
	if len(r.Findings) == 0 {
		return nil
	}
	return errors.New(r.String())
}

// String returns a line that sums up, and one for each distinct finding, with where it was seen first: for the
// first 20.
func (r *Report) String() string {
	type kindName struct {
		kind Kind
		name string
	}
	var order []kindName
	seen := map[kindName][]Finding{}
	for _, f := range r.Findings {
		id := kindName{f.Kind, f.Name}
		if seen[id] == nil {
			order = append(order, id)
		}
		seen[id] = append(seen[id], f)
	}
	lines := []string{fmt.Sprintf("%s: %s, %s, %s", r.Workflow, count(r.Commits, "commit"),
		count(r.Cases, "case"), count(len(order), "finding"))}
	for i, id := range order {
		if i == shownMax {
			lines = append(lines, fmt.Sprintf("and %d more", len(order)-i))
			break
		}
		all := seen[id]
		at := fmt.Sprintf("at %d of %d kill points, first %s commit %d", len(all), 2*r.Commits, all[0].Moment, all[0].Commit)
		if all[0].Commit == 0 {
			at = "without a kill"
		}
		lines = append(lines, fmt.Sprintf("%s %s, %s: %s", id.kind, id.name, at, all[0].Text))
	}
	return strings.Join(lines, "\n")
}

// shownMax is how many findings a text shows.
const shownMax = 20

// count says how many there are of something.
func count(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
