// Budget has a team of eight share a limit of tokens: however their calls run at once, no reserve goes
// above it. When it is used up they are parked, and go on when it is raised.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand"
	"os"
	"sync"
	"time"

	"smolwf.internal/smolwf"
)

const (
	members = 8
	limit   = 100_000
	raise   = 10_000
)

// team is the topmost run: it holds the budget and waits for its members.
func team(_ context.Context, run *smolwf.Attempt) (any, error) {
	items := make([]smolwf.Item, members)
	for i := range items {
		items[i] = smolwf.Item{Name: "member", Workflow: "member", Args: i}
		items[i].Queue = "members"
	}
	submitted, err := run.ChildSubmitMany(items)
	if err != nil {
		return nil, err
	}
	waits := make([]smolwf.Member, members)
	for i, child := range submitted {
		waits[i] = smolwf.Member{Child: child.RunID}
	}
	_, err = run.AwaitAll("join", waits, smolwf.Forever)
	return nil, err
}

// member makes calls for as long as there is money; what a call will cost is only known after it.
func member(_ context.Context, run *smolwf.Attempt) (any, error) {
	for {
		kind := []string{"draft", "review"}[rand.Intn(2)]
		step, err := run.Begin("call", smolwf.StepOptions{Kind: kind})
		if err != nil {
			return nil, err
		}
		if err := spend(run, step); err != nil {
			return nil, err
		}
	}
}

func spend(run *smolwf.Attempt, step *smolwf.Step) error {
	defer step.Close()
	if step.Replayed {
		return nil
	}
	estimate := int64(200 + rand.Intn(801))
	if _, _, err := run.Reserve(step, smolwf.Amounts{"tokens": estimate}, ""); err != nil {
		return err
	}
	actual := estimate/2 + rand.Int63n(estimate+1) // the call
	return step.CompleteUsage(actual, smolwf.Amounts{"tokens": actual})
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: budget <store>")
	}
	if err := lead(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func lead(path string) error {
	store, err := smolwf.Open(path, &smolwf.Options{Durability: smolwf.Process})
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	runID, _, err := store.Submit("team", nil, &smolwf.SubmitOptions{Budget: smolwf.Amounts{"tokens": limit}})
	if err != nil {
		return err
	}
	fmt.Printf("a team of %d shares %d tokens\n", members, limit)
	flows := map[string]smolwf.Workflow{"team": team, "member": member}
	top := &smolwf.Worker{Store: store, Workflows: flows}
	run, err := store.Claim(ctx, "", nil)
	if err != nil {
		return err
	}
	if err := top.Carry(ctx, run); err != nil {
		return err
	}
	crew := &smolwf.Worker{Store: store, Queue: "members", Concurrency: members, Workflows: flows}
	if err := untilParked(ctx, crew, runID); err != nil {
		return err
	}
	fmt.Printf("the limit was reached: %d members are parked\n", members)
	before, err := balance(store, runID)
	if err != nil {
		return err
	}
	if err := store.RaiseBudget(runID, "tokens", raise); err != nil {
		return err
	}
	if err := untilParked(ctx, crew, runID); err != nil {
		return err
	}
	after, err := balance(store, runID)
	if err != nil {
		return err
	}
	if after.Spent <= before.Spent {
		return errors.New("the raise woke nobody")
	}
	fmt.Printf("raised by %d: work went on\nthe limit was reached again\n", raise)
	if err := store.Cancel(runID, "enough"); err != nil {
		return err
	}
	return report(store, runID)
}

// untilParked works until every member waits for money.
func untilParked(ctx context.Context, crew *smolwf.Worker, runID string) error {
	inner, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Add(1)
	var failure error
	go func() {
		defer group.Done()
		failure = crew.Run(inner)
	}()
	defer func() {
		stop()
		group.Wait()
	}()
	for parked := 0; parked < members; {
		if failure != nil || ctx.Err() != nil {
			return errors.Join(failure, ctx.Err())
		}
		time.Sleep(5 * time.Millisecond)
		page, err := crew.Store.History(runID, "", 0)
		if err != nil {
			return err
		}
		parked = 0
		for _, child := range page.Children {
			if child.State == "waiting" {
				parked++
			}
		}
	}
	return nil
}

func balance(store *smolwf.Store, runID string) (smolwf.Balance, error) {
	budget, err := store.Budget(runID)
	if err != nil {
		return smolwf.Balance{}, err
	}
	return budget.Units["tokens"], nil
}

func report(store *smolwf.Store, runID string) error {
	tokens, err := balance(store, runID)
	if err != nil {
		return err
	}
	// A call may cost up to half again of what was reserved for it: only what settled above its
	// reservation may stand above the limit.
	if over := tokens.Spent - (limit + raise); over > members*500 {
		return fmt.Errorf("%d tokens above the limit", over)
	}
	fmt.Println("no reserve went above the limit")
	checked, err := store.Check()
	if err != nil {
		return err
	}
	if !checked.Ok {
		return fmt.Errorf("the store does not hold: %+v", checked.Faults)
	}
	fmt.Println("spent is the sum of the ledger")
	fmt.Printf("# spent %d of %d\n", tokens.Spent, limit+raise)
	return nil
}
