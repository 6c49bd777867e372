// Approval sleeps an hour, asks a human, waits three days at most, and goes on: in no time, since the
// store's clock is moved by hand.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"smolwf.internal/smolwf"
)

type purchase struct {
	Amount int `json:"amount"`
}

type outcome struct {
	ApprovedBy *string `json:"approved_by"`
	Order      *int    `json:"order"`
}

// buy is the workflow; it runs from the top in every attempt.
func buy(ctx context.Context, run *smolwf.Attempt) (any, error) {
	if err := run.Sleep("cool-off", time.Hour); err != nil {
		return nil, err
	}
	message, err := run.SignalAwait("approval", 72*time.Hour)
	if errors.Is(err, smolwf.ErrTimeout) {
		fmt.Println("nobody answered")
		return outcome{}, nil
	}
	if err != nil {
		return nil, err
	}
	var approval struct {
		By string `json:"by"`
	}
	if err := json.Unmarshal(message, &approval); err != nil {
		return nil, err
	}
	order, err := smolwf.Do(ctx, run, "order", func(context.Context) (map[string]int, error) {
		fmt.Println("ordered")
		return map[string]int{"order": 1}, nil
	})
	number := order["order"]
	return outcome{&approval.By, &number}, err
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: approval <store>")
	}
	store, err := smolwf.Open(os.Args[1], &smolwf.Options{ManualClock: true})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	worker := &smolwf.Worker{Store: store, Workflows: map[string]smolwf.Workflow{"purchase": buy}}
	approve := func(runID string) error {
		fmt.Println("ada approves")
		_, err := store.Signal(runID, "approval", map[string]string{"by": "ada"}, "")
		return err
	}
	ignore := func(string) error {
		fmt.Println("three days later")
		return store.Advance(72 * time.Hour)
	}
	for _, human := range []func(string) error{approve, ignore} {
		if err := one(store, worker, human); err != nil {
			log.Fatal(err)
		}
	}
}

// one takes a purchase through its life.
func one(store *smolwf.Store, worker *smolwf.Worker, human func(string) error) error {
	runID, _, err := store.Submit("purchase", purchase{1200}, nil)
	if err != nil {
		return err
	}
	fmt.Println("submitted a purchase of 1200")
	steps := []func() error{
		func() error { return carry(store, worker, "parked: sleeping an hour") },
		func() error { fmt.Println("an hour later"); return store.Advance(time.Hour) },
		func() error { return carry(store, worker, "parked: waiting for approval, three days at most") },
		func() error { return human(runID) },
		func() error { return carry(store, worker, "") },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	run, err := store.Get(runID)
	if err != nil {
		return err
	}
	fmt.Printf("result: %s\n", run.Result)
	return nil
}

// carry works on the run that is ready.
func carry(store *smolwf.Store, worker *smolwf.Worker, then string) error {
	run, err := store.TryClaim("", nil)
	if err != nil {
		return err
	}
	if run == nil {
		return errors.New("nothing to claim")
	}
	if err := worker.Carry(context.Background(), run); err != nil {
		return err
	}
	if then != "" {
		fmt.Println(then)
	}
	return nil
}
