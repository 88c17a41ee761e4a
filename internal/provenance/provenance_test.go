package provenance

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/record"
)

var update = flag.Bool("update", false, "write golden files")

// records are those of an image for two platforms, which share a package.
func records() []*record.Record {
	date := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	digit := func(c byte) string { return string(bytes.Repeat([]byte{c}, 64)) }
	archives := []lock.Archive{
		{ID: "debian/trixie", Suite: "trixie", Date: date, InRelease: "sha256:" + digit('1'), SignedBy: []string{"AAAA"}},
		{ID: "debian/trixie-security", Suite: "trixie-security", Date: date, InRelease: "sha256:" + digit('2'), SignedBy: []string{"BBBB"}},
		{ID: "own", URI: "https://packages.example.com/debian/", Suite: "stable", Date: date, InRelease: "sha256:" + digit('3'), SignedBy: []string{"CCCC"}},
	}
	tz := lock.Package{Name: "tzdata", Version: "2026b-0+deb13u1", Architecture: "all", Archive: "debian/trixie", Path: "pool/main/t/tzdata/tzdata_2026b-0+deb13u1_all.deb", SHA256: digit('a')}
	of := func(platform string, more ...lock.Package) *record.Record {
		return &record.Record{
			Format: record.Format, Name: "python", Version: "3.13", Platform: platform, Created: date, Spec: "sha256:" + digit('5'),
			Distro: "debian/trixie", Archives: archives, Packages: append(more, tz), Profile: "strict",
		}
	}
	return []*record.Record{
		of("linux/arm64", lock.Package{Name: "libc6", Version: "2.41-12", Architecture: "arm64", Archive: "debian/trixie-security", Path: "pool/updates/main/g/glibc/libc6_2.41-12_arm64.deb", SHA256: digit('b'), SHA512: digit('c') + digit('c')}),
		of("linux/amd64", lock.Package{Name: "agent", Version: "1.0", Architecture: "amd64", Archive: "own", Path: "pool/a/agent_1.0_amd64.deb", SHA256: digit('d')}),
	}
}

// TestPredicate holds the provenance of an index built on a laptop and of one image
// built by a runner of GitHub. -update renews the files.
func TestPredicate(t *testing.T) {
	github := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "example/images", "GITHUB_REF": "refs/heads/main",
		"GITHUB_WORKFLOW_REF": "example/images/.github/workflows/build.yaml@refs/heads/main", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "1",
		"GITHUB_SHA": "0123456789012345678901234567890123456789",
	}
	gitlab := map[string]string{
		"GITLAB_CI": "true", "CI_PROJECT_URL": "https://gitlab.com/example/images", "CI_RUNNER_ID": "12", "CI_JOB_URL": "https://gitlab.com/example/images/-/jobs/9",
		"CI_COMMIT_SHA": "0123456789012345678901234567890123456789",
	}
	for _, test := range []struct {
		name    string
		records []*record.Record
		env     map[string]string
	}{
		{"local", records(), nil},
		{"github", records()[:1], github},
		{"gitlab", records()[1:], gitlab},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := FromEnvironment(func(name string) string { return test.env[name] }, "v1.0.0")
			text, err := Predicate(test.records, "sha256:0000", b, nil)
			if err != nil {
				t.Fatal(err)
			}
			// Where the world fetches packages is package archive's to say.
			text = bytes.ReplaceAll(text, []byte(archive.PrimaryMirror), []byte("https://primary.example/debian"))
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, append(text, '\n'), "", "  "); err != nil {
				t.Fatal(err)
			}
			golden := "testdata/" + test.name + ".json"
			if *update {
				if err := os.WriteFile(golden, pretty.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(pretty.Bytes(), want) {
				t.Errorf("%s differs:\n%s", golden, pretty.Bytes())
			}
		})
	}
}

func TestPredicateOfNothing(t *testing.T) {
	if _, err := Predicate(nil, "", Builder{}, nil); err == nil {
		t.Error("no error")
	}
}
