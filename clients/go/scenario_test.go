package smolwf

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

type scenario struct {
	Name      string            `json:"name"`
	Rules     []string          `json:"rules"`
	NotIn     map[string]string `json:"not_in"`
	Workflows map[string]struct {
		Do          []scenarioAct `json:"do"`
		CodeVersion string        `json:"code_version"`
	} `json:"workflows"`
	Submit []submission `json:"submit"`
	Store  struct {
		BusyTimeoutMS int64 `json:"busy_timeout_ms"`
	} `json:"store"`
	Worker struct {
		GraceMS    int64 `json:"grace_ms"`
		LeaseMS    int64 `json:"lease_ms"`
		HookThrows bool  `json:"hook_throws"`
	} `json:"worker"`
	World  []worldAct `json:"world"`
	Expect struct {
		Runs    []expectedRun       `json:"runs"`
		Effects map[string]int      `json:"effects"`
		Worker  json.RawMessage     `json:"worker"`
		Events  map[string][]string `json:"events"`
		Hooks   []string            `json:"hooks"`
		Kept    []string            `json:"kept"`
	} `json:"expect"`
}

type submission struct {
	As          string          `json:"as"`
	Workflow    string          `json:"workflow"`
	Args        json.RawMessage `json:"args"`
	CodeVersion string          `json:"code_version"`
	MaxTries    uint32          `json:"max_tries"`
	TimeoutMS   int64           `json:"timeout_ms"`
	Metadata    map[string]any  `json:"metadata"`
	Budget      json.RawMessage `json:"budget"`
	Later       bool            `json:"later"`
}

type worldAct struct {
	AwaitEffect  string `json:"await_effect"`
	AwaitState   string `json:"await_state"`
	AwaitEvent   string `json:"await_event"`
	Open         string `json:"open"`
	Submit       string `json:"submit"`
	Cancel       string `json:"cancel"`
	Send         string `json:"send"`
	TakeOver     string `json:"take_over"`
	Lock         *bool  `json:"lock"`
	Stop         bool   `json:"stop"`
	AwaitStopped bool   `json:"await_stopped"`
	Start        bool   `json:"start"`
	LoseLog      bool   `json:"lose_log"`
	CloseStore   bool   `json:"close_store"`

	Count   int             `json:"count"`
	State   string          `json:"state"`
	Run     string          `json:"run"`
	Name    string          `json:"name"`
	Payload json.RawMessage `json:"payload"`
	Result  json.RawMessage `json:"result"`
}

type expectedRun struct {
	Run         string          `json:"run"`
	State       string          `json:"state"`
	Result      json.RawMessage `json:"result"`
	ErrorHas    []string        `json:"error_has"`
	ErrorLacks  []string        `json:"error_lacks"`
	Attempts    *int            `json:"attempts"`
	AttemptsMax *int            `json:"attempts_max"`
	Tries       *int            `json:"tries"`
}

func TestWorkersDoAsTheScenariosSay(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "tests", "vectors", "worker", "*.json"))
	must(t, err)
	if len(files) < 5 {
		t.Fatalf("only %d files of scenarios", len(files))
	}
	for _, file := range files {
		var vectors struct {
			Scenarios []scenario `json:"scenarios"`
		}
		read(t, filepath.Join("worker", filepath.Base(file)), &vectors)
		for _, s := range vectors.Scenarios {
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				why := s.NotIn["go"]
				if why == "" && server != "" {
					why = s.NotIn["postgres"]
				}
				if why == "" && strings.Contains(server, "sw_pooler=transaction") {
					why = s.NotIn["pooler"]
				}
				if why != "" {
					fmt.Printf("not in go: %s: %s\n", s.Name, why)
					return
				}
				newWorld(t, &s).play()
			})
		}
	}
}

// scenarioWorld is what happens around the workers of a scenario.
type scenarioWorld struct {
	t     *testing.T
	s     *scenario
	path  string
	store *Store // the worker's
	eyes  *Store // the runner's own
	runs  map[string]string

	mu      sync.Mutex
	changed *sync.Cond
	effects map[string]int
	gates   map[string]chan struct{}
	events  []WorkerEvent

	worker *Worker
	cancel context.CancelFunc
	done   chan error
	ended  error
	// isStopping says that there was a first stop, the end of the worker's context.
	isStopping, isOver bool
	unlock             func()
}

