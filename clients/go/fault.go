//go:build cgo

package smolwf

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// textMax and stackMax bound what is recorded of an error, in bytes.
	textMax, stackMax = 16 << 10, 8 << 10
	// errorsMax bounds how many errors that an error carries are looked at; causesMax how many of them
	// are recorded, and how deep.
	errorsMax, causesMax = 10_000, 20
	// givenMax bounds what is given as a failure and recorded as a cause, when it cannot be as it is.
	givenMax = 1 << 20
)

// Panic is how code ended that neither returned a value nor an error: by a panic, or by runtime.Goexit.
type Panic struct {
	// Value is what was given to panic; nil for runtime.Goexit.
	Value any
	// Stack is the trace of the goroutine, innermost first, at most 8 KiB.
	Stack string
}

// Error returns the text of what was given to panic.
func (p *Panic) Error() string {
	if p.Value == nil {
		return "the code ended its goroutine by runtime.Goexit"
	}
	return "panic: " + fmt.Sprint(p.Value)
}

// Unwrap returns what was given to panic, if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// perform calls code of an author's in a goroutine of its own, since that is what runtime.Goexit ends.
func perform(f func() error) error {
	done := make(chan error, 1)
	go guard(f, func(err error) { done <- err })
	return <-done
}

// guard calls f, and then, however f ended, tells how.
func guard(f func() error, tell func(error)) {
	var err error
	isReturned := false
	defer func() {
		if value := recover(); !isReturned {
			err = &Panic{Value: value, Stack: stack()}
		}
		tell(err)
	}()
	err = f()
	isReturned = true
}

// stack returns the trace of what panicked, without the frames of who asks.
func stack() string {
	text := string(debug.Stack())
	for _, mark := range []string{"\npanic(", "\nruntime.Goexit("} {
		if at := strings.Index(text, mark); at >= 0 {
			text = text[at+1:]
			break
		}
	}
	return clip(text, stackMax)
}

// clip cuts a text to so many bytes of Unicode.
func clip(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// textOf asks an error for its text, which may fail.
func textOf(err error) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprintf("a %T, which fails when asked for its text", err)
		}
	}()
	return clip(err.Error(), textMax)
}

// verdict is what is to be recorded of an error, and what follows.
type verdict struct {
	err     error
	trace   string
	options FailOptions
	// suspends says that it is no failure.
	suspends bool
	// payloads are its forms: the first that can be stored is.
	payloads []json.RawMessage
}

// judged looks at an error that code at from returned. Its methods are an author's: they may do
// anything.
func judged(err error, from uintptr) verdict {
	v := verdict{err: err}
	failed := perform(func() error {
		v = judge(err, from)
		return nil
	})
	if failed != nil {
		v = verdict{err: err, payloads: []json.RawMessage{short(err)}}
	}
	return v
}

func judge(err error, from uintptr) verdict {
	if isSuspend(err) {
		return verdict{err: err, suspends: true}
	}
	v := verdict{err: withoutSuspends(err)}
	v.trace = traceOf(v.err, from)
	var given json.RawMessage
	visit(v.err, func(err error) bool {
		switch err := err.(type) {
		case *Retry:
			given = v.takes(err)
			return true
		case *Failed, *DecodeError, *TxError: // another try would replay it
			v.options.Terminal = true
			return true
		}
		return false
	})
	left := causesMax
	form := formOf(v.err, causesMax, &left)
	form.Stack = v.trace
	if given != nil {
		v.payloads = append(v.payloads, given)
	}
	if 0 < len(given) && len(given) < givenMax {
		form.Cause = given
	}
	if raw, err := encode(form); err == nil {
		v.payloads = append(v.payloads, raw)
	}
	v.payloads = append(v.payloads, short(v.err), nil)
	return v
}

// takes does as a Retry says, and returns its failure, encoded.
func (v *verdict) takes(r *Retry) json.RawMessage {
	v.options = FailOptions{Terminal: r.Terminal, RetryAfter: delay(r.After)}
	if r.Failure == nil {
		return nil
	}
	given, err := encode(r.Failure)
	switch {
	case err != nil:
		v.err = fmt.Errorf("%s; what it says cannot be recorded: %w", textOf(v.err), err)
	case v.err == error(r) && r.Err == nil: // for logs
		v.err = &Retry{Err: errors.New("failed: " + clip(string(given), 1024))}
	}
	return given
}

// finally makes a failure final.
func (v verdict) finally() verdict {
	v.options.Terminal = true
	return v
}

// record stores the first form that the library takes, and returns it.
func (v verdict) record(store func(json.RawMessage) error) (raw json.RawMessage, err error) {
	for _, raw = range v.payloads {
		if err = store(raw); !isRefused(err) {
			break
		}
	}
	if raw == nil {
		raw = json.RawMessage("null")
	}
	return raw, err
}

