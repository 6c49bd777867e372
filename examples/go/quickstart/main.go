// Quickstart asks an expensive question once. Run it with "crash", then without, then without again.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"syscall"
	"time"

	"smolwf.internal/smolwf"
)

func askTheModel() json.RawMessage { // stands for the call that costs money
	fmt.Println("asking the model")
	return json.RawMessage(`{"answer": 42}`)
}

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	path, crash := "quickstart.db", false
	for _, arg := range args {
		if arg == "crash" {
			crash = true
		} else {
			path = arg
		}
	}
	store, err := smolwf.Open(path, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	// One key is one run, however often this program is started.
	once := &smolwf.SubmitOptions{IdempotencyKey: "question 1"}
	if _, _, err := store.Submit("ask", "why?", once); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	attempt, err := store.Claim(ctx, "", nil)
	if ctx.Err() != nil {
		fmt.Println("nothing to do: the run has ended")
		return nil
	}
	if err != nil {
		return err
	}
	defer attempt.Close()
	step, err := attempt.Begin("answer", smolwf.StepOptions{})
	if err != nil {
		return err
	}
	defer step.Close()
	answer := step.Result()
	if step.Replayed {
		fmt.Printf("replayed, not asked again: %s\n", answer)
	} else {
		answer = askTheModel()
		if err := step.Complete(answer); err != nil { // from here on, no crash can lose it
			return err
		}
		fmt.Printf("recorded: %s\n", answer)
	}
	if crash {
		// The step is recorded, the run is not finished.
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if err := attempt.Complete(answer); err != nil {
		return err
	}
	fmt.Println("the run is finished")
	return nil
}