func newWorld(t *testing.T, s *scenario) *scenarioWorld {
	w := &scenarioWorld{
		t: t, s: s, path: place(t), runs: map[string]string{},
		effects: map[string]int{}, gates: map[string]chan struct{}{}, unlock: func() {},
	}
	w.changed = sync.NewCond(&w.mu)
	options := &Options{BusyTimeout: time.Duration(s.Store.BusyTimeoutMS) * time.Millisecond}
	var err error
	w.store, err = Open(w.path, options)
	must(t, err)
	w.eyes, err = Open(w.path, nil)
	must(t, err)
	if strings.Contains(w.eyes.Path(), "sesame") {
		t.Fatal("a password is shown")
	}
	t.Cleanup(func() {
		w.unlock()
		w.openAll()
		w.store.Close()
		w.eyes.Close()
	})
	return w
}

func (w *scenarioWorld) play() {
	if w.s.Expect.Kept != nil {
		must(w.t, w.eyes.Tx(context.Background(), func(_ context.Context, tx *Tx) error {
			tx.Execute("CREATE TABLE kept (text TEXT NOT NULL)")
			return nil
		}))
	}
	for _, run := range w.s.Submit {
		if !run.Later {
			w.submit(run)
		}
	}
	w.start()
	for i := range w.s.World {
		w.act(&w.s.World[i])
	}
	w.settle()
	if !w.isOver {
		w.cancel()
		w.awaitStopped()
	}
	w.openAll()
	w.compare()
}

func (w *scenarioWorld) start() {
	flows, versions := map[string]Workflow{}, map[string]string{}
	for name, flow := range w.s.Workflows {
		flows[name] = func(ctx context.Context, run *Attempt) (any, error) {
			var args any
			if err := run.Args(&args); err != nil {
				return nil, err
			}
			p := &player{world: w, run: run, vars: map[string]any{"args": args}}
			return p.play(ctx, flow.Do)
		}
		if flow.CodeVersion != "" {
			versions[name] = flow.CodeVersion
		}
	}
	grace := time.Duration(w.s.Worker.GraceMS) * time.Millisecond
	if grace == 0 {
		grace = 20 * time.Second
	}
	worker := &Worker{
		Store: w.store, Workflows: flows, CodeVersions: versions, Concurrency: 4, Grace: grace,
		Lease: time.Duration(w.s.Worker.LeaseMS) * time.Millisecond, Hook: w.hook,
		Logger: slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	w.worker, w.cancel, w.done, w.isOver, w.isStopping = worker, cancel, done, false, false
	go func() { done <- worker.Run(ctx) }()
}

func (w *scenarioWorld) hook(ctx context.Context, e WorkerEvent) context.Context {
	w.mu.Lock()
	w.events = append(w.events, e)
	w.changed.Broadcast()
	w.mu.Unlock()
	if w.s.Worker.HookThrows {
		panic("a hook that throws")
	}
	return ctx
}

func (w *scenarioWorld) submit(run submission) {
	options := &SubmitOptions{
		BackoffInitialMS: 1, CodeVersion: run.CodeVersion, MaxTries: run.MaxTries,
		TimeoutMS: run.TimeoutMS, Metadata: run.Metadata,
	}
	if run.Budget != nil {
		options.Budget = run.Budget
	}
	id, _, err := w.eyes.Submit(run.Workflow, run.Args, options)
	must(w.t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs[run.As] = id
}

func (w *scenarioWorld) count(effect string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.effects[effect]++
	w.changed.Broadcast()
	return w.effects[effect]
}

func (w *scenarioWorld) gate(name string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gates[name] == nil {
		w.gates[name] = make(chan struct{})
	}
	return w.gates[name]
}

func (w *scenarioWorld) pass(gate string) { <-w.gate(gate) }

func (w *scenarioWorld) open(name string) {
	gate := w.gate(name)
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-gate:
	default:
		close(gate)
	}
}

func (w *scenarioWorld) openAll() {
	w.mu.Lock()
	var names []string
	for name := range w.gates {
		names = append(names, name)
	}
	w.mu.Unlock()
	for _, name := range names {
		w.open(name)
	}
}

// until looks again and again whether something is so, for half a minute at most.
func (w *scenarioWorld) until(isSo func() bool) bool {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if isSo() {
			return true
		}
		time.Sleep(2 * time.Millisecond) // other processes and the store ring no bell here
	}
	return false
}

