package sboms

import (
	"encoding/json"
	"flag"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
)

var hardpan = flag.String("hardpan", "", "`program` that the tests with programs of others build images with; make sbom-score and compare-sbom give it")

// built builds the image of a spec for amd64, and returns a layout and an archive for
// docker load of it.
func built(t *testing.T, spec string) (layout, archive string) {
	t.Helper()
	dir := t.TempDir()
	layout, archive = filepath.Join(dir, "layout"), filepath.Join(dir, "image.tar")
	run(t, *hardpan, "build", filepath.Join("..", spec), "--platform", "linux/amd64", "--layout", layout, "--docker-archive", archive)
	return layout, archive
}

// need skips a test without hardpan or one of these programs.
func need(t *testing.T, programs ...string) {
	t.Helper()
	if *hardpan == "" {
		t.Skip("SKIPPED: needs tools from the network: make sbom-score and make compare-sbom fetch them, and give -hardpan")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("SKIPPED: there is no %s, which make sbom-tools builds", p)
		}
	}
}

func run(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	var stderr strings.Builder
	cmd := exec.Command(program, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && len(out) == 0 { // osv-scanner ends with 127 where it has no database
		t.Fatalf("%s %s: %v: %s", filepath.Base(program), strings.Join(args, " "), err, stderr.String())
	}
	return out
}

// The documents' scores by sbomqs. What keeps its own score below 10 is listed in
// docs/sbom.md; what NTIA and BSI ask for is there.
func TestRealArchiveQuality(t *testing.T) {
	need(t, "sbomqs")
	least := map[string]float64{"interlynk": 0, "ntia": 9.5, "bsi": 9.2}
	leastOfAll := map[string]float64{"spdx": 9.1, "cyclonedx": 8.4}
	for _, spec := range []string{"specs/images/python/3.13.yaml", "specs/images/xorb-api/1.0.yaml", "specs/images/samo-dl-api/1.0.yaml"} {
		layout, _ := built(t, spec)
		src, err := oci.Open(t.Context(), layout, oci.OpenOptions{})
		check(t, err)
		img, err := Read(t.Context(), src.Images[0])
		check(t, err)
		check(t, src.Close())
		img.ToolVersion = "1.0.0"
		for format, encode := range formats {
			b, err := encode(img)
			check(t, err)
			file := filepath.Join(t.TempDir(), format+".json")
			check(t, os.WriteFile(file, b, 0o644))
			if all := score(t, file, ""); all < leastOfAll[format] {
				t.Errorf("%s %s: sbomqs %.1f, expected %.1f", spec, format, all, leastOfAll[format])
			} else {
				t.Logf("%s %s: sbomqs %.1f", spec, format, all)
			}
			for _, profile := range slices.Sorted(maps.Keys(least)) {
				got := score(t, file, profile)
				t.Logf("%s %s: profile %s %.1f", spec, format, profile, got)
				if got < least[profile] {
					t.Errorf("%s %s: profile %s is %.1f, expected %.1f", spec, format, profile, got, least[profile])
				}
			}
		}
	}
}

// score returns what sbomqs says of a document, by a profile or, without one, of all
// its categories.
func score(t *testing.T, file, profile string) float64 {
	t.Helper()
	args := []string{"score", file, "--json"}
	if profile != "" {
		args = append(args, "--profile", profile)
	}
	var said struct {
		Files []struct {
			Score    float64 `json:"sbom_quality_score"`
			Profiles []struct {
				Score float64 `json:"score"`
			} `json:"profiles"`
		} `json:"files"`
	}
	out := run(t, "sbomqs", args...)
	if err := json.Unmarshal(out, &said); err != nil || len(said.Files) != 1 {
		t.Fatalf("sbomqs says %s", out)
	}
	if profile != "" {
		if len(said.Files[0].Profiles) != 1 {
			t.Fatalf("sbomqs says %s", out)
		}
		return said.Files[0].Profiles[0].Score
	}
	return said.Files[0].Score
}

// Scanners find in an image the packages that its SBOM lists, and no others. What a
// Maven artifact's group is a jar need not say, and scanners guess it differently.
func TestRealArchiveScanners(t *testing.T) {
	need(t, "syft", "osv-scanner")
	for _, spec := range []string{
		"specs/images/python/3.13.yaml", "specs/images/xorb-api/1.0.yaml", "specs/images/samo-dl-api/1.0.yaml", "specs/images/openjdk/21.yaml",
		"testdata/apps/node/image.yaml", "testdata/apps/go/image.yaml",
	} {
		layout, archive := built(t, spec)
		src, err := oci.Open(t.Context(), layout, oci.OpenOptions{})
		check(t, err)
		img, err := Read(t.Context(), src.Images[0])
		check(t, err)
		check(t, src.Close())
		ours, debian := map[string]bool{}, 0
		for i := range img.Packages {
			ours[identity(t, img.purl(&img.Packages[i]))] = true
			debian++
		}
		for i := range img.Languages {
			ours[identity(t, img.Languages[i].purl())] = true
		}
		t.Logf("%s: %d packages, %d of them Debian's", spec, len(ours), debian)
		compare(t, spec+": syft", ours, bySyft(t, layout))
		compare(t, spec+": osv-scanner", seenByOSVScanner(t, img), byOSVScanner(t, archive))
	}
}

// seenByOSVScanner returns the packages of an image that osv-scanner lists: not what a
// Debian package ships, which it leaves to that, and not what is no dependency, such as
// an application's own package.json or a jar without a description by Maven.
func seenByOSVScanner(t *testing.T, img *Image) map[string]bool {
	list := map[string]bool{}
	for i := range img.Packages {
		list[identity(t, img.purl(&img.Packages[i]))] = true
	}
	for i := range img.Languages {
		if p := &img.Languages[i]; p.Package < 0 && (p.Type != "npm" || strings.Contains(p.Path, "/node_modules/")) {
			list[identity(t, p.purl())] = true
		}
	}
	return list
}

func compare(t *testing.T, what string, ours, theirs map[string]bool) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if !theirs[name] {
			t.Errorf("%s does not find %s", what, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		if !ours[name] {
			t.Errorf("%s finds %s, which is not in the SBOM", what, name)
		}
	}
}

// identity returns type, name and version of a package URL.
func identity(t *testing.T, purl string) string {
	t.Helper()
	text, _, _ := strings.Cut(strings.TrimPrefix(purl, "pkg:"), "?")
	text, err := url.PathUnescape(text)
	check(t, err)
	kind, name, _ := strings.Cut(text, "/")
	if kind == "deb" || kind == "maven" { // without distribution or group
		_, name, _ = strings.Cut(name, "/")
	}
	return kind + " " + strings.ToLower(name)
}

func bySyft(t *testing.T, layout string) map[string]bool {
	t.Helper()
	var said struct{ Artifacts []struct{ PURL string } }
	check(t, json.Unmarshal(run(t, "syft", "scan", "oci-dir:"+layout, "--quiet", "--output", "json"), &said))
	found := map[string]bool{}
	for _, a := range said.Artifacts {
		found[identity(t, a.PURL)] = true
	}
	return found
}

func byOSVScanner(t *testing.T, archive string) map[string]bool {
	t.Helper()
	var said struct {
		Results []struct {
			Packages []struct {
				Package struct {
					Name, Version, Ecosystem string
					OS                       string `json:"os_package_name"`
				}
			}
		}
	}
	check(t, json.Unmarshal(run(t, "osv-scanner", "scan", "image", "--archive", archive, "--offline", "--all-packages", "--format", "json"), &said))
	found := map[string]bool{}
	for _, r := range said.Results {
		for _, p := range r.Packages {
			name, kind := p.Package.Name, map[string]string{"Debian": "deb", "PyPI": "pypi", "npm": "npm", "Go": "golang", "Maven": "maven"}[strings.Split(p.Package.Ecosystem, ":")[0]]
			switch kind {
			case "deb":
				name = p.Package.OS
			case "maven":
				_, name, _ = strings.Cut(name, ":")
			}
			if name != "unknown" {
				found[strings.TrimSuffix(kind+" "+strings.ToLower(name+"@"+p.Package.Version), "@(devel)")] = true
			}
		}
	}
	return found
}
