package builder

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/store"
)

// attested builds an image, and returns what is attested of its index.
func (b *bench) attested(o Options) (*Result, *provenance.Inputs) {
	b.Helper()
	said := map[string][]byte{}
	o.Outputs.Sign = signer("", func(image *oci.Source, about []Predicate) ([]*oci.Artifact, error) {
		for _, p := range about {
			if p.Subject == image.Digest {
				said[p.Type] = p.Document
			}
		}
		return nil, nil
	})
	res := b.build(o)
	in, err := provenance.ReadInputs(said[provenance.Type], said[provenance.LockType], said[provenance.SpecType])
	if err != nil {
		b.Fatal(err)
	}
	return res, in
}

func (b *bench) rebuild(in *provenance.Inputs, change func(*RebuildOptions)) (store.Digest, error) {
	b.Helper()
	from := b.options("")
	o := RebuildOptions{CacheDir: from.CacheDir, Archive: from.Archive}
	if change != nil {
		change(&o)
	}
	res, err := Rebuild(b.Context(), in, o)
	if err != nil {
		return "", err
	}
	return res.Index.Digest, nil
}

// TestRebuild builds images again from what is attested of them, after their spec is
// gone.
func TestRebuild(t *testing.T) {
	reg := newRegistry(t)
	for _, test := range []struct {
		name, spec string
		change     func(*Options)
	}{
		{"all platforms", "contents: {packages: [base-files, tool]}\n", nil},
		{"one of them", "contents: {packages: [tool]}\n", func(o *Options) { o.Platforms = []string{"linux/arm64"} }},
		{"a variant", "contents: {packages: [tool]}\nvariants: {debug: {contents: {packages: [hello]}}}\n", func(o *Options) { o.Variant = "debug" }},
		{"a file", "contents: {packages: [tool]}\npaths: [{path: /etc/x, type: file, source: x}]\n", nil},
		{"on a base in a registry", "from: HOST/base:1\ncontents: {packages: [hello]}\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.write("x", "a file\n")
			b.write("base.yaml", "contents: {packages: [base-files, tool]}\n")
			base := b.options("base.yaml")
			base.Outputs.Push = reg.host + "/base:1"
			b.build(base)
			b.write("spec.yaml", strings.ReplaceAll(test.spec, "HOST", reg.host))
			o := b.options("spec.yaml")
			if _, err := Lock(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(&o)
			}
			res, in := b.attested(o)
			for _, name := range []string{"spec.yaml", "spec.lock", "x"} {
				if err := os.Remove(filepath.Join(b.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			for _, cache := range []string{o.CacheDir, t.TempDir()} {
				again, err := b.rebuild(in, func(o *RebuildOptions) { o.CacheDir = cache })
				if err != nil || again != res.Digest {
					t.Errorf("built again it is %s, %v, want %s", again, err, res.Digest)
				}
				if left, err := os.ReadDir(filepath.Join(cache, "tmp")); err != nil || len(left) > 0 {
					t.Errorf("left behind %v, %v", left, err)
				}
			}
		})
	}
}

// TestRebuildBelievesNoCache has a cache whose entries say that one image is another.
func TestRebuildBelievesNoCache(t *testing.T) {
	b := newBench(t)
	b.write("spec.yaml", "contents: {packages: [tool]}\n")
	o := b.options("spec.yaml")
	res, in := b.attested(o)
	before, err := filepath.Glob(filepath.Join(o.CacheDir, "keys", "image", "*"))
	if err != nil || len(before) != 1 {
		t.Fatal(before, err)
	}
	b.write("spec.yaml", "contents: {packages: [hello, tool]}\n")
	if _, err := Lock(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	other := b.build(o)
	after, err := filepath.Glob(filepath.Join(o.CacheDir, "keys", "image", "*"))
	if err != nil || len(after) != 2 {
		t.Fatal(after, err)
	}
	for _, name := range after {
		if name == before[0] {
			continue
		}
		entry, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(before[0], entry, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b.write("spec.yaml", "contents: {packages: [tool]}\n")
	text, err := in.Lock.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "spec.lock"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := b.build(o); got.Digest != other.Digest {
		t.Fatalf("a build believes the cache: %s, want %s, or this test shows nothing", got.Digest, other.Digest)
	}
	if again, err := b.rebuild(in, nil); err != nil || again != res.Digest {
		t.Errorf("built again it is %s, %v, want %s", again, err, res.Digest)
	}
}

// TestCannotRebuild has what is refused before anything is built.
func TestCannotRebuild(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*provenance.Inputs)
		want   string
	}{
		{"another spec", func(in *provenance.Inputs) { in.SpecDigest = "sha256:1" }, "the attested spec is sha256:"},
		{"a spec that is none", func(in *provenance.Inputs) {
			in.Spec = []byte(`{"spec": "spec.yaml", "files": [{"name": "spec.yaml", "text": "x"}]}`)
		}, "the attested spec: spec.yaml:1:1: spec: found the text"},
		{"no spec", func(in *provenance.Inputs) { in.Spec = []byte("{}") }, "not a bundle of a spec: "},
		{"another variant", func(in *provenance.Inputs) { in.Variant = "debug" }, `the attested spec is of the variant "", the provenance of "debug"`},
		{"no such platform", func(in *provenance.Inputs) { in.Platforms = []string{"linux/riscv64"} }, `platform "linux/riscv64" is not one of the spec's`},
		{"a platform twice", func(in *provenance.Inputs) { in.Platforms = []string{"linux/amd64", "linux/amd64"} }, "the provenance names a platform twice"},
		{"a lock of another spec", func(in *provenance.Inputs) { in.Lock.Request.Packages[""] = nil }, "the attested lock: "},
	} {
		b := newBench(t)
		b.write("spec.yaml", "contents: {packages: [tool]}\n")
		_, in := b.attested(b.options("spec.yaml"))
		test.change(in)
		_, err := b.rebuild(in, nil)
		if !errors.Is(err, ErrRebuild) || !strings.HasPrefix(err.Error(), ErrRebuild.Error()+": "+test.want) {
			t.Errorf("%s: error is %v, want %s", test.name, err, test.want)
		}
	}
}