// delay brings an author's delay into the range that the library takes.
func delay(d time.Duration) time.Duration {
	return min(max(d, 0), 100*365*24*time.Hour)
}

// isRefused says that a call refused what it was given, and not what was to be done.
func isRefused(err error) bool {
	if _, isOurs := err.(*EncodeError); isOurs {
		return true
	}
	switch code, _ := codeOf(err); code {
	case ErrInvalid, ErrTooBig, ErrInternal, ErrPanic:
		return true
	}
	return false
}

// codeOf returns the code that a call answered.
func codeOf(err error) (Code, bool) {
	switch err := err.(type) {
	case *Error:
		return err.Code, true
	case Code:
		return err, true
	}
	return 0, false
}

// form is how an error is recorded that is no payload of its author's.
type form struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Stack   string `json:"stack,omitempty"`
	Cause   any    `json:"cause,omitempty"`
}

// formOf looks depth errors deep, and at so many as are left.
func formOf(err error, depth int, left *int) form {
	f := form{Type: fmt.Sprintf("%T", err), Message: textOf(err)}
	switch e := err.(type) {
	case *Failed:
		if json.Valid(e.Payload) {
			f.Cause = e.Payload
		}
		return f
	case *Panic:
		f.Type = "panic"
		if e.Value == nil {
			f.Type = "runtime.Goexit"
		}
	}
	var causes []form
	for _, cause := range carriedBy(err) {
		if *left--; depth > 0 && *left > 0 {
			causes = append(causes, formOf(cause, depth-1, left))
		}
	}
	if _, isGroup := err.(interface{ Unwrap() []error }); isGroup && len(causes) > 0 {
		f.Cause = causes
	} else if len(causes) > 0 {
		f.Cause = causes[0]
	}
	return f
}

// short is a form that every store takes.
func short(err error) json.RawMessage {
	raw, _ := json.Marshal(form{Type: clip(fmt.Sprintf("%T", err), 256), Message: clip(textOf(err), 1024)})
	return raw
}

// traceOf returns where an error comes from: the trace of a panic, or one that the error prints by
// %+v, as those of some packages do, or else which function returned it.
func traceOf(err error, from uintptr) string {
	trace := ""
	visit(err, func(err error) bool {
		if p, ok := err.(*Panic); ok {
			trace = p.Stack
		} else if f, ok := err.(fmt.Formatter); ok {
			trace = clip(fmt.Sprintf("%+v", f), stackMax)
		}
		return trace != ""
	})
	if f := runtime.FuncForPC(from); trace == "" && f != nil {
		file, line := f.FileLine(from)
		trace = fmt.Sprintf("returned by %s\n\t%s:%d", f.Name(), file, line)
	}
	return trace
}

// carriedBy returns the errors that an error wraps, or groups.
func carriedBy(err error) []error {
	var all []error
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		all = []error{e.Unwrap()}
	case interface{ Unwrap() []error }:
		all = e.Unwrap()
	}
	return slices.DeleteFunc(slices.Clone(all), func(err error) bool { return err == nil })
}

// visit shows an error and those that it carries, outermost first, until it is told to stop. Chains of
// an author's may be endless: so many errors are looked at.
func visit(err error, see func(error) bool) {
	left := errorsMax
	var walk func(error) bool
	walk = func(err error) bool {
		if left--; left < 0 || see(err) {
			return true
		}
		return slices.ContainsFunc(carriedBy(err), walk)
	}
	walk(err)
}

// isSuspend says whether an error is a wait that is not over, wraps one, or is a group of such.
func isSuspend(err error) bool {
	left := errorsMax
	var walk func(error) bool
	walk = func(err error) bool {
		if left--; left < 0 {
			return false
		}
		if is, ok := err.(interface{ Is(error) bool }); err == ErrSuspend || ok && is.Is(ErrSuspend) {
			return true
		}
		if code, ok := codeOf(err); ok {
			return code == ErrBudget
		}
		inner := carriedBy(err)
		for _, err := range inner {
			if !walk(err) {
				return false
			}
		}
		return len(inner) > 0
	}
	return walk(err)
}

// withoutSuspends returns what is recorded of a group: the errors that are no waits.
func withoutSuspends(err error) error {
	if _, isGroup := err.(interface{ Unwrap() []error }); !isGroup {
		return err
	}
	members := carriedBy(err)
	others := slices.DeleteFunc(slices.Clone(members), isSuspend)
	switch len(others) {
	case len(members):
		return err
	case 1:
		return others[0]
	}
	return errors.Join(others...)
}
