package smolwf

/*
#include <smolwf.h>
*/
import "C"

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// TxError says that a transaction is used as none can be: inside of another, after its end, before its
// commit. A step whose work returns it fails for good, since another try would return it too.
type TxError struct {
	// Message is one sentence.
	Message string
}

// Error returns the sentence.
func (e *TxError) Error() string { return "smolwf: " + e.Message }

// Tx collects what a transaction does: nothing is done before your function has returned, then all of it
// or, when it returned an error or one of the items is refused, nothing. So a statement has no rows yet
// while you write it: say what must be so by WHERE and ExpectChanges, and read what it came to by
// TxItem.Result afterwards. Goroutines may share it; what comes after the end is refused.
type Tx struct {
	late  func(error)
	mu    sync.Mutex
	items [][]byte
	// err is the first fault, which the transaction answers.
	err error
	// state says why there is no result; it is open while its function runs.
	state string
	// result is any value, or a *TxItem.
	result    any
	hasResult bool
	came      []json.RawMessage
	// isStep says that a replay will have nothing but the result.
	isStep bool
}

// What stands in the way of a result.
const (
	txOpen   = "its function has not returned"
	txOver   = "it is on its way"
	txFailed = "it failed, and nothing of it was done"
)

// TxItem is one thing that a transaction does.
type TxItem struct {
	tx *Tx
	at int
}

// TxResult is what an item came to: the fields of its kind.
type TxResult struct {
	// Changes is how many rows a statement inserted, changed or deleted itself.
	Changes int64
	// Rows of a query, or of a statement with RETURNING; else nil.
	Rows *Rows
	// RunID of what was submitted.
	RunID string
	// Exists says that an idempotency key had submitted it, or sent it, before.
	Exists bool
}

