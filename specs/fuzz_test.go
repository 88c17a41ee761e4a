package specs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzLoad loads any bytes: nothing may panic, each error must say where, and what
// is taken must print as a spec that is taken and is the same.
func FuzzLoad(f *testing.F) {
	for _, file := range []string{allKeys, "testdata/images/python/3.13.yaml", "testdata/images/base/trixie.yaml"} {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, m := range merges {
		f.Add([]byte(header + m.parent))
		f.Add([]byte(header + m.child))
	}
	for _, b := range badValues {
		f.Add([]byte(header + b.spec))
	}
	f.Add([]byte(header + "paths:\n  - path: /a\n    type: file\n    content: |2\n        x\n\n      y  \n\n"))
	dir := writeFiles(f, "beside.txt", "text", "key.asc", "key")
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "spec.yaml")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := Load(path)
		if err != nil {
			var all Errors
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("found error %#v, expected Errors", err)
			}
			for _, e := range all {
				if e.Position.File == "" || e.Message == "" {
					t.Errorf("an error that does not say where or what: %#v", e)
				}
			}
			return
		}
		checkRoundTrip(t, s)
		for _, name := range s.VariantNames() {
			v, err := s.Variant(name)
			if err != nil {
				t.Fatalf("the spec was taken, its variant %q was not: %v", name, err)
			}
			checkRoundTrip(t, v)
		}
	})
}
