package smolwftest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// judge compares a case with the clean one. What ended early is not held to what it did not come to.
func (s *sweeper) judge(r *ran) []Finding {
	e := r.end
	isEarly := e.Refused != "" || e.Stuck != "" || e.Exit != ""
	found := s.effects(r.effects, isEarly)
	switch {
	case e.Refused != "":
		return append(found, refusal(e.Refused))
	case e.Stuck != "":
		return append(found, Finding{Kind: Stuck, Name: s.Workflow, Text: "the run did not end: " + e.Stuck})
	case e.Exit != "":
		return append(found, Finding{Kind: Outcome, Name: s.Workflow, Text: e.Exit})
	}
	return append(found, s.outcome(e)...)
}

func (s *sweeper) outcome(e *end) []Finding {
	text := ""
	switch {
	case e.State != s.clean.end.State:
		text = fmt.Sprintf("the run is %s, and %s in the clean run%s", e.State, s.clean.end.State, why(e))
	case s.CompareResult && !isSame(e.Result, s.clean.end.Result):
		text = fmt.Sprintf("the result is %s, and %s in the clean run", cut(e.Result), cut(s.clean.end.Result))
	default:
		return nil
	}
	return []Finding{{Kind: Outcome, Name: s.Workflow, Text: text}}
}

// effects compares what happened outside.
func (s *sweeper) effects(got *effects, isEarly bool) (found []Finding) {
	names := append([]string(nil), s.clean.effects.names...)
	for _, name := range got.names {
		if s.clean.effects.byName[name] == nil {
			names = append(names, name)
		}
	}
	for _, name := range names {
		now, once := got.byName[name], s.clean.effects.byName[name]
		switch {
		case now.count() > once.count():
			found = append(found, Finding{Kind: EffectTwice, Name: name, Text: twice(name, now, once)})
		case now.count() < once.count() && !isEarly:
			found = append(found, Finding{Kind: EffectMissing, Name: name, Text: fmt.Sprintf(
				"effect %s happened %s, and %s in the clean run", quote(name), times(now.count()), times(once.count()))})
		}
	}
	return found
}

func twice(name string, now, once *happened) string {
	if now.bare > 0 {
		return fmt.Sprintf("effect %s happened %s, and %s in the clean run: hand whoever does it an idempotency key, such as "+
			"the step's id, or record its start: a tracked step with MaxTries 1", quote(name), times(now.count()), times(once.count()))
	}
	var shown []string
	for _, key := range now.keys[:min(3, len(now.keys))] {
		shown = append(shown, quote(key))
	}
	return fmt.Sprintf("effect %s happened under %d keys (%s), and under %d in the clean run: the key must be the same in "+
		"every attempt, as the step's id is", quote(name), len(now.keys), strings.Join(shown, ", "), once.count())
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// named is a name in a sentence of the library, and escaped what stands in it for a character.
var (
	named   = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	escaped = regexp.MustCompile(`\\(?:u\{[0-9a-f]+\}|.)`)
)

// unescape reads one character as the library writes it.
func unescape(text string) string {
	if hex, isHex := strings.CutPrefix(text, `\u{`); isHex {
		if code, err := strconv.ParseUint(strings.TrimSuffix(hex, "}"), 16, 32); err == nil {
			return string(rune(code))
		}
	}
	switch text[1] {
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	case '0':
		return "\x00"
	}
	return text[1:]
}

// kindOf says what a nondeterminism of the library is, and what it names.
func kindOf(sentence string) (kind Kind, name string) {
	if found := named.FindStringSubmatch(sentence); found != nil {
		name = escaped.ReplaceAllStringFunc(found[1], unescape)
	}
	switch {
	case strings.Contains(sentence, "input hash"):
		return InputChanged, name
	case strings.Contains(sentence, "only replays"):
		return NotRecorded, name
	}
	return NotReplayed, name
}

func refusal(sentence string) Finding {
	kind, name := kindOf(sentence)
	advice := ": what a workflow does must follow from its args and from what is recorded; what is random, the time or a " +
		"global variable belongs into a step"
	if kind == InputChanged {
		advice = ": an input must follow from the args and from what is recorded"
	}
	return Finding{Kind: kind, Name: name, Text: sentence + advice}
}

// said is what a recorded error says: its message, if it has one.
func said(failure json.RawMessage) string {
	var form struct {
		Message string `json:"message"`
	}
	var text string
	switch {
	case json.Unmarshal(failure, &form) == nil && form.Message != "":
		return form.Message
	case json.Unmarshal(failure, &text) == nil && text != "":
		return text
	}
	return cut(failure)
}

// why adds what the error of a run says, if it has one.
func why(e *end) string {
	if len(e.Error) == 0 || string(e.Error) == "null" {
		return ""
	}
	return ": " + said(e.Error)
}

// cut shows the beginning of a value.
func cut(raw json.RawMessage) string {
	const most = 200
	if len(raw) == 0 {
		return "null"
	}
	if len(raw) > most {
		return strings.ToValidUTF8(string(raw[:most]), "")
	}
	return string(raw)
}

// isSame compares two values as JSON.
func isSame(one, other json.RawMessage) bool {
	read := func(raw json.RawMessage) (value any) {
		if len(raw) == 0 {
			return nil
		}
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if decoder.Decode(&value) != nil {
			return string(raw)
		}
		return value
	}
	return bytes.Equal(one, other) || reflect.DeepEqual(read(one), read(other))
}

// quote writes a name as JSON.
func quote(name string) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(name) // a text has a form
	return strings.TrimSpace(text.String())
}
