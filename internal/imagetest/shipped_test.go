//go:build linux

package imagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/debian/resolve"
	"github.com/hardpan/hardpan/internal/oci"
	buildsandbox "github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/specs"
)

// For those who work on the specs: cacheVariable names a cache to keep from run to
// run, without which every run starts with an empty one, and onlyVariable the images
// to build, separated by spaces.
const (
	cacheVariable = "HARDPAN_IMAGETEST_CACHE"
	onlyVariable  = "HARDPAN_IMAGETEST_ONLY"
)

// shipped is one image of the folders: a spec or a variant of it.
type shipped struct {
	name    string // of the spec's folder, such as "python"; of testdata/apps, "apps-c"
	variant string
	spec    *specs.Spec // as the variant has it
	file    string      // in the copy of the folder
	layout  string      // directory of the OCI layout, all platforms
	docker  string      // archive for docker load, the host's platform
	result  *builder.Result
}

func (s *shipped) String() string {
	if s.variant == "" {
		return s.name
	}
	return s.name + "-" + s.variant
}

// strict reports whether the image promises to have no shell.
func (s *shipped) strict() bool {
	return s.variant == "" && s.spec.Hardening.Profile == specs.ProfileStrict
}

func TestRealArchiveShippedImages(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: no image that ships was built or run")
	}
	images := buildAll(t)
	pod := newPodman(t)
	for _, s := range images {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			t.Run("platforms", func(t *testing.T) {
				for _, p := range s.spec.Platforms {
					checkFacts(t, s, p)
				}
			})
			t.Run("namespace", func(t *testing.T) { runInNamespace(t, s) })
			t.Run("podman", func(t *testing.T) { runInPodman(t, pod, s) })
			t.Run("seccomp", func(t *testing.T) { runUnderProfile(t, pod, s) })
			t.Run("skopeo", func(t *testing.T) { copyWithSkopeo(t, s) })
			t.Run("page", func(t *testing.T) { writePage(t, s) })
		})
	}
}

