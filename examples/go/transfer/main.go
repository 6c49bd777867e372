// Transfer makes a hundred transfers between ten accounts: kill it at any time, and start it again, until
// it says the sum.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"smolwf"
)

const (
	accounts  = 10
	transfers = 100
)

// order is the args of a run.
type order struct {
	ID     int `json:"id"`
	From   int `json:"from"`
	To     int `json:"to"`
	Amount int `json:"amount"`
}

// setUp makes the tables, once however often the program is begun. They are its own, in the store's file.
func setUp(_ context.Context, tx *smolwf.Tx) error {
	tx.Execute("CREATE TABLE IF NOT EXISTS accounts (" +
		"id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))")
	// Nothing in it forbids to do one twice.
	tx.Execute("CREATE TABLE IF NOT EXISTS transfers (id INTEGER NOT NULL, amount INTEGER NOT NULL)")
	for id := range accounts {
		tx.Execute("INSERT OR IGNORE INTO accounts VALUES (?, 1000)", id)
	}
	return nil
}

// transfer is the workflow: the money and the record of the step are one commit.
func transfer(ctx context.Context, run *smolwf.Attempt, o order) (any, error) {
	return run.Transaction(ctx, "move", func(_ context.Context, tx *smolwf.Tx) error {
		tx.Execute("UPDATE accounts SET balance = balance - ? WHERE id = ?", o.Amount, o.From).ExpectChanges(1)
		tx.Execute("UPDATE accounts SET balance = balance + ? WHERE id = ?", o.Amount, o.To).ExpectChanges(1)
		tx.Execute("INSERT INTO transfers VALUES (?, ?)", o.ID, o.Amount).ExpectChanges(1)
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
	if err := store.Tx(ctx, setUp); err != nil {
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
	for id := range items {
		from := id % accounts
		items[id] = smolwf.Item{Workflow: "transfer", Args: order{
			ID: id, From: from, To: (from + 1 + id%7) % accounts, Amount: 1 + id%90,
		}}
		// One key is one run, however often this is begun; each kill is a try.
		items[id].IdempotencyKey = fmt.Sprintf("transfer %d", id)
		items[id].MaxTries = 1000
	}
	return store.SubmitMany(items)
}

func report(ctx context.Context, store *smolwf.Store) error {
	rows, err := store.Query(ctx, "SELECT count(*), sum(balance) FROM accounts")
	if err != nil {
		return err
	}
	fmt.Printf("accounts %d sum %d\n", rows.Rows[0]...)
	rows, err = store.Query(ctx, "SELECT count(DISTINCT id), count(*) - count(DISTINCT id) FROM transfers")
	if err != nil {
		return err
	}
	fmt.Printf("transfers %d done %d twice %d\n", transfers, rows.Rows[0][0], rows.Rows[0][1])
	return nil
}
