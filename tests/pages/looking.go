package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"smolwf.internal/smolwf"
)

var (
	shown    int
	ctx, end = context.WithCancel(context.Background())
)

func show(json.RawMessage) {
	shown++
	end()
}

func look(ctx context.Context, store *smolwf.Store, runID string) error {
	monthAgo := time.Now().UnixMilli()
	// HERE
	fmt.Println(open, acted.Done, gone.Runs, told.State, err)
	return nil
}

func main() {
	store, err := smolwf.OpenInMemory(nil)
	if err != nil {
		panic(err)
	}
	runID, _, _ := store.Submit("ask", nil, &smolwf.SubmitOptions{MaxTries: 1})
	claimed, err := store.TryClaim("", nil)
	if err != nil {
		panic(err)
	}
	claimed.Tell("progress", 1, "")
	claimed.Fail("503", smolwf.FailOptions{})
	if err := look(ctx, store, runID); err != nil || shown != 1 {
		fmt.Println(shown, err)
		os.Exit(1)
	}
}
