package smolwf

import (
	"os"
	"testing"
)

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
