package smolwf_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"smolwf.internal/smolwf"
)

type purchase struct{ Amount int }

// buy waits for somebody's yes, and orders once.
func buy(ctx context.Context, run *smolwf.Attempt, p purchase) (string, error) {
	type answer struct{ By string }
	yes, err := smolwf.As[answer](run.SignalAwait("approval", 72*time.Hour))
	if errors.Is(err, smolwf.ErrTimeout) {
		return "nobody answered", nil
	}
	if err != nil {
		return "", err // not there yet: the run is parked
	}
	return smolwf.Do(ctx, run, "order", func(context.Context) (string, error) {
		return fmt.Sprintf("ordered for %d, as %s said", p.Amount, yes.By), nil
	})
}

func ExampleTyped() {
	store, err := smolwf.OpenInMemory(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	ctx, stop := context.WithCancel(context.Background())
	worker := &smolwf.Worker{Store: store, Workflows: map[string]smolwf.Workflow{"buy": smolwf.Typed(buy)}}
	done := make(chan error)
	go func() { done <- worker.Run(ctx) }()

	runID, _, err := store.Submit("buy", purchase{1200}, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Signal(runID, "approval", map[string]string{"By": "ada"}, ""); err != nil {
		log.Fatal(err)
	}
	fmt.Println(smolwf.WaitResult[string](ctx, store, runID))
	stop()
	fmt.Println(<-done)
	// Output:
	// ordered for 1200, as ada said <nil>
	// <nil>
}
