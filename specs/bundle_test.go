package specs

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBundle lays specs out elsewhere, where they must be the same: by canonical form,
// and by the files and lines that images name.
func TestBundle(t *testing.T) {
	for _, test := range []struct {
		name    string
		files   []string // names and contents below a directory
		spec    string   // which of them
		variant string
		want    string // names of the bundle, those it leaves out in brackets
	}{
		{
			name: "a parent in another directory, each with a file",
			files: []string{
				"images/app/1.yaml", header + "extends: ../base/b.yaml\npaths:\n  - {path: /a, type: file, source: files/a}\n",
				"images/app/files/a", "a\n",
				"images/base/b.yaml", "apiVersion: hardpan/v1\npaths: [{path: /b, type: file, source: b.txt}]\n",
				"images/base/b.txt", "b\n",
			},
			spec: "images/app/1.yaml",
			want: "../base/b.txt ../base/b.yaml 1.yaml files/a",
		},
		{
			name: "a parent that comes back",
			files: []string{
				"app/1.yaml", header + "extends: ../app/b.yaml\n",
				"app/b.yaml", "apiVersion: hardpan/v1\npaths: [{path: /b, type: file, source: b.txt}]\n",
				"app/b.txt", "b\n",
			},
			spec: "app/1.yaml",
			want: "../app/b.txt ../app/b.yaml 1.yaml b.txt",
		},
		{
			name: "files of variants, too",
			files: []string{
				"1.yaml", header + "variants: {debug: {paths: [{path: /a, type: file, source: a}]}, other: {paths: [{path: /b, type: file, source: b}]}}\n",
				"a", "\xff\x00 binary", "b", "b\n",
			},
			spec: "1.yaml", variant: "debug",
			want: "1.yaml a b",
		},
		{
			name: "what stages read is left out, and what is large",
			files: []string{
				"1.yaml", header + "stages: [{name: build, files: [{source: src, path: /src, exclude: [\"*.o\"]}], run: [make]}]\npaths: [{path: /big, type: file, source: big}]\n",
				"src/a.c", "int main;", "src/a.o", "object", "big", strings.Repeat("x", maxBundled+1),
			},
			spec: "1.yaml",
			want: "1.yaml (big) (src)",
		},
		{
			name: "keys by absolute names",
			files: []string{
				"1.yaml", header + "contents: {repositories: [{uri: \"https://example.com/debian\", suite: stable, components: [main], signed-by: DIR/keys/k.asc}]}\n",
				"keys/k.asc", "key\n",
			},
			spec: "1.yaml",
			want: "/keys/k.asc 1.yaml",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for i := 0; i < len(test.files); i += 2 {
				name := filepath.Join(dir, test.files[i])
				if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(strings.ReplaceAll(test.files[i+1], "DIR", dir)), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			base, spec := variantOf(t, LoadOptions{}, filepath.Join(dir, test.spec), test.variant)
			bundle, err := spec.Bundle(base)
			if err != nil {
				t.Fatal(err)
			}
			text, err := bundle.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if bundle, err = DecodeBundle(text); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, f := range bundle.Files {
				names = append(names, strings.TrimPrefix(f.Name, dir))
			}
			for _, l := range bundle.Left {
				names = append(names, "("+l.Name+")")
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("the bundle has %s, want %s", got, test.want)
			}
			if strings.Contains(string(text), filepath.Base(dir)) && !strings.HasPrefix(test.want, "/") {
				t.Errorf("the bundle says where the spec was: %s", text)
			}

			path, options, err := bundle.Lay(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			_, again := variantOf(t, options, path, test.variant)
			if missing := bundle.Missing(again); len(missing) != len(bundle.Left) {
				t.Errorf("without a checkout %q is missing, want all that is left out", missing)
			}
			path, options, err = bundle.Lay(t.TempDir(), filepath.Dir(filepath.Join(dir, test.spec)))
			if err != nil {
				t.Fatal(err)
			}
			_, again = variantOf(t, options, path, test.variant)
			if missing := bundle.Missing(again); len(missing) > 0 {
				t.Errorf("with the checkout %q is missing", missing)
			}
			want, err := spec.Canonical()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := again.Canonical(); err != nil || string(got) != string(want) {
				t.Errorf("laid out it is\n%s, want\n%s (error %v)", got, want, err)
			}
			for i := range spec.Paths {
				was, is := spec.Position("paths", i), again.Position("paths", i)
				if filepath.Base(was.File) != filepath.Base(is.File) || was.Line != is.Line {
					t.Errorf("path %d was at %s, is at %s", i, was, is)
				}
			}
		})
	}
}

func variantOf(t *testing.T, o LoadOptions, path, variant string) (base, spec *Spec) {
	t.Helper()
	base, err := o.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if spec, err = base.Variant(variant); err != nil {
		t.Fatal(err)
	}
	return base, spec
}

// TestBadBundle has what is no bundle of a spec.
func TestBadBundle(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no JSON", `{`, "unexpected EOF"},
		{"another document", `{"lock": 1}`, "unknown field"},
		{"two", `{"spec": "a", "files": [{"name": "a"}]} {}`, "more than one JSON value"},
		{"without its spec", `{"spec": "a", "files": [{"name": "b"}]}`, `it has no spec "a"`},
		{"a spec in a directory", `{"spec": "a/b", "files": [{"name": "a/b"}]}`, `it has no spec "a/b"`},
		{"a name twice", `{"spec": "a", "files": [{"name": "a"}, {"name": "a"}]}`, `the file name "a" is not clean, there twice`},
		{"a way out", `{"spec": "a", "files": [{"name": "a"}, {"name": "b/../../c"}]}`, `the file name "b/../../c" is not clean`},
		{"only a way out", `{"spec": "a", "files": [{"name": ".."}]}`, `the file name ".." is not clean`},
		{"far above", `{"spec": "a", "files": [{"name": "` + strings.Repeat("../", 40) + `x"}]}`, "is not clean"},
		{"too much", `{"spec": "a", "files": [{"name": "a", "text": "` + strings.Repeat("x", maxBundle+1) + `"}]}`, "bytes, at most"},
	} {
		if _, err := DecodeBundle([]byte(test.text)); !errors.Is(err, ErrBundle) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want %q", test.name, err, test.want)
		}
	}
}