// UnmarshalJSON reads it as the library writes it: what a transaction with ResultFrom answers.
func (r *TxResult) UnmarshalJSON(raw []byte) error {
	var wire struct {
		Changes int64  `json:"changes"`
		RunID   string `json:"run_id"`
		Exists  bool   `json:"exists"`
		rows
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*r = TxResult{Changes: wire.Changes, RunID: wire.RunID, Exists: wire.Exists}
	if wire.Columns != nil {
		rows := wire.open()
		r.Rows = &rows
	}
	return nil
}

// Result returns what the item came to, once the transaction is committed; until then a *TxError. After one
// of a step there is only what a replay has too, the item of ResultFrom.
func (i *TxItem) Result() (*TxResult, error) {
	raw, err := i.raw()
	return document[*TxResult](raw, err)
}

func (i *TxItem) raw() (json.RawMessage, error) {
	i.tx.mu.Lock()
	defer i.tx.mu.Unlock()
	switch {
	case i.at < 0:
		return nil, errTxOver
	case i.tx.came == nil:
		return nil, &TxError{"the transaction is not committed: " + i.tx.state}
	case i.tx.isStep && i.tx.result != any(i):
		return nil, &TxError{"what this item came to is not recorded for a replay: name it by ResultFrom"}
	}
	return i.tx.came[i.at], nil
}

// ExpectChanges has the whole transaction undone, as ErrConflict, unless the statement inserts, changes
// or deletes so many rows itself.
func (i *TxItem) ExpectChanges(rows int64) *TxItem {
	i.tx.change(func() {
		if i.at >= 0 {
			item := i.tx.items[i.at]
			i.tx.items[i.at] = fmt.Appendf(item[:len(item)-1], `,"expect_changes":%d}`, rows)
		}
	})
	return i
}

// Execute is one statement on your own tables, with parameters as for Store.Query.
func (tx *Tx) Execute(sql string, params ...any) *TxItem { return tx.statement("sql", sql, params) }

// Query is one statement that only reads.
func (tx *Tx) Query(sql string, params ...any) *TxItem { return tx.statement("query", sql, params) }

func (tx *Tx) statement(kind, sql string, params []any) *TxItem {
	text, err := appendText(nil, sql, kind)
	given, e := paramsJSON(params)
	switch {
	case err == nil && e != nil:
		err = e
	case err == nil && given != nil:
		return tx.add(nil, `{%q:%s,"params":%s}`, kind, text, given)
	}
	return tx.add(err, `{%q:%s}`, kind, text)
}

// Submit is a run: it is there if and only if the transaction commits.
func (tx *Tx) Submit(workflow string, args any, o *SubmitOptions) *TxItem {
	item := Item{Workflow: workflow, Args: args}
	if o != nil {
		item.SubmitOptions = *o
	}
	item.IdempotencyScope = scope(item.IdempotencyScope, item.IdempotencyKey, workflow)
	raw, err := encode(item)
	return tx.add(err, `{"submit":%s}`, raw)
}

// Signal is a message to a run, any value that encoding/json writes; with an idempotency key it is sent
// once.
func (tx *Tx) Signal(runID, name string, message any, idempotencyKey string) *TxItem {
	raw, err := encode(message)
	if err == nil && raw == nil {
		raw = json.RawMessage("null")
	}
	to, e := encode([]string{runID, name, idempotencyKey})
	if err == nil {
		err = e
	}
	var words [3]json.RawMessage
	_ = json.Unmarshal(to, &words) // what was just written
	key := words[2]
	if idempotencyKey == "" {
		key = json.RawMessage("null")
	}
	return tx.add(err, `{"signal":{"run_id":%s,"name":%s,"payload":%s,"idempotency_key":%s}}`,
		words[0], words[1], raw, key)
}

// Result says what the step or the attempt results in, any value that encoding/json writes: null, unless
// it is said.
func (tx *Tx) Result(value any) {
	tx.change(func() {
		if tx.hasResult {
			tx.fault(&TxError{"a transaction has one result, this is a second"})
		}
		tx.result, tx.hasResult = value, true
	})
}

// ResultFrom says that it is what an item comes to: see TxResult, and Rows.
func (tx *Tx) ResultFrom(item *TxItem) {
	if item.tx != tx {
		tx.change(func() { tx.fault(&TxError{"the result of a transaction is an item of another one"}) })
	}
	tx.Result(item)
}

var errTxOver = &TxError{"the transaction is over: what comes after its function has returned is not done"}

// change does something to an open transaction.
func (tx *Tx) change(do func()) {
	tx.mu.Lock()
	isOpen := tx.state == txOpen
	if isOpen {
		do()
	}
	tx.mu.Unlock()
	if !isOpen {
		tx.late(errTxOver)
	}
}

// fault keeps the first fault.
func (tx *Tx) fault(err error) {
	if tx.err == nil {
		tx.err = err
	}
}

func (tx *Tx) add(err error, form string, parts ...any) *TxItem {
	item := &TxItem{tx: tx, at: -1}
	tx.change(func() {
		if err != nil {
			tx.fault(err)
		}
		item.at = len(tx.items)
		tx.items = append(tx.items, fmt.Appendf(nil, form, parts...))
	})
	return item
}

type txKey struct{}

// refuseNested refuses a transaction in the function of another one.
func refuseNested(ctx context.Context) error {
	outer, _ := ctx.Value(txKey{}).(*Tx)
	if outer == nil {
		return nil
	}
	outer.mu.Lock()
	defer outer.mu.Unlock()
	if outer.state != txOpen {
		return nil
	}
	return &TxError{"a transaction inside of another is no part of it: " +
		"say what it does by the Tx of the outer one, or make it before"}
}

// collect runs a function, and returns what it said.
func collect(ctx context.Context, c *carried, work func(context.Context, *Tx) error) (*Tx, error) {
	if err := refuseNested(ctx); err != nil {
		return nil, err
	}
	tx := &Tx{state: txOpen, late: c.tooLate}
	hasReturned := false
	defer func() {
		tx.mu.Lock()
		defer tx.mu.Unlock()
		tx.state = txOver
		if !hasReturned || tx.err != nil {
			tx.state = txFailed
		}
	}()
	if err := work(context.WithValue(ctx, txKey{}, tx), tx); err != nil {
		return nil, err
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	hasReturned = true
	return tx, tx.err
}

// Ends of scripts.
const (
	endsNothing = ""
	endsStep    = "step_complete"
	endsAttempt = "attempt_complete"
)

// commit sends the script, with what it ends, and notes what came of it; it returns the result that is
// recorded.
func (tx *Tx) commit(end string, send func(script json.RawMessage) (json.RawMessage, error)) (json.RawMessage, error) {
	script, result, err := tx.script(end)
	var came []json.RawMessage
	if err == nil && script != nil {
		came, err = document[[]json.RawMessage](send(script))
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if err != nil {
		tx.state = txFailed
		return nil, err
	}
	tx.came, tx.isStep = append([]json.RawMessage{}, came...), end == endsStep
	if item, ok := tx.result.(*TxItem); ok {
		return came[item.at], nil
	}
	return result, nil
}

// script writes what was collected, nil for nothing, and the result, unless that is an item's.
func (tx *Tx) script(end string) (script, result json.RawMessage, err error) {
	items := slices.Clone(tx.items)
	if item, ok := tx.result.(*TxItem); ok && end != endsNothing {
		items = append(items, fmt.Appendf(nil, `{%q:{"result_from":%d}}`, end, item.at))
	} else if end != endsNothing {
		if result, err = encode(tx.result); err != nil {
			return nil, nil, err
		}
		if result == nil {
			result = json.RawMessage("null")
		}
		items = append(items, fmt.Appendf(nil, `{%q:{"result":%s}}`, end, result))
	}
	if len(items) == 0 {
		return nil, nil, nil
	}
	return fmt.Appendf(nil, "[%s]", bytes.Join(items, []byte(","))), result, nil
}

// Tx changes tables of your own, in the store's file, in one transaction: work says by the Tx what is to
// be done, and when it has returned nil all of it is, or nothing. It ends with its context until it is
// sent. In a workflow use Attempt.Transaction, which is done once.
func (s *Store) Tx(ctx context.Context, work func(ctx context.Context, tx *Tx) error) error {
	tx, err := collect(ctx, nil, work)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, err = tx.commit(endsNothing, func(script json.RawMessage) (json.RawMessage, error) {
		return s.text(func(c *C.sw_store, out **C.sw_text, err **C.sw_error) C.int32_t {
			p, n := payload(script)
			return C.sw_tx_run(c, nil, nil, p, n, out, err)
		})
	})
	return err
}
