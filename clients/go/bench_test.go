package smolwf

import "testing"

//go:noinline
func nothing() uint32 { return 0 }

// What a call costs beside an empty function of Go: go test -bench . -run '^$'
func BenchmarkEmptyFunction(b *testing.B) {
	for range b.N {
		nothing()
	}
}

func BenchmarkABIVersion(b *testing.B) {
	for range b.N {
		ABIVersion()
	}
}

func BenchmarkNewID(b *testing.B) {
	for range b.N {
		if _, err := NewID("run"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReplayedStep(b *testing.B) {
	store, err := OpenInMemory(nil)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	if _, _, err := store.Submit("w", nil, nil); err != nil {
		b.Fatal(err)
	}
	for _, last := range []bool{false, true} {
		run, err := store.TryClaim("", nil)
		if err != nil {
			b.Fatal(err)
		}
		defer run.Close()
		step, err := run.Begin("s", StepOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if !last {
			if err := step.Complete(1); err != nil {
				b.Fatal(err)
			}
		}
		step.Close()
		if !last {
			if err := run.Release(0); err != nil {
				b.Fatal(err)
			}
			continue
		}
		b.ResetTimer()
		for range b.N {
			step, err := run.Begin("s", StepOptions{Occurrence: 1})
			if err != nil || !step.Replayed {
				b.Fatal(err)
			}
			step.Close()
		}
	}
}
