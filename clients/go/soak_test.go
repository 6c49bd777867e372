package smolwf

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const soakRuns = 60

// soakWorker is a process of the soak: it tells outside what it pays for.
func soakWorker(path string) {
	store, err := Open(path, nil)
	if err != nil {
		panic(err)
	}
	defer store.Close()
	out, err := os.OpenFile(path+".paid", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	s := &soaker{out}
	worker := &Worker{
		Store: store, Concurrency: 6, Logger: silent,
		Workflows: map[string]Workflow{"order": Typed(s.order), "part": Typed(s.part)},
	}
	// A second signal that comes when all has been drained is no end by force.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM)
	fmt.Println("ready")
	if err := worker.RunUntilSignal(context.Background()); err != nil {
		panic(err)
	}
}

type soaker struct{ out *os.File }

func (s *soaker) tell(what, label string) {
	if _, err := fmt.Fprintf(s.out, "%s %d %s\n", what, os.Getpid(), label); err != nil {
		panic(err)
	}
}

// pay is a step that is counted outside, and throws now and then.
func (s *soaker) pay(ctx context.Context, run *Attempt, name string) error {
	label := run.RunID() + "/" + name
	options := StepOptions{MaxTries: 100, BackoffInitial: time.Millisecond, BackoffMax: 5 * time.Millisecond}
	_, err := DoWith(ctx, run, name, options, func(context.Context) (int, error) {
		s.tell("begin", label)
		time.Sleep(time.Duration(1+rand.Intn(8)) * time.Millisecond) // the work
		switch rand.Intn(12) {
		case 0:
			s.tell("threw", label)
			return 0, errors.New("busy")
		case 1:
			s.tell("threw", label)
			panic("broken")
		}
		return 1, nil
	})
	if err == nil {
		s.tell("end", label)
	}
	return err
}

func (s *soaker) order(ctx context.Context, run *Attempt, n int) (int, error) {
	group := run.Group()
	for _, name := range []string{"a", "b", "c"} {
		group.Go(func() error { return s.pay(ctx, run, name) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	part := func(n int) Item {
		return Item{Name: "part", Workflow: "part", Args: n, SubmitOptions: SubmitOptions{MaxTries: 100}}
	}
	children, err := run.ChildSubmitMany([]Item{part(1), part(2)})
	if err != nil {
		return 0, err
	}
	group = run.Group()
	group.Go(func() error { return run.Sleep("rest", time.Duration(n%20)*time.Millisecond) })
	group.Go(func() error { return s.pay(ctx, run, "d") })
	_, all := run.AwaitAll("parts", []Member{{Child: children[0].RunID}, {Child: children[1].RunID}}, Forever)
	_, message := run.SignalAwait("go", Forever)
	return n, errors.Join(all, message, group.Wait())
}

func (s *soaker) part(ctx context.Context, run *Attempt, n int) (int, error) {
	return n, s.pay(ctx, run, "part")
}

// soak is the workers from outside.
type soak struct {
	t      *testing.T
	path   string
	killed map[string]bool
}

func (s *soak) start() *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "SMOLWF_TEST_SOAK="+s.path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(s.t, err)
	must(s.t, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		s.t.Fatal(line, err)
	}
	return cmd
}

// stop sends the two signals of an impatient deploy; the end is in order.
func (s *soak) stop(cmd *exec.Cmd) {
	must(s.t, cmd.Process.Signal(syscall.SIGTERM))
	time.Sleep(time.Duration(rand.Intn(20)) * time.Millisecond) // so that the second comes at any moment
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatal(err)
	}
	must(s.t, cmd.Wait())
}

func (s *soak) kill(cmd *exec.Cmd) {
	s.killed[fmt.Sprint(cmd.Process.Pid)] = true
	must(s.t, cmd.Process.Kill())
	_ = cmd.Wait() // which says that it was killed
}

// lines reads what was told so far.
func (s *soak) lines() []string {
	text, err := os.ReadFile(s.path + ".paid")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func (s *soak) awaitLines(count int) {
	for end := time.Now().Add(time.Minute); len(s.lines()) < count; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%d lines of %d", len(s.lines()), count)
		}
	}
}

// Deploys and crashes at any moment: every run ends, and nothing is paid for twice but what was in
// flight when its process was killed.
func TestWhatIsPaidForIsPaidForOnceUnderStopsAndKills(t *testing.T) {
	t.Parallel()
	s := &soak{t: t, path: filepath.Join(t.TempDir(), "a.db"), killed: map[string]bool{}}
	store, err := Open(s.path, nil)
	must(t, err)
	defer store.Close()
	var runs []string
	for n := range soakRuns {
		// A kill is a loss, and that is a try.
		runID, _, err := store.Submit("order", n, &SubmitOptions{MaxTries: 100, BackoffInitialMS: 1})
		must(t, err)
		_, err = store.Signal(runID, "go", n, "")
		must(t, err)
		runs = append(runs, runID)
	}
	workers := []*exec.Cmd{s.start(), s.start()}
	for round := range 8 {
		s.awaitLines(70 * (round + 1))
		victim := workers[0]
		if round%2 == 0 {
			s.stop(victim)
		} else {
			s.kill(victim)
		}
		workers = []*exec.Cmd{workers[1], s.start()}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for n, runID := range runs {
		if got, err := WaitResult[int](ctx, store, runID); err != nil || got != n {
			t.Errorf("%s: %d %v", runID, got, err)
		}
	}
	for _, worker := range workers {
		s.stop(worker)
	}
	s.count()
}

// count looks at what was paid for.
func (s *soak) count() {
	type at struct{ pid, label string }
	begun, open := map[string]int{}, map[at]int{}
	ends := map[at]bool{}
	for _, line := range s.lines() {
		var what string
		var of at
		if _, err := fmt.Sscan(line, &what, &of.pid, &of.label); err != nil {
			s.t.Fatalf("%q: %v", line, err)
		}
		switch what {
		case "begin":
			begun[of.label]++
			open[of]++
		case "threw":
			begun[of.label]--
			open[of]--
		case "end":
			ends[of] = true
		}
	}
	inFlight := map[string]int{}
	for of, count := range open {
		if count > 0 && s.killed[of.pid] && !ends[of] {
			inFlight[of.label] += count
		}
	}
	if len(begun) != soakRuns*(4+2) {
		s.t.Errorf("%d things were paid for, not %d", len(begun), soakRuns*(4+2))
	}
	for label, count := range begun {
		if count < 1 || count-inFlight[label] > 1 {
			s.t.Errorf("%s was paid for %d times, %d of them in flight at a kill", label, count, inFlight[label])
		}
	}
}
