package smolwftest_test

import (
	"context"
	"fmt"
	"testing"

	"smolwf.internal/smolwf"
	"smolwf.internal/smolwf/smolwftest"
)

// t is what a test gets.
var t *testing.T

// A test has one call; it is TestOrder here.
func ExampleCrash() {
	charge := func(ctx context.Context) (string, error) { // a fake, which stands for a call that costs money
		smolwftest.Effect("charge", smolwf.CurrentStep(ctx).ID())
		return "paid", nil
	}
	order := func(ctx context.Context, run *smolwf.Attempt) (any, error) {
		return smolwf.Do(ctx, run, "charge", charge)
	}
	smolwftest.Crash(t, smolwftest.Case{
		Workflows: map[string]smolwf.Workflow{"order": order}, Args: map[string]int{"id": 7},
	})
}

// steps is a workflow that has steps of these names.
func steps(names ...string) smolwf.Workflow {
	return func(ctx context.Context, run *smolwf.Attempt) (any, error) {
		for _, name := range names {
			if _, err := smolwf.Do(ctx, run, name, func(context.Context) (int, error) { return 1, nil }); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
}

// A program that deploys may look first; a test calls Replay.
func ExampleReplayReport() {
	store, err := smolwf.OpenInMemory(nil)
	if err != nil {
		panic(err)
	}
	defer store.Close()
	runID, _, _ := store.Submit("order", nil, nil)
	old := smolwf.Worker{Store: store, Workflows: map[string]smolwf.Workflow{"order": steps("charge", "ship")}}
	claimed, _ := store.TryClaim("", nil)
	old.Carry(context.Background(), claimed)
	document, _ := store.Export(runID, smolwf.ExportOptions{})

	for _, code := range []smolwf.Workflow{steps("charge", "ship"), steps("charge"), steps("charge", "pack", "ship")} {
		replayed, err := smolwftest.ReplayReport(document, map[string]smolwf.Workflow{"order": code})
		if err != nil {
			panic(err)
		}
		for _, d := range replayed.Differences {
			fmt.Println(d.Kind, d.Name)
		}
	}
	// Output:
	// not_replayed ship
	// not_recorded pack
}