func (w *scenarioWorld) await(what string, isSo func() bool) {
	w.t.Helper()
	if !w.until(isSo) {
		w.t.Fatalf("%s did not come: %s", what, w.seen())
	}
}

func (w *scenarioWorld) seen() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := fmt.Sprintf("effects %v", w.effects)
	for as, id := range w.runs {
		if run, err := w.eyes.Get(id); err == nil {
			text += fmt.Sprintf("\n%s: %s", as, clip(string(run.Raw), 2000))
		}
	}
	for _, e := range w.events {
		text += fmt.Sprintf("\n%s of attempt %d %s %v %s", e.Kind, e.Attempt, e.Step, e.Err, e.Call)
	}
	return text
}

func (w *scenarioWorld) hasCome(a *worldAct) bool {
	count := max(a.Count, 1)
	switch {
	case a.AwaitEffect != "":
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.effects[a.AwaitEffect] >= count
	case a.AwaitState != "":
		return w.document(a.AwaitState).State == a.State
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if string(e.Kind) == a.AwaitEvent && (a.Run == "" || e.RunID == w.runs[a.Run]) {
			count--
		}
	}
	return count <= 0
}

func (w *scenarioWorld) document(as string) *Run {
	w.mu.Lock()
	id := w.runs[as]
	w.mu.Unlock()
	run, err := w.eyes.Get(id)
	must(w.t, err)
	return run
}

func (w *scenarioWorld) act(a *worldAct) {
	w.t.Helper()
	switch {
	case a.AwaitEffect != "" || a.AwaitState != "" || a.AwaitEvent != "":
		w.await(a.AwaitEffect+a.AwaitState+a.AwaitEvent+" "+a.State, func() bool { return w.hasCome(a) })
	case a.Open != "":
		w.open(a.Open)
	case a.Submit != "":
		at := slices.IndexFunc(w.s.Submit, func(s submission) bool { return s.As == a.Submit })
		w.submit(w.s.Submit[at])
	case a.Cancel != "":
		must(w.t, w.eyes.Cancel(w.runs[a.Cancel], nil))
	case a.Send != "":
		_, err := w.eyes.Signal(w.runs[a.Send], a.Name, a.Payload, "")
		must(w.t, err)
	case a.TakeOver != "":
		w.takeOver(a)
	case a.Lock != nil:
		w.lock(*a.Lock)
	case a.Stop && w.isStopping:
		w.worker.Stop()
	case a.Stop:
		w.isStopping = true
		w.cancel()
	case a.AwaitStopped:
		w.awaitStopped()
	case a.Start:
		w.start()
	case a.LoseLog:
		must(w.t, os.Remove(w.path+"-wal"))
	case a.CloseStore:
		w.store.Close()
	default:
		w.t.Fatalf("no act of the world that this runner knows: %+v", a)
	}
}

func (w *scenarioWorld) awaitStopped() {
	w.t.Helper()
	select {
	case w.ended = <-w.done:
		w.isOver = true
	case <-time.After(30 * time.Second):
		w.t.Fatalf("the worker did not stop: %s", w.seen())
	}
}

func (w *scenarioWorld) takeOver(a *worldAct) {
	other, err := Open(w.path, &Options{ManualClock: true})
	must(w.t, err)
	defer other.Close()
	must(w.t, other.Advance(time.Hour))
	run, err := other.TryClaim("", nil)
	must(w.t, err)
	if run == nil || run.RunID() != w.runs[a.TakeOver] {
		w.t.Fatal("nothing to take over")
	}
	defer run.Close()
	must(w.t, run.Complete(a.Result))
}

// lock has another process hold the lock of SQLite's writers, a byte of the file's index in memory.
func (w *scenarioWorld) lock(on bool) {
	w.unlock()
	w.unlock = func() {}
	if !on {
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "SMOLWF_TEST_LOCK="+w.path+"-shm")
	if server != "" {
		cmd = exec.Command(filepath.Join(root, "scripts", "postgres-hold.sh"), w.path)
	}
	in, err := cmd.StdinPipe()
	must(w.t, err)
	out, err := cmd.StdoutPipe()
	must(w.t, err)
	must(w.t, cmd.Start())
	w.unlock = func() {
		in.Close()
		_ = cmd.Wait()
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		w.t.Fatalf("no lock: %q %v", line, err)
	}
}

