package main

import (
	"context"
	"os"
	"regexp"
	"testing"

	"smolwf.internal/smolwf"
	"smolwf.internal/smolwf/smolwftest"
)

var workflows = map[string]smolwf.Workflow{
	"order": func(ctx context.Context, run *smolwf.Attempt) (any, error) {
		return smolwf.Do(ctx, run, "charge", func(context.Context) (int, error) { return 7, nil })
	},
}

// record keeps the history of a run, as a program in production would.
func record() error {
	store, err := smolwf.OpenInMemory(nil)
	if err != nil {
		return err
	}
	defer store.Close()
	runID, _, err := store.Submit("order", nil, nil)
	if err != nil {
		return err
	}
	claimed, err := store.TryClaim("", nil)
	if err != nil {
		return err
	}
	worker := smolwf.Worker{Store: store, Workflows: workflows}
	if err := worker.Carry(context.Background(), claimed); err != nil {
		return err
	}
	document, err := store.Export(runID, smolwf.ExportOptions{})
	if err != nil {
		return err
	}
	return os.WriteFile("order.json", document, 0o600)
}

// HERE

func main() {
	if err := record(); err != nil {
		panic(err)
	}
	testing.Main(regexp.MatchString, []testing.InternalTest{{Name: "TestHistories", F: TestHistories}}, nil, nil)
}
