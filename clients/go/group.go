//go:build cgo

package smolwf

import (
	"errors"
	"sync"
)

// Group runs goroutines that belong to an attempt: their panics are errors, where those of a goroutine
// started by go end the process, and the attempt does not end before they have.
type Group struct {
	c       *carried
	running sync.WaitGroup
	mu      sync.Mutex
	errs    []error // by the order of Go; nil once Wait has returned them
}

// Group returns a group without goroutines.
func (a *Attempt) Group() *Group {
	g := &Group{c: a.carried}
	if c := a.carried; c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.groups = append(c.groups, g)
	}
	return g
}

// Go runs f in a goroutine. Its error, a *Panic for a panic or runtime.Goexit, is Wait's.
func (g *Group) Go(f func() error) {
	g.mu.Lock()
	at := len(g.errs)
	g.errs = append(g.errs, g.c.enter(grouped))
	isRefused := g.errs[at] != nil
	g.mu.Unlock()
	if isRefused {
		return
	}
	g.running.Add(1)
	go guard(f, func(err error) {
		g.mu.Lock()
		g.errs[at] = err
		g.mu.Unlock()
		g.running.Done()
		g.c.leave(grouped)
	})
}

// Wait waits for all goroutines and returns their errors as one, in the order of Go; a single one as it
// is. Return it from the workflow: when all are ErrSuspend, the run is parked. What nobody waited for
// is an error of the workflow all the same.
func (g *Group) Wait() error {
	g.running.Wait()
	return g.unclaimed()
}

// unclaimed returns the errors once.
func (g *Group) unclaimed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for i, err := range g.errs {
		if err != nil {
			errs = append(errs, err)
		}
		g.errs[i] = nil
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
