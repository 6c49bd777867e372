package smolwftest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"smolwf.internal/smolwf"
)

var (
	greeting = flag.String("greeting", "", "what the tests of processes say, all of them")
	isShort  = flag.Bool("brief", false, "a flag that stands alone")
	startMix int
)

// TestMain is a user's: it reads flags, and sets up.
func TestMain(m *testing.M) {
	flag.Parse()
	startMix++
	os.Exit(m.Run())
}

// same is a case in which each process has to be as the one that started it, in the folder that it started in.
func same(t *testing.T) Case {
	wanted, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	greeted, args := *greeting, fmt.Sprint(flag.Args())
	return Case{
		Workflows: map[string]smolwf.Workflow{"w": func(context.Context, *smolwf.Attempt) (any, error) {
			Effect("of "+t.Name(), "")
			return nil, nil
		}},
		Args: []any{wanted, greeted, args, testing.Short(), startMix},
		Setup: func(*smolwf.Store) error {
			if folder, err := os.Getwd(); err != nil || folder != wanted {
				return fmt.Errorf("in %s, not %s: %v", folder, wanted, err)
			}
			if os.Getenv(taskVariable) != "" || !InChild() || startMix != 1 {
				return errors.New("not as a process of the test is to be")
			}
			if want := os.Getenv("SMOLWF_TEST_GREETING"); *greeting != want {
				return fmt.Errorf("greeted by %q, not %q", *greeting, want)
			}
			return nil
		},
	}
}

func expectOf(t *testing.T, report *Report) {
	t.Helper()
	if report.Commits != 2 || len(report.Findings) == 0 || report.Findings[0].Name != "of "+t.Name() {
		t.Errorf("%s", report)
	}
}

// A process comes to the very test that started it, whatever that is called.
func TestAProcessFindsItsTest(t *testing.T) {
	for _, name := range []string{"a", "a", "a/b", "with blanks [and] (signs) | + . * ^ $ \\", "\x01\u00e9/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expectOf(t, CrashReport(t, same(t)))
		})
	}
}

// A test whose name is the beginning of another's.
func TestAProcessFindsItsTestNotThisOne(t *testing.T) {
	if InChild() {
		t.Error("this test runs in a process of another one")
	}
}

// What a call of Crash came to is known to the process that works for the next.
func TestATestMayCallCrashMoreThanOnceAndLookAtEach(t *testing.T) {
	first := CrashReport(t, same(t))
	expectOf(t, first)
	t.Run("a part", func(t *testing.T) {
		if first.Commits != 2 || first.Workflow != "w" {
			t.Fatal(first)
		}
		expectOf(t, CrashReport(t, same(t)))
	})
	second := CrashReport(t, same(t))
	expectOf(t, second)
}

func TestATestThatTakesAnotherWayInAProcessIsAnError(t *testing.T) {
	if InChild() {
		fmt.Println("here I am not")
		return
	}
	_, err := crash(t, same(t))
	if err == nil || !strings.Contains(err.Error(), "did not come to call 1 of Crash") ||
		!strings.Contains(err.Error(), "here I am not") {
		t.Error(err)
	}
}

func TestAProcessThatComesToAnotherCallSaysSo(t *testing.T) {
	p := &childProcess{task{Call: call{"TestA", 2}}}
	_, err := p.come(call{"TestB", 1}, &Case{})
	if err == nil || !strings.Contains(err.Error(), "works for call 2 of Crash in TestA came to call 1 in TestB") {
		t.Error(err)
	}
}

// The test binary is run as people do who build it with -c: elsewhere, and with what flags there are. Its tests run
// twice, and end in time.
func TestABinaryIsRunElsewhereWithFlagsOfItsOwn(t *testing.T) {
	program, err := os.Executable()
	if err != nil || InChild() {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(program, filepath.Join(folder, "binary")); err != nil {
		t.Fatal(err)
	}
	flags := []string{
		"-test.v", "-test.timeout", "5m", "-test.count=2", "-test.parallel", "2", "-test.paniconexit0", "-test.short=true",
		"--test.run", "^TestAProcessFindsItsTest$/^a$|TestATestMayCall", "-greeting", "hello", "-test.shuffle=on",
		"-test.cpuprofile=cpu.out", "-brief", "-test.failfast", "more", "-test.of=mine",
	}
	if testing.CoverMode() != "" {
		flags = slices.Insert(flags, 0, "-test.coverprofile=cover.out")
	}
	cmd := exec.Command("./binary", flags...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "SMOLWF_TEST_GREETING=hello")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "--- PASS: TestATestMayCallCrashMoreThanOnceAndLookAtEach "); n != 2 {
		t.Errorf("it passed %d times:\n%s", n, out)
	}
	left, err := os.ReadDir(folder)
	for _, file := range left {
		if !slices.Contains([]string{"binary", "cover.out", "cpu.out"}, file.Name()) {
			t.Error("it left ", file.Name())
		}
	}
	if err != nil || len(left) < 2 {
		t.Error(left, err)
	}
}

func TestFlagsOfTheTestingPackageAreLeftOut(t *testing.T) {
	args := []string{
		"-test.v", "--test.run=^A$", "-test.timeout", "1s", "-greeting", "-test.v", "-brief", "--greeting=b", "-test.short", "a", "-test.v",
	}
	if got := own(args); !slices.Equal(got, []string{"-greeting", "-test.v", "-brief", "--greeting=b", "a", "-test.v"}) {
		t.Error(got)
	}
	if got := own([]string{"-test.v", "--", "-test.v"}); !slices.Equal(got, []string{"--", "-test.v"}) {
		t.Error(got)
	}
	if *isShort && os.Getenv("SMOLWF_TEST_GREETING") == "" {
		t.Error("the flag was given")
	}
}

func TestAPatternMatchesOneTestOnly(t *testing.T) {
	parts := strings.Split(pattern("TestA/b.c"), "/")
	if len(parts) != 2 || parts[0] != "^TestA$" {
		t.Fatal(parts)
	}
	match := regexp.MustCompile(parts[1]).MatchString
	if !match("b.c") || match("bxc") || match("b.c2") || match("ab.c") {
		t.Error(parts)
	}
}