// holdLock is the other process.
func holdLock(path string) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart, Start: 120, Len: 1}
	if err := syscall.FcntlFlock(file.Fd(), syscall.F_SETLKW, &lock); err != nil {
		panic(err)
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func (w *scenarioWorld) settle() {
	w.until(func() bool {
		for _, e := range w.s.Expect.Runs {
			if w.document(e.Run).State != e.State {
				return false
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for effect, count := range w.s.Expect.Effects {
			if w.effects[effect] < count {
				return false
			}
		}
		return true
	})
}

func (w *scenarioWorld) compare() {
	for _, e := range w.s.Expect.Runs {
		w.compareRun(&e)
	}
	if w.s.Expect.Kept != nil {
		rows, err := w.eyes.Query(context.Background(), "SELECT text FROM kept ORDER BY text")
		must(w.t, err)
		kept := []string{}
		for _, row := range rows.Rows {
			kept = append(kept, row[0].(string))
		}
		equal(w.t, "kept", kept, w.s.Expect.Kept)
	}
	w.mu.Lock()
	if w.effects["not as expected"] > 0 {
		w.t.Error("something is not as expected")
	}
	for effect, count := range w.s.Expect.Effects {
		if w.effects[effect] != count {
			w.t.Errorf("effect %q: %d times, not %d", effect, w.effects[effect], count)
		}
	}
	w.mu.Unlock()
	w.compareEnd()
	w.compareEvents()
	if w.t.Failed() {
		w.t.Log(w.seen())
	}
}

func (w *scenarioWorld) compareRun(e *expectedRun) {
	run := w.document(e.Run)
	is := func(what string, isRight bool) {
		if !isRight {
			w.t.Errorf("%s: %s is not as expected: %s", e.Run, what, clip(string(run.Raw), 2000))
		}
	}
	is("state", run.State == e.State)
	if e.Result != nil {
		var got, want any
		must(w.t, json.Unmarshal(run.Result, &got))
		must(w.t, json.Unmarshal(e.Result, &want))
		is("result", reflect.DeepEqual(got, want))
	}
	for _, text := range e.ErrorHas {
		is("the error, which lacks "+text, strings.Contains(string(run.Error), text))
	}
	for _, text := range e.ErrorLacks {
		is("the error, which has "+text, !strings.Contains(string(run.Error), text))
	}
	is("attempts", e.Attempts == nil || run.Attempts == *e.Attempts)
	is("attempts", e.AttemptsMax == nil || run.Attempts <= *e.AttemptsMax)
	is("tries", e.Tries == nil || run.Tries == *e.Tries)
}

func (w *scenarioWorld) compareEnd() {
	wanted := []string{"stopped"}
	if raw := w.s.Expect.Worker; raw != nil {
		var one string
		if json.Unmarshal(raw, &one) == nil {
			wanted = []string{one}
		} else {
			must(w.t, json.Unmarshal(raw, &wanted))
		}
	}
	how := "stopped"
	if code, ok := codeOf(w.ended); ok {
		how = code.Error()
	} else if w.ended != nil {
		how = w.ended.Error()
	}
	if !slices.Contains(wanted, how) {
		w.t.Errorf("the worker ended as %s, not as %v", how, wanted)
	}
}

func (w *scenarioWorld) compareEvents() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for as, wanted := range w.s.Expect.Events {
		var told []WorkerEvent
		for _, e := range w.events {
			if e.RunID == w.runs[as] {
				told = append(told, e)
			}
		}
		slices.SortStableFunc(told, func(a, b WorkerEvent) int { return a.Attempt - b.Attempt })
		var kinds []string
		for _, e := range told {
			kinds = append(kinds, string(e.Kind))
			w.compareMembers(&e)
		}
		if !slices.Equal(kinds, wanted) {
			w.t.Errorf("%s: was told of %v, not of %v", as, kinds, wanted)
		}
	}
}

func (w *scenarioWorld) compareMembers(e *WorkerEvent) {
	attrs := e.Attrs()
	for _, name := range w.s.Expect.Hooks {
		if !slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == name }) {
			w.t.Errorf("%s says no %s", e.Kind, name)
		}
	}
}
