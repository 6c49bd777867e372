package smolwftest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// witnessVariable names the file that effects are told to.
const witnessVariable = "SMOLWF_WITNESS"

// witnessed is one call of Effect.
type witnessed struct {
	Name string  `json:"name"`
	Key  *string `json:"key"`
}

// Effect says that the outside world was touched: a fake of a test calls it where the real thing would
// charge a card or send a mail. It is on the disk when it returns, whatever is killed then. In a process
// that no crash test started it does nothing.
//
// The key is an idempotency key that the outside was handed, by which it drops repeats; with "" there is
// none, and each call counts.
func Effect(name, key string) {
	path := os.Getenv(witnessVariable)
	if path == "" {
		return
	}
	told := witnessed{Name: name}
	if key != "" {
		told.Key = &key
	}
	line, err := json.Marshal(told)
	if err == nil {
		err = appendLine(path, line)
	}
	if err != nil {
		panic(fmt.Sprintf("smolwftest: effect %q cannot be noted: %v", name, err))
	}
}

// appendLine writes a line in one write, so that lines of goroutines and processes stay whole.
func appendLine(path string, line []byte) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// happened is how often an effect took place.
type happened struct {
	// keys that were handed out, as first seen; calls without one.
	keys  []string
	bare  int
	known map[string]bool
}

func (h *happened) count() int {
	if h == nil {
		return 0
	}
	return len(h.keys) + h.bare
}

func (h *happened) add(key *string) {
	switch {
	case key == nil:
		h.bare++
	case !h.known[*key]:
		h.known[*key] = true
		h.keys = append(h.keys, *key)
	}
}

// effects are those of a case, in the order in which they first happened.
type effects struct {
	names  []string
	byName map[string]*happened
}

// readEffects reads a witness file; none is no effect.
func readEffects(path string) (*effects, error) {
	all := &effects{byName: map[string]*happened{}}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, line := range bytes.Split(text, []byte("\n")) {
		var told witnessed
		if len(line) == 0 {
			continue
		}
		if err := json.Unmarshal(line, &told); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if all.byName[told.Name] == nil {
			all.byName[told.Name] = &happened{known: map[string]bool{}}
			all.names = append(all.names, told.Name)
		}
		all.byName[told.Name].add(told.Key)
	}
	return all, nil
}
