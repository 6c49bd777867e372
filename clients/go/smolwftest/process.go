package smolwftest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// Files in the folder of a case.
const (
	storeFile   = "store.db"
	runFile     = "run"
	witnessFile = "witness"
	taskFile    = "task.json"
	endFile     = "end.json"
	stdoutFile  = "stdout"
	stderrFile  = "stderr"
	scratch     = "tmp"
)

// task is what a process is started for.
type task struct {
	Call   call   `json:"call"`
	Folder string `json:"folder"`
	// Commit to be killed at, 0 for none, and the moment.
	Commit int    `json:"commit"`
	Moment string `json:"moment"`
	// Known are the calls of Crash that come first.
	Known []known `json:"known"`
}

// end is how the work of a process ended.
type end struct {
	State  string          `json:"state,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
	// Refused is the sentence of a nondeterminism.
	Refused string `json:"refused,omitempty"`
	// Stuck is why the run did not end, Exit how the process ended before it did.
	Stuck string `json:"stuck,omitempty"`
	Exit  string `json:"exit,omitempty"`
	// IsLate says that it is stuck since the process hung.
	IsLate bool `json:"-"`
	// Fault is why the work could not be done.
	Fault string `json:"fault,omitempty"`
}

// work has a process work on a case, and returns how that ended; nil when it was killed.
func (s *sweeper) work(folder string, commit int, moment string) (*end, error) {
	t := task{s.call, folder, commit, moment, calls.before()}
	raw, err := json.Marshal(t)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, taskFile), raw, 0o600)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Join(folder, scratch), 0o700)
	}
	if err != nil {
		return nil, err
	}
	status, isLate, err := s.start(folder)
	if err != nil {
		return nil, err
	}
	return s.told(folder, status, isLate)
}

// start runs the test binary up to this call of Crash, and returns how the process ended.
func (s *sweeper) start(folder string) (_ *os.ProcessState, isLate bool, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, arguments(s.call.Test)...)
	cmd.Dir, cmd.Env = startedIn, environment(folder)
	for name, to := range map[string]*io.Writer{stdoutFile: &cmd.Stdout, stderrFile: &cmd.Stderr} {
		file, err := os.Create(filepath.Join(folder, name))
		if err != nil {
			return nil, false, err
		}
		defer file.Close()
		*to = file
	}
	// It ends with this process. The system means the thread that started it, so that has to stay.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	if cmd.ProcessState == nil {
		return nil, false, err
	}
	return cmd.ProcessState, ctx.Err() != nil, nil
}

// environment is that of this process, and what one that works on a case has to know.
func environment(folder string) []string {
	return append(os.Environ(),
		taskVariable+"="+filepath.Join(folder, taskFile),
		witnessVariable+"="+filepath.Join(folder, witnessFile),
		"TMPDIR="+filepath.Join(folder, scratch),
		"GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0", // else each sleeps a second before it ends
	)
}

// told reads how the work ended.
func (s *sweeper) told(folder string, status *os.ProcessState, isLate bool) (*end, error) {
	raw, err := os.ReadFile(filepath.Join(folder, endFile))
	wait, _ := status.Sys().(syscall.WaitStatus)
	switch {
	case err == nil && status.Success():
		told := &end{}
		if err := json.Unmarshal(raw, told); err != nil || told.Fault == "" {
			return told, err
		}
		return nil, errors.New(told.Fault)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case isLate:
		return &end{IsLate: true, Stuck: fmt.Sprintf("its process was at work for more than %g s", s.Timeout.Seconds())}, nil
	case wait.Signaled() && wait.Signal() == syscall.SIGKILL:
		return nil, nil
	}
	return s.exited(folder, status, err == nil)
}

// exited is how a process ended that ended by itself.
func (s *sweeper) exited(folder string, status *os.ProcessState, hasEnded bool) (*end, error) {
	stdout, _ := os.ReadFile(filepath.Join(folder, stdoutFile))
	stderr, _ := os.ReadFile(filepath.Join(folder, stderrFile))
	if _, err := os.Stat(filepath.Join(folder, runFile)); err != nil {
		return nil, fmt.Errorf("a process of the test %s did not come to call %d of Crash (%s); it printed:\n%s%s",
			s.call.Test, s.call.Which, status, stdout, stderr)
	}
	what := "the run did not end: its process"
	if hasEnded { // as the race detector does
		what = "the process of the run"
	}
	return &end{Exit: fmt.Sprintf("%s ended with %s, and said: %s", what, status, last(stderr))}, nil
}

// dying is how what a process says begins when the runtime of Go ends it, or the race detector.
var dying = regexp.MustCompile(`(?m)^(panic: |fatal error: |WARNING: DATA RACE)`)

// last is what a process said last: the beginning of a trace, or a line.
func last(said []byte) string {
	const most = 2000
	if at := dying.FindIndex(said); at != nil {
		said = said[at[0]:min(len(said), at[0]+most)]
	} else {
		said = bytes.TrimSpace(said)
		said = said[bytes.LastIndexByte(said, '\n')+1:]
		said = said[:min(len(said), most)]
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(said)), "?")
}

// arguments are those of a process that runs one test: the test binary's own but for what the testing
// package is told, of which a test may only see whether it is short and verbose.
func arguments(test string) []string {
	args := []string{"-test.run=" + pattern(test), "-test.timeout=0"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	return append(args, own(os.Args[1:])...)
}

// pattern matches one test: each part of its name is matched by itself.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

// own leaves out the flags of the testing package, with their values, as package flag reads them.
func own(args []string) []string {
	var kept []string
	for i := 0; i < len(args); i++ {
		name, isFlag := strings.CutPrefix(args[i], "-")
		name = strings.TrimPrefix(name, "-")
		if !isFlag || name == "" {
			return append(kept, args[i:]...)
		}
		name, _, hasValue := strings.Cut(name, "=")
		taken := args[i : i+1]
		if !hasValue && !isSwitch(name) && i+1 < len(args) {
			taken = args[i : i+2]
			i++
		}
		if !strings.HasPrefix(name, "test.") {
			kept = append(kept, taken...)
		}
	}
	return kept
}

// isSwitch says that a flag stands alone.
func isSwitch(name string) bool {
	known := flag.Lookup(name)
	if known == nil {
		return true
	}
	value, ok := known.Value.(interface{ IsBoolFlag() bool })
	return ok && value.IsBoolFlag()
}
