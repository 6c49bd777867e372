package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"smolwf.internal/smolwf"
)

func transfer(ctx context.Context, store *smolwf.Store, run *smolwf.Attempt) (any, error) {
	var err error
	const amount, from, to = 0, 1, 2
	args := map[string]int{"to": to}
	if err = store.Tx(ctx, fill); err != nil {
		return nil, err
	}
	// HERE
	if len(rows.Rows) != 0 || err != nil {
		return nil, fmt.Errorf("%v, %w", rows.Rows, err)
	}
	return told.RunID, nil
}

func fill(_ context.Context, tx *smolwf.Tx) error {
	tx.Execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)")
	tx.Execute("INSERT INTO accounts VALUES(1, 30), (2, 0)")
	return nil
}

func main() {
	store, err := smolwf.OpenInMemory(nil)
	if err != nil {
		panic(err)
	}
	flow := func(ctx context.Context, run *smolwf.Attempt) (any, error) { return transfer(ctx, store, run) }
	worker := &smolwf.Worker{Store: store, Workflows: map[string]smolwf.Workflow{"transfer": flow}}
	runID, _, _ := store.Submit("transfer", nil, nil)
	claimed, err := store.TryClaim("", nil)
	if err == nil {
		err = worker.Carry(context.Background(), claimed)
	}
	run, _ := store.Get(runID)
	mails, _ := store.Count(smolwf.RunFilter{Workflow: "tell"}, 0)
	if err != nil || run.State != "completed" || mails != 1 {
		fmt.Println(run.State, mails, err)
		os.Exit(1)
	}
}
