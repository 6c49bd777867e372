package smolwf

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestALibraryOfAnotherVersionIsToldByBoth(t *testing.T) {
	ours, abi := VersionNumber(), ABIVersion()
	if said := misfit(true, ours^1, abi); said != "" {
		t.Errorf("another patch is refused: %s", said)
	}
	for _, said := range []string{misfit(true, ours+1<<8, abi), misfit(true, ours+1<<16, abi), misfit(false, ours, abi+1)} {
		for _, part := range []string{"the library is smolwf ", "this program was built for " + Version(), "use those of one version"} {
			if !strings.Contains(said, part) {
				t.Errorf("%q is not in %q", part, said)
			}
		}
	}
	if said := misfit(false, 0x000201, 7); !strings.Contains(said, "the library is smolwf 0.2.1 (ABI 7)") {
		t.Error(said)
	}
}

func TestWithoutCgoTheCompilerSaysThatItIsNeededAndNoMore(t *testing.T) {
	build := exec.Command("go", "build", ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	said, err := build.CombinedOutput()
	const wanted = "build.go:6:9: undefined: smolwf_needs_cgo__set_CGO_ENABLED_to_1_and_have_a_C_compiler\n"
	if err == nil || strings.Count(string(said), "\n") != 2 || !strings.HasSuffix(string(said), wanted) {
		t.Errorf("a file that needs cgo lacks its //go:build line: %v: %s", err, said)
	}
}
