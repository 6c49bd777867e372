package smolwf

/*
#include <smolwf.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Durability is what a successful answer survives.
type Durability uint32

const (
	// Power survives the loss of power: the default.
	Power Durability = C.SW_DURABILITY_POWER
	// Process survives the death of the process, and costs no sync.
	Process Durability = C.SW_DURABILITY_PROCESS
)

// Options of Open; the zero value of each field is its default.
type Options struct {
	// NoCreate refuses a file that is not there.
	NoCreate bool
	// ReadOnly writes nothing.
	ReadOnly bool
	// ManualClock stands still until Store.Advance: for tests.
	ManualClock bool
	// AllowNetworkFS does not refuse file systems on which locks may not hold.
	AllowNetworkFS bool
	// NoInit leaves the schema as it is: call Init or Migrate.
	NoInit bool
	// BusyTimeout is how long a call waits for a lock: 5 s.
	BusyTimeout time.Duration
	// Lease is the length of a lease: 30 s.
	Lease time.Duration
	// Durability of what is written.
	Durability Durability
	// Readers is the number of read connections: 4.
	Readers int
	// PayloadMax is the most bytes of one payload: 16 MiB.
	PayloadMax int64
}

func (o *Options) c() C.sw_store_options {
	var c C.sw_store_options
	c.struct_size = C.uint32_t(unsafe.Sizeof(c))
	if o == nil {
		return c
	}
	flags := []struct {
		set  bool
		flag C.uint32_t
	}{
		{o.NoCreate, C.SW_OPEN_NO_CREATE},
		{o.ReadOnly, C.SW_OPEN_READ_ONLY},
		{o.ManualClock, C.SW_OPEN_MANUAL_CLOCK},
		{o.AllowNetworkFS, C.SW_OPEN_ALLOW_NETWORK_FS},
	}
	for _, f := range flags {
		if f.set {
			c.flags |= f.flag
		}
	}
	c.busy_timeout_ms = C.uint32_t(o.BusyTimeout.Milliseconds())
	c.lease_default_ms = C.uint32_t(o.Lease.Milliseconds())
	c.durability = C.uint32_t(o.Durability)
	c.max_readers = C.uint32_t(o.Readers)
	c.payload_bytes_max = C.uint64_t(o.PayloadMax)
	return c
}

// Store is an open store. Any goroutine may use it at any time; after Close its calls answer ErrClosed.
// It is an io.Closer.
type Store struct {
	handle handle[*C.sw_store]
	path   string
	// isReadOnly says that it was opened so: it claims nothing.
	isReadOnly bool
	mu         sync.Mutex
	changes    *changes
	closed     sync.Once
}

// errClosed is what the calls of a store answer after Close.
var errClosed = &Error{Code: ErrClosed, Message: "the store is closed"}

// errNUL is what a path answers that C would cut off. It is not shown: it may be a URL with a password.
var errNUL = &Error{Code: ErrInvalid, Message: "the path holds a NUL"}

// Open opens a store, made if it is not there, and brings its schema up to date. The path is a file's, or a
// URL, "postgresql://...", where the library was built for stores on a server.
func Open(path string, o *Options) (*Store, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return nil, errNUL
	}
	options := o.c()
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var store *C.sw_store
	var err *C.sw_error
	code := C.sw_store_open(name, &options, &store, &err)
	return opened(store, o, check(code, &err))
}

// OpenInMemory makes a store that is gone when it is closed.
func OpenInMemory(o *Options) (*Store, error) {
	options := o.c()
	var store *C.sw_store
	var err *C.sw_error
	code := C.sw_store_open_in_memory(&options, &store, &err)
	return opened(store, o, check(code, &err))
}

func opened(c *C.sw_store, o *Options, err error) (*Store, error) {
	if err != nil {
		return nil, err
	}
	s := &Store{isReadOnly: o != nil && o.ReadOnly}
	s.handle.c, s.handle.gone = c, errClosed
	if p := C.sw_store_path(c); p != nil {
		s.path = C.GoString(p)
	}
	if o == nil || !o.NoInit && !o.ReadOnly {
		if _, err := s.Init(); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Close ends every wait, waits for calls in flight, gives open attempts back and closes the store. Again
// is the same as once.
func (s *Store) Close() error {
	s.closed.Do(func() {
		s.handle.look(func(c *C.sw_store) { C.sw_store_shutdown(c) })
		s.mu.Lock()
		watch := s.changes
		s.mu.Unlock()
		if watch != nil {
			watch.close()
		}
		C.sw_store_close(s.handle.take())
	})
	return nil
}

// Init applies every migration that is missing and returns how many.
func (s *Store) Init() (int, error) {
	var applied C.uint32_t
	err := s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		return C.sw_store_init(c, &applied, err)
	})
	return int(applied), err
}

// Migrate applies the migrations up to a version and returns how many.
func (s *Store) Migrate(target int64) (int, error) {
	var applied C.uint32_t
	err := s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		return C.sw_store_migrate(c, C.int64_t(target), &applied, err)
	})
	return int(applied), err
}

// SchemaVersion returns the file's version, 0 for none, and the library's.
func (s *Store) SchemaVersion() (current, newest int64, _ error) {
	var now, new C.int64_t
	err := s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		return C.sw_store_schema_version(c, &now, &new, err)
	})
	return int64(now), int64(new), err
}

// Migrations returns what was applied when, the oldest first.
func (s *Store) Migrations() ([]Migration, error) {
	return document[[]Migration](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_store_migrations(c, out, err)
	}))
}

// Path returns the file's path, or the server's URL without a password in it; "" in memory.
func (s *Store) Path() string { return s.path }

// KillAt has this process die by SIGKILL at its commit-th commit from now on, before or after it; 0 has
// it live. For tests of what a workflow does then; package smolwftest uses it.
func (s *Store) KillAt(commit int64, after bool) error {
	when := C.int32_t(C.SW_KILL_BEFORE_COMMIT)
	if after {
		when = C.SW_KILL_AFTER_COMMIT
	}
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		return C.sw_store_kill_at(c, C.int64_t(commit), when, err)
	})
}

// Advance moves a manual clock on.
func (s *Store) Advance(d time.Duration) error {
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		return C.sw_store_advance_clock(c, C.int64_t(milliseconds(d)), err)
	})
}

// AdvanceToDue moves a manual clock to the next moment at which something comes due: a sleep, a backoff, a
// time-out, a lease or a schedule. It stays where something is due already; false is that nothing will be.
func (s *Store) AdvanceToDue() (bool, error) {
	code, err := s.handle.call(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		return C.sw_store_advance_clock(c, C.SW_FOREVER, err)
	})
	return code == C.SW_OK, err
}

// Now returns the store's time; 1970 after Close.
func (s *Store) Now() time.Time {
	var ms int64
	s.handle.look(func(c *C.sw_store) { ms = int64(C.sw_store_now_ms(c)) })
	return time.UnixMilli(ms)
}

// Check verifies the whole store and returns what it found.
func (s *Store) Check() (*Check, error) {
	return document[*Check](s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
		return C.sw_store_check(c, out, err)
	}))
}

// Backup copies the store to a new file, as it is at one moment, while others write. The copy is a store
// of its own, whose running attempts are lost ones; its name is there once it is whole.
func (s *Store) Backup(path string) error {
	if strings.IndexByte(path, 0) >= 0 {
		return errNUL
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	return s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t {
		return C.sw_store_backup(c, name, err)
	})
}

// text makes a call that answers with a text; a code above 0 without one answers nil.
func (s *Store) text(call func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t) (json.RawMessage, error) {
	var out *C.sw_text
	err := s.handle.do(func(c *C.sw_store, err **C.sw_error) C.int32_t { return call(c, &out, err) })
	return take(out), err
}

// stopWith makes a stop that fires when the context ends; call free when the wait is over.
func stopWith(ctx context.Context) (stop *C.sw_stop, free func(), _ error) {
	var err *C.sw_error
	if e := check(C.sw_stop_new(&stop, &err), &err); e != nil {
		return nil, nil, e
	}
	fired := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		C.sw_stop_fire(stop)
		close(fired)
	})
	return stop, func() {
		if !cancel() {
			<-fired
		}
		C.sw_stop_free(stop)
	}, nil
}