// buildAll builds every spec of the folder and its variants, for all platforms.
func buildAll(t *testing.T) []*shipped {
	images := findSpecs(t, copySpecs(t))
	cache := os.Getenv(cacheVariable)
	if cache == "" {
		cache = filepath.Join(t.TempDir(), "cache")
		defer sweep(t, cache) // the disk is small, and what was copied out of them is kept
	}
	out := sharedDir(t) // podman takes no path with capitals, as t.TempDir's has
	byFile := map[string][]*shipped{}
	for _, s := range images {
		byFile[s.file] = append(byFile[s.file], s)
	}
	// Two at a time: one is fetched while the other is unpacked.
	var wg sync.WaitGroup
	slots := make(chan struct{}, 2)
	errs := make([]error, len(images))
	for _, group := range byFile {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			for _, s := range group { // in turn, since they share a lock
				errs[slices.Index(images, s)] = s.build(t.Context(), cache, out)
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if errors.Is(err, archive.ErrUnreachable) {
			t.Skipf("SKIPPED: no image that ships was built or run: %v", err)
		}
		if err != nil {
			t.Errorf("%s: %v", images[i], err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	printSizes(t, images)
	return images
}

// sweep removes the snapshots of stages, whose files may belong to other ids than ours.
func sweep(t *testing.T, cache string) {
	space, err := buildsandbox.Open(filepath.Join(cache, "snapshots"))
	if err == nil {
		err = space.RemoveAll(context.WithoutCancel(t.Context()))
	}
	if err != nil {
		t.Log(err)
	}
}

// The folders of the specs: those that ship, and programs for tests of build stages.
const (
	shippedDir = "specs/images"
	appsDir    = "testdata/apps"
)

// copySpecs copies the folders, so that locks are not made in the work tree and
// those in it are not used: what the archive has now is what has to work.
func copySpecs(t *testing.T) string {
	dir := t.TempDir()
	for _, folder := range []string{shippedDir, appsDir} {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join("../..", folder))); err != nil {
			t.Fatal(err)
		}
		locks, _ := filepath.Glob(filepath.Join(dir, folder, "*", "*.lock"))
		for _, l := range locks {
			if err := os.Remove(l); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// findSpecs returns what the folders have, each spec followed by its variants.
func findSpecs(t *testing.T, dir string) []*shipped {
	files, err := filepath.Glob(filepath.Join(dir, shippedDir, "*", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no specs in %s: %v", shippedDir, err)
	}
	apps, err := filepath.Glob(filepath.Join(dir, appsDir, "*", "image.yaml"))
	if err != nil || len(apps) == 0 {
		t.Fatalf("no specs in %s: %v", appsDir, err)
	}
	var images []*shipped
	for _, file := range append(files, apps...) {
		name := filepath.Base(filepath.Dir(file))
		if slices.Contains(apps, file) {
			name = "apps-" + name
		}
		if only := strings.Fields(os.Getenv(onlyVariable)); len(only) > 0 && !slices.Contains(only, name) {
			continue
		}
		base, err := specs.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, variant := range append([]string{""}, base.VariantNames()...) {
			spec, err := base.Variant(variant)
			if err != nil {
				t.Fatal(err)
			}
			images = append(images, &shipped{name: name, variant: variant, spec: spec, file: file})
		}
	}
	return images
}

// build writes the layout of all platforms and, from the cache, the docker
// archive of one.
func (s *shipped) build(ctx context.Context, cache, out string) (err error) {
	s.layout = filepath.Join(out, s.String())
	o := builder.Options{
		Spec: s.file, Variant: s.variant, CacheDir: cache, Outputs: builder.Outputs{Layout: s.layout},
	}
	s.result, err = builder.Build(ctx, o)
	if gone, ok := errors.AsType[*resolve.NoVersionError](err); ok {
		// The archive keeps one version of a package, and pins are of the day they were
		// written on.
		fmt.Printf("%s: pins are left out: %v\n", s, gone)
		if err := s.unpin(); err != nil {
			return err
		}
		s.result, err = builder.Build(ctx, o)
	}
	if err != nil {
		return err
	}
	if _, ok := s.host(); !ok {
		return nil
	}
	s.docker = s.layout + ".tar"
	o.Platforms, o.Outputs = []string{hostPlatform}, builder.Outputs{DockerArchive: s.docker}
	_, err = builder.Build(ctx, o)
	return err
}

var pin = regexp.MustCompile(`(?m)^(\s+- [a-z0-9.+-]+)=\S+`)

// unpin takes the versions of packages out of the copy of the spec.
func (s *shipped) unpin() error {
	text, err := os.ReadFile(s.file)
	if err != nil {
		return err
	}
	return os.WriteFile(s.file, pin.ReplaceAll(text, []byte("$1")), 0o644)
}

const hostPlatform = "linux/" + runtime.GOARCH

// host returns the platform of the spec that this machine runs.
func (s *shipped) host() (specs.Platform, bool) {
	i := slices.IndexFunc(s.spec.Platforms, func(p specs.Platform) bool { return p.String() == hostPlatform })
	if i < 0 {
		return specs.Platform{}, false
	}
	return s.spec.Platforms[i], true
}

// open opens the image of one platform as anyone would who was given the layout.
func (s *shipped) open(t *testing.T, platform string) *oci.Image {
	t.Helper()
	p, err := oci.ParsePlatform(platform)
	if err != nil {
		t.Fatal(err)
	}
	src, err := oci.Open(t.Context(), s.layout, oci.OpenOptions{Platform: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src.Images[0]
}

func printSizes(t *testing.T, images []*shipped) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	row(w, "image", "platform", "compressed MB", "files MB", "layers", "packages", "paths")
	for _, s := range images {
		for _, i := range s.result.Images {
			row(w, s, i.Platform, megabytes(i.Size), megabytes(i.Unpacked), i.Layers, i.Packages, i.Paths)
		}
	}
	w.Flush()
	t.Logf("sizes\n%s", table.String())
}

func row(w io.Writer, cells ...any) {
	for _, c := range cells {
		fmt.Fprintf(w, "%v\t", c)
	}
	fmt.Fprintln(w)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }

// The locks that are checked in fit their specs, and no mirror is named in them: they
// would be built from, if there were an archive here.
func TestCheckedInLocks(t *testing.T) {
	locks, err := filepath.Glob("../../" + shippedDir + "/*/*.lock")
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{"xorb-api", "samo-dl-api"} {
		name := filepath.Join("../..", shippedDir, image, "1.0.lock")
		if !slices.Contains(locks, name) {
			t.Errorf("there is no %s", name)
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("://")) {
			t.Errorf("%s has an address", name)
		}
		_, err = builder.Build(t.Context(), builder.Options{
			Spec: strings.TrimSuffix(name, ".lock") + ".yaml", Lock: builder.RequireLock, CacheDir: t.TempDir(),
			Archive: builder.ArchiveOptions{Mirror: "http://127.0.0.1:1/debian"}, Outputs: builder.Outputs{Layout: t.TempDir()},
		})
		if !errors.Is(err, archive.ErrUnreachable) {
			t.Errorf("%s: expected nothing to be wrong but the archive, found %v", name, err)
		}
	}
}
