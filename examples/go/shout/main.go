// Shout works on the children `shout` of examples/polyglot, until it is killed.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strings"
	"time"

	"smolwf.internal/smolwf"
)

// The same input as in the other languages, in another form.
var input = json.RawMessage(`{"team":["ä","b"],"deadline":1e0}`)

func shout(ctx context.Context, run *smolwf.Attempt) (any, error) {
	var words []string
	if err := run.Args(&words); err != nil {
		return nil, err
	}
	return smolwf.DoWith(ctx, run, "shout", smolwf.StepOptions{Input: input},
		func(context.Context) (string, error) {
			time.Sleep(20 * time.Millisecond) // the work
			return strings.ToUpper(strings.Join(words, " ")), nil
		})
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: shout <store>")
	}
	store, err := smolwf.Open(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	worker := &smolwf.Worker{
		Store: store, Queue: "go",
		Workflows: map[string]smolwf.Workflow{"shout": shout},
	}
	if err := worker.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
