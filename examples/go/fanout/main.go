// Fanout has a parent submit a thousand children, four worker processes carry them, and two of those
// killed on the way: each child's effect is recorded once, and the parent wakes once.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand"
	"os"
	"os/exec"
	"time"

	"smolwf.internal/smolwf"
)

const (
	children = 1000
	workers  = 4
	killed   = 2
)

// square is the child.
func square(ctx context.Context, run *smolwf.Attempt) (any, error) {
	var n int64
	if err := run.Args(&n); err != nil {
		return nil, err
	}
	return smolwf.Do(ctx, run, "square", func(context.Context) (int64, error) {
		time.Sleep(time.Millisecond) // the work
		return n * n, nil
	})
}

// total is the parent.
func total(_ context.Context, run *smolwf.Attempt) (any, error) {
	items := make([]smolwf.Item, children)
	for i := range items {
		items[i] = smolwf.Item{Name: "square", Workflow: "square", Args: i + 1}
		items[i].Queue = "children"
	}
	submitted, err := run.ChildSubmitMany(items)
	if err != nil {
		return nil, err
	}
	members := make([]smolwf.Member, children)
	for i, child := range submitted {
		members[i] = smolwf.Member{Child: child.RunID}
	}
	all, err := run.AwaitAll("join", members, smolwf.Forever)
	if err != nil {
		return nil, err
	}
	var sum int64
	for _, came := range all {
		var n int64
		if err := json.Unmarshal(came.Value, &n); err != nil {
			return nil, err
		}
		sum += n
	}
	return sum, nil
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: fanout <store>")
	}
	var err error
	if len(os.Args) > 2 && os.Args[2] == "worker" {
		err = work(os.Args[1])
	} else {
		err = lead(os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

// work carries children until its standard input ends.
func work(path string) error {
	store, err := smolwf.Open(path, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	worker := &smolwf.Worker{
		Store: store, Queue: "children",
		Workflows: map[string]smolwf.Workflow{"square": square},
	}
	return worker.Run(ctx)
}

func lead(path string) error {
	store, err := smolwf.Open(path, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	runID, _, err := store.Submit("total", nil, &smolwf.SubmitOptions{Queue: "parents"})
	if err != nil {
		return err
	}
	parent := &smolwf.Worker{Store: store, Queue: "parents", Workflows: map[string]smolwf.Workflow{"total": total}}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := carry(ctx, parent); err != nil {
		return err
	}
	fmt.Printf("one parent submitted %d children in one commit\n", children)
	gang, err := start(path)
	if err != nil {
		return err
	}
	defer gang.end()
	if err := killSome(store, runID, gang); err != nil {
		return err
	}
	fmt.Printf("%d of %d workers were killed\n", killed, workers)
	if err := carry(ctx, parent); err != nil {
		return err
	}
	return report(store, runID)
}

// carry waits for the parent to be ready, and works on it.
func carry(ctx context.Context, parent *smolwf.Worker) error {
	run, err := parent.Store.Claim(ctx, parent.Queue, nil)
	if err != nil {
		return err
	}
	return parent.Carry(ctx, run)
}

// gang is the worker processes.
type gang []member

type member struct {
	cmd  *exec.Cmd
	pipe io.Closer
}

func start(path string) (gang, error) {
	var all gang
	for range workers {
		cmd := exec.Command(os.Args[0], path, "worker")
		cmd.Stderr = os.Stderr
		pipe, err := cmd.StdinPipe()
		if err != nil {
			return all, err
		}
		if err := cmd.Start(); err != nil {
			return all, err
		}
		all = append(all, member{cmd, pipe})
	}
	return all, nil
}

// end closes the pipes, which ends those that live, and waits for them.
func (g gang) end() {
	for _, m := range g {
		m.pipe.Close()
		_ = m.cmd.Wait() // those that were killed say so
	}
}

// killSome kills workers while children are open.
func killSome(store *smolwf.Store, parentID string, g gang) error {
	for i, victim := range rand.Perm(workers)[:killed] {
		least := 100 + 300*i + rand.Intn(200)
		for {
			done, err := finished(store, parentID)
			if err != nil {
				return err
			}
			if done >= least {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if err := g[victim].cmd.Process.Kill(); err != nil {
			return err
		}
	}
	return nil
}

// each reads the parent's children, page by page.
func each(store *smolwf.Store, parentID string, see func(smolwf.ChildRecord) error) error {
	cursor := ""
	for {
		page, err := store.History(parentID, cursor, 0)
		if err != nil {
			return err
		}
		for _, c := range page.Children {
			if err := see(c); err != nil {
				return err
			}
		}
		if page.Next == nil {
			return nil
		}
		cursor = *page.Next
	}
}

func finished(store *smolwf.Store, parentID string) (int, error) {
	n := 0
	err := each(store, parentID, func(c smolwf.ChildRecord) error {
		if c.State == "completed" {
			n++
		}
		return nil
	})
	return n, err
}

func report(store *smolwf.Store, runID string) error {
	run, err := store.Get(runID)
	if err != nil {
		return err
	}
	if run.Attempts != 2 {
		return fmt.Errorf("the parent had %d attempts", run.Attempts)
	}
	fmt.Println("the parent woke once")
	fmt.Printf("the sum is %s\n", run.Result)
	seen := 0
	err = each(store, runID, func(c smolwf.ChildRecord) error {
		seen++
		history, err := store.History(c.RunID, "", 0)
		if err != nil {
			return err
		}
		if len(history.Steps) != 1 || c.State != "completed" {
			return fmt.Errorf("child %s: %+v", c.RunID, history)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if seen != children {
		return fmt.Errorf("%d children", seen)
	}
	fmt.Println("every child's result was recorded once")
	return nil
}
