// Package smolwf is a thin client of libsmolwf, durable workflows in one file.
//
// A program submits runs, a worker claims them, and each expensive call in them is a step whose
// result is recorded once and replayed ever after:
//
//	store, err := smolwf.Open("app.db", nil)
//	...
//	worker := smolwf.Worker{Store: store, Workflows: map[string]smolwf.Workflow{
//		"ask": func(ctx context.Context, run *smolwf.Attempt) (any, error) {
//			return smolwf.Do(ctx, run, "answer", func(context.Context) (string, error) {
//				return askTheModel()
//			})
//		},
//	}}
//	err = worker.Run(ctx)
//
// # Values
//
// Arguments and results are any value that encoding/json writes. A json.RawMessage goes through byte
// for byte, and comes back so.
//
// # Errors
//
// Every error of the library is an *Error; errors.Is compares it with a code, such as ErrLeaseLost.
// Waiting calls inside a workflow answer ErrSuspend when what they wait for is not there: return it, or
// an error that wraps it, and the worker parks the run. A *Retry says what is recorded of a failure and
// when it is tried again; a *Failed is one that is remembered.
//
// # Goroutines
//
// Everything may be used from any goroutine, also after the end of what it belongs to. Waits hold no
// operating system thread: they sleep on a channel that the store's watch descriptor feeds through the
// runtime's poller, and end with their context. Goroutines of a workflow belong into a Group, whose
// panics are errors.
package smolwf