// TestBundleStaysInside: a parent that the bundle does not have is not looked for on the
// machine that the bundle is laid out on.
func TestBundleStaysInside(t *testing.T) {
	outer := writeFiles(t, "mine.yaml", "password: secret\n")
	text, err := json.Marshal(Bundle{Spec: "a.yaml", Files: []BundledFile{{Name: "a.yaml", Text: header + "extends: ../../mine.yaml\n"}}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := DecodeBundle(text)
	if err != nil {
		t.Fatal(err)
	}
	path, options, err := b.Lay(filepath.Join(outer, "within"), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := options.Load(path); err == nil || !strings.HasSuffix(err.Error(), `extends: "../../mine.yaml" is outside of what may be read`) {
		t.Errorf("error is %v", err)
	}
}

// FuzzBundle reads any bundle: what is taken stays below the directory it is laid out in.
func FuzzBundle(f *testing.F) {
	f.Add([]byte(`{"spec": "a.yaml", "files": [{"name": "../b/c", "bytes": "/w=="}, {"name": "/k"}, {"name": "a.yaml", "text": "apiVersion: hardpan/v1"}], "left": [{"name": "src", "digest": "sha256:1"}]}`))
	f.Add([]byte(`{"spec": "a", "files": [{"name": "a"}, {"name": "a/b"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := DecodeBundle(text)
		if err != nil {
			if !errors.Is(err, ErrBundle) {
				t.Errorf("error %v is not ErrBundle", err)
			}
			return
		}
		outer := t.TempDir()
		dir := filepath.Join(outer, "within")
		path, options, err := b.Lay(dir, "")
		if entries, _ := os.ReadDir(outer); len(entries) > 1 {
			t.Fatalf("%q lays out beside its directory", text)
		}
		if err != nil {
			return
		}
		if s, err := options.Load(path); err == nil {
			b.Missing(s)
		}
	})
}
