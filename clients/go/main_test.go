package smolwf

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// server is one of scripts/postgres.sh, on which stores lie, "" where there is none.
var server = os.Getenv("SW_POSTGRES_URL")

// schemas counts those that place has named.
var schemas atomic.Int64

// place is where a test's store lies: a file of its own, or on the server a schema of its own, with a password in its
// URL that the server asks nobody for.
func place(t *testing.T) string {
	t.Helper()
	if server == "" {
		return filepath.Join(t.TempDir(), "a.db")
	}
	schema := fmt.Sprintf("sw_test_%d_%d", os.Getpid(), schemas.Add(1))
	return fmt.Sprintf("%s&password=sesame&sw_schema=%s&options=-csearch_path%%3D%s", server, schema, schema)
}

// TestMain makes the test binary also the other processes that tests start.
func TestMain(m *testing.M) {
	if path := os.Getenv("SMOLWF_TEST_LOCK"); path != "" {
		holdLock(path)
		return
	}
	if path := os.Getenv("SMOLWF_TEST_SOAK"); path != "" {
		soakWorker(path)
		return
	}
	if path := os.Getenv("SMOLWF_TEST_TELL"); path != "" {
		tellFrom(path)
		return
	}
	if path := os.Getenv("SMOLWF_TEST_TX"); path != "" {
		dieInTx(path, os.Getenv("SMOLWF_TEST_MOMENT"))
		return
	}
	os.Exit(m.Run())
}
