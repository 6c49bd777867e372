//go:build race

package smolwftest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"smolwf.internal/smolwf"
)

// What the race detector finds in a process of a case is not lost with that.
func TestADataRaceInAProcessIsAnError(t *testing.T) {
	t.Parallel()
	report, err := crash(t, Case{Workflows: map[string]smolwf.Workflow{
		"w": func(context.Context, *smolwf.Attempt) (any, error) {
			var running sync.WaitGroup
			n := 0
			for range 2 {
				running.Add(1)
				go func() {
					defer running.Done()
					for range 1000 {
						n++
					}
				}()
			}
			running.Wait()
			return nil, nil
		},
	}})
	if err == nil || !strings.Contains(err.Error(), "the process of the run ended with exit status 66, and said: WARNING: DATA RACE") {
		t.Error(report, err)
	}
}
