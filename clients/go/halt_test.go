package smolwf

import (
	"context"
	"sync/atomic"
	"testing"
)

// It was claimed once more, and given back again.
func TestARunThatAStopGivesBackIsNotTakenByAClaimThatWasUnderWay(t *testing.T) {
	store := file(t)
	runID := submit(t, store, nil)
	begun, heard := make(chan struct{}), make(chan struct{})
	var areClaimsOver atomic.Bool
	worker := &Worker{Store: store, Logger: silent, Workflows: map[string]Workflow{
		"w": func(ctx context.Context, _ *Attempt) (any, error) {
			close(begun)
			<-ctx.Done()
			close(heard)
			return nil, nil
		},
	}, Hook: func(_ context.Context, e WorkerEvent) context.Context {
		if e.Kind == EventReleased && !areClaimsOver.Load() {
			t.Error("it was given back while a claim was under way")
		}
		return nil
	}}
	r, err := worker.start(context.Background())
	must(t, err)
	r.places()
	runs, err := r.look(1)
	must(t, err)
	r.take(runs[0])
	<-begun
	worker.Stop()
	worker.Stop()
	<-heard
	for range 50 { // the claim that was under way
		runs, err := r.look(1)
		must(t, err)
		for _, run := range runs {
			t.Error("it was claimed once more")
			run.Close()
		}
	}
	areClaimsOver.Store(true)
	close(r.claimed)
	r.attempts.Wait()
	must(t, worker.finish(r))
	run, err := store.Get(runID)
	must(t, err)
	if run.State != "pending" || run.Tries != 0 || run.Attempts != 1 {
		t.Errorf("%s", run.Raw)
	}
}
