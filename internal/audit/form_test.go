package audit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
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
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var is, was any
	if err := json.Unmarshal(sarif, &is); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &was); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(is, was) {
		t.Errorf("SARIF is\n%s\nwant\n%s", sarif, want)
	}
}
