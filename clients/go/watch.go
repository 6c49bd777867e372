package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"context"
	"os"
	"sync"
	"time"
)

// lookPause is the least time between two looks whether attempts may go on.
const lookPause = 40 * time.Millisecond

// changes tells every waiting goroutine of a store that something happened. Its descriptor sleeps in
// the runtime's poller, so a thousand waits cost no thread.
type changes struct {
	watch *C.sw_watch
	file  *os.File
	done  chan struct{}
	mu    sync.Mutex
	next  chan struct{}
}

// watched returns the store's changes, opened by the first who waits.
func (s *Store) watched() (*changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes != nil {
		return s.changes, nil
	}
	var watch *C.sw_watch
	e := s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		return C.sw_watch_open(c, &watch, err)
	})
	if e != nil {
		return nil, e
	}
	var err *C.sw_error
	var fd C.int32_t
	if e := check(C.sw_watch_fd(watch, &fd, &err), &err); e != nil {
		C.sw_watch_free(watch)
		return nil, e
	}
	s.changes = &changes{
		watch: watch,
		file:  os.NewFile(uintptr(fd), "smolwf-watch"),
		done:  make(chan struct{}),
		next:  make(chan struct{}),
	}
	go s.changes.run()
	return s.changes, nil
}

func (c *changes) run() {
	defer close(c.done)
	room := make([]byte, 64)
	for {
		if n, err := c.file.Read(room); n == 0 || err != nil {
			c.tell()
			return
		}
		var now C.uint64_t
		C.sw_watch_drain(c.watch, &now, nil)
		c.tell()
	}
}

// tell wakes all who wait for the next change.
func (c *changes) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.next)
	c.next = make(chan struct{})
}

// upcoming returns what is closed at the next change.
func (c *changes) upcoming() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

func (c *changes) close() {
	c.file.Close()
	<-c.done
	C.sw_watch_free(c.watch)
}

// until tries again at each change until it is there, or the context ends. It asks for the change
// before it looks, so that none is lost between; and looks once a second in any case.
func (s *Store) until(ctx context.Context, isThere func() (bool, error)) error {
	changed, err := s.changed()
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		change := changed()
		if there, err := isThere(); there || err != nil {
			return err
		}
		select {
		case <-change:
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// changed returns what gives the channel that the next change closes. A store that is read only is told
// of none, and one that gets no watch from the system either.
func (s *Store) changed() (func() <-chan struct{}, error) {
	c, err := s.watched()
	if code, _ := codeOf(err); code == ErrClosed {
		return nil, err
	}
	if err != nil {
		return func() <-chan struct{} { return nil }, nil
	}
	return c.upcoming, nil
}

// listen lets attempts look at each change whether they may go on, until the context ends. Changes of
// one moment are one look.
func (s *Store) listen(ctx context.Context, all func() []*carried) {
	_ = s.until(ctx, func() (bool, error) {
		for _, c := range all() {
			c.listen()
		}
		select {
		case <-time.After(lookPause):
		case <-ctx.Done():
		}
		return false, nil
	})
}

// WaitChange waits until the store's count of changes is another than seen and returns it. Unlike
// the other waits it holds a thread.
func (s *Store) WaitChange(ctx context.Context, seen uint64) (uint64, error) {
	stop, free, e := stopWith(ctx)
	if e != nil {
		return 0, e
	}
	defer free()
	var now C.uint64_t
	code, e := s.handle.call(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		return C.sw_store_wait(c, C.uint64_t(seen), C.SW_FOREVER, stop, &now, err)
	})
	if e != nil {
		return 0, e
	}
	if code != C.SW_OK {
		return 0, ctx.Err()
	}
	return uint64(now), nil
}
