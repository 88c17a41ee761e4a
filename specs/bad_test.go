package specs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// header begins the specs of the tests, which so have their own text from line 5 on.
const header = `apiVersion: hardpan/v1
name: app
version: "1"
distro: debian/trixie
`

// writeFiles writes files, named by pairs of name and content, into a new directory.
func writeFiles(t testing.TB, pairs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(pairs); i += 2 {
		path := filepath.Join(dir, pairs[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(pairs[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// report returns err as a person sees it, each line with its hint, and paths
// without the directory.
func report(dir string, err error) string {
	var all Errors
	if !errors.As(err, &all) {
		return err.Error()
	}
	var lines []string
	for _, e := range all {
		lines = append(lines, strings.ReplaceAll(e.Error(), dir+"/", ""))
		if e.Hint() != "" {
			lines = append(lines, "  hint: "+e.Hint())
		}
	}
	return strings.Join(lines, "\n")
}

// badSpec is a spec that is refused, and how. Unless it is whole, header is put before it.
type badSpec struct {
	name  string
	whole bool
	spec  string
	want  string // each error on a line, with its hint on the next
}

// TestBadSpecs has one entry per thing that a spec can get wrong.
func TestBadSpecs(t *testing.T) {
	for _, test := range slices.Concat(badFiles, badValues) {
		t.Run(test.name, func(t *testing.T) {
			spec := test.spec
			if !test.whole {
				spec = header + strings.TrimPrefix(spec, "\n")
			}
			dir := writeFiles(t, "spec.yaml", spec, "beside.txt", "text", "key.asc", "key")
			_, err := Load(filepath.Join(dir, "spec.yaml"))
			if err == nil {
				t.Fatal("the spec was taken")
			}
			if got, want := report(dir, err), strings.TrimSpace(test.want); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
