// Transfer has ten accounts in a table of its own, in the store's file, and makes a hundred transfers
// between them: kill it anywhere, start it again, and no cent is lost or moved twice.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"smolwf.internal/smolwf"
)

const (
	accounts  = 10
	transfers = 100
)

// order is the args of a run.
type order struct {
	Number int `json:"number"`
}

// openBank makes the tables, once however often the program is begun.
func openBank(_ context.Context, tx *smolwf.Tx) error {
	tx.Execute("CREATE TABLE IF NOT EXISTS accounts (" +
		"id INTEGER PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents >= 0))")
	// Nothing in it forbids to do a transfer twice.
	tx.Execute("CREATE TABLE IF NOT EXISTS moves (" +
		"transfer INTEGER NOT NULL, cents INTEGER NOT NULL)")
	for id := range accounts {
		tx.Execute("INSERT INTO accounts VALUES ($1, 1000) ON CONFLICT DO NOTHING", id)
	}
	return nil
}

// transfer is the workflow: the money and the record of the step are one commit, and each account must be
// there.
func transfer(ctx context.Context, run *smolwf.Attempt, o order) (any, error) {
	from, to, cents := o.Number%accounts, (o.Number*7+3)%accounts, 1+o.Number%9
	return run.Transaction(ctx, "move", func(_ context.Context, tx *smolwf.Tx) error {
		tx.Execute("UPDATE accounts SET cents = cents - $1 WHERE id = $2", cents, from).ExpectChanges(1)
		tx.Execute("UPDATE accounts SET cents = cents + $1 WHERE id = $2", cents, to).ExpectChanges(1)
		tx.Execute("INSERT INTO moves VALUES ($1, $2)", o.Number, cents)
		tx.Result(cents)
		return nil
	})
}

func main() {
	log.SetFlags(0)
	path := "transfer.db"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	if err := play(path); err != nil {
		log.Fatal(err)
	}
}

func play(path string) error {
	store, err := smolwf.Open(path, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := store.Tx(ctx, openBank); err != nil {
		return err
	}
	runs, err := submit(store)
	if err != nil {
		return err
	}
	worker := &smolwf.Worker{Store: store, Concurrency: 4, Workflows: map[string]smolwf.Workflow{
		"transfer": smolwf.Typed(transfer),
	}}
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
	for _, run := range runs {
		if _, err := store.Wait(ctx, run.RunID); err != nil {
			return err
		}
	}
	worker.Stop()
	if err := <-done; err != nil {
		return err
	}
	return report(ctx, store)
}

func submit(store *smolwf.Store) ([]smolwf.Submitted, error) {
	items := make([]smolwf.Item, transfers)
	for number := range items {
		items[number] = smolwf.Item{Workflow: "transfer", Args: order{number}}
		// Once, however often the program is begun; each kill on the way is a try.
		items[number].IdempotencyKey = fmt.Sprintf("transfer %d", number)
		items[number].MaxTries = 100_000
	}
	return store.SubmitMany(items)
}

func report(ctx context.Context, store *smolwf.Store) error {
	rows, err := store.Query(ctx, "SELECT count(*), sum(cents) FROM accounts")
	if err != nil {
		return err
	}
	fmt.Printf("accounts %d sum %d\n", rows.Rows[0]...)
	done, err := store.Count(smolwf.RunFilter{States: []string{"completed"}}, 0)
	if err != nil {
		return err
	}
	rows, err = store.Query(ctx, "SELECT count(*) - count(DISTINCT transfer) FROM moves")
	if err != nil {
		return err
	}
	fmt.Printf("transfers %d done %d twice %d\n", transfers, done, rows.Rows[0][0])
	return nil
}
