package convert

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sandbox"
)

// cacheVariable names a cache to keep from run to run, without which every run starts with
// an empty one.
const cacheVariable = "HARDPAN_IMAGETEST_CACHE"

// TestMain lets this program be the inside of a sandbox.
func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// TestRealArchiveFixtures builds the specs of both systems and holds their images against
// the profile strict: what is broken as badly as medium is among what the conversion noted.
func TestRealArchiveFixtures(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: no converted spec was built")
	}
	cache := os.Getenv(cacheVariable)
	if cache == "" {
		cache = t.TempDir()
	}
	profile, ok := check.ProfileOf("strict")
	if !ok {
		t.Fatal("there is no profile strict")
	}
	for _, name := range []string{"xorb-api", "samo-dl-api"} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(fixtures)); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, name+".Dockerfile"))
		if err != nil {
			t.Fatal(err)
		}
		r := convert(t, filepath.Join(dir, name+".Dockerfile"), string(text))
		spec, layout := filepath.Join(dir, name+".yaml"), filepath.Join(dir, "layout")
		if err := os.WriteFile(spec, r.Spec, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := builder.Build(t.Context(), builder.Options{Spec: spec, CacheDir: cache, Outputs: builder.Outputs{Layout: layout}}); err != nil {
			if errors.Is(err, sandbox.ErrUnsupported) {
				t.Skipf("SKIPPED: %v", err)
			}
			t.Fatalf("%s: %v", name, err)
		}
		src, err := oci.Open(t.Context(), layout, oci.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		report, err := check.Image(t.Context(), src.Images[0], check.Options{Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		noted := ""
		for _, n := range r.Notes {
			noted += n.Text + "\n"
		}
		for _, result := range report.Results {
			if result.Status == check.Failed && result.Severity >= harden.Medium && !strings.Contains(noted, result.Rule) {
				t.Errorf("%s: %s %s is broken, and nothing of the conversion said so: %+v", name, result.Severity, result.Rule, result.Findings)
			}
		}
	}
}
