package smolwf

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestProgramsPrintTheTranscripts runs each program of examples/go, and compares what it prints with what the same
// program prints in every language.
func TestProgramsPrintTheTranscripts(t *testing.T) {
	folder := t.TempDir()
	build := exec.Command("go", "build", "-o", folder, "./...")
	build.Dir = filepath.Join(root, "examples", "go")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, program := range []string{"approval", "fanout", "budget", "agent", "transfer"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			compare(t, program, output(t, folder, program, place(t)))
		})
	}
	t.Run("quickstart", func(t *testing.T) {
		database := place(t)
		var all strings.Builder
		for _, args := range [][]string{{"crash"}, {}, {}} {
			all.WriteString(strings.Join(append([]string{"$ quickstart"}, args...), " ") + "\n")
			all.WriteString(output(t, folder, "quickstart", append(args, database)...))
		}
		compare(t, "quickstart", all.String())
	})
	t.Run("transfer that is killed", func(t *testing.T) {
		t.Parallel()
		database := place(t)
		killTransfer(t, filepath.Join(folder, "transfer"), database)
		for range 2 {
			compare(t, "transfer", output(t, folder, "transfer", database))
		}
	})
}

// killTransfer kills the program at half a dozen moments of its work.
func killTransfer(t *testing.T, program, database string) {
	t.Helper()
	store, err := Open(database, nil)
	must(t, err)
	defer store.Close()
	done := func() int64 {
		rows, err := store.Query(context.Background(), "SELECT count(*) FROM moves")
		if err != nil { // it has not made its table
			return 0
		}
		return rows.Rows[0][0].(int64)
	}
	kills := 0
	for least := int64(5); least < 90; least += 15 {
		cmd := exec.Command(program, database)
		must(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for len(ended) == 0 && done() < least {
			time.Sleep(time.Millisecond)
		}
		_ = cmd.Process.Kill() // unless it has ended
		if err := <-ended; err != nil {
			kills++
		}
	}
	if kills == 0 {
		t.Error("the program was never killed")
	}
}

func output(t *testing.T, folder, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(folder, program), args...)
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	isCrash := len(args) > 0 && args[0] == "crash"
	if err != nil && !isCrash || errors.Len() > 0 {
		t.Fatalf("%s: %v\n%s%s", program, err, out, errors.String())
	}
	return string(out)
}

func compare(t *testing.T, program, printed string) {
	t.Helper()
	expected, err := os.ReadFile(filepath.Join(root, "examples", "expected", program+".txt"))
	must(t, err)
	var lines []string
	for _, line := range strings.SplitAfter(printed, "\n") {
		if !strings.HasPrefix(line, "# ") {
			lines = append(lines, line)
		}
	}
	if got := strings.Join(lines, ""); got != string(expected) {
		t.Fatalf("printed\n%s\nexpected\n%s", got, expected)
	}
}
