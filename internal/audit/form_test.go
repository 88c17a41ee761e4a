package audit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hardpan/hardpan/internal/sarif/sariftest"
)

// TestForm holds the SARIF of one file, but for the order of its keys.
func TestForm(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a b.Dockerfile")
	if err := os.WriteFile(file, []byte("FROM scratch\nUSER root\nEXPOSE 22\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := judgeFile(t, file)
	sarif, err := r.SARIF("1.0")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("testdata", "small.sarif")
	if *update {
		if err := os.WriteFile(name, sarif, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sariftest.Same(t, name, sarif)
}
