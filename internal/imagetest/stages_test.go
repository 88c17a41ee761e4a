//go:build linux

package imagetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/debian/archive"
	buildsandbox "github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/specs"
)

// TestRealArchiveStages builds small specs whose stages say something about the systems
// that stages have.
func TestRealArchiveStages(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: no stage of real packages was run")
	}
	cache := os.Getenv(cacheVariable)
	if cache == "" {
		cache = filepath.Join(t.TempDir(), "cache")
	}
	space, err := buildsandbox.Open(filepath.Join(cache, "snapshots"))
	if errors.Is(err, buildsandbox.ErrUnsupported) {
		t.Skipf("SKIPPED: no stage was run: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { space.RemoveAll(context.WithoutCancel(t.Context())) })
	for _, test := range []struct {
		name, spec string
		paths      map[string]string // of the image, with what explain says of them
	}{{
		name: "dpkg and apt find their database in order",
		spec: `
contents: {packages: [libc6]}
stages:
  - name: build
    contents: {packages: [apt, dpkg-dev]}
    run:
      - test -z "$(dpkg --audit)"
      - test -z "$(dpkg --verify)"
      - apt-get check
      - test "$(dpkg-query -W -f '$${db:Status-Status}' bash)" = installed
      - test "$(nproc)" = 4
      - echo done >/done
copy: [{from: build, source: /done, path: /usr/share/done}]
`,
		paths: map[string]string{"/usr/share/done": "stage build, step 6: echo done >/done"},
	}, {
		name: "scripts in Perl are run by dpkg in a sandbox",
		spec: `
contents: {packages: [base-files, uptimed], scripts: {uptimed: sandbox}}
`,
		paths: map[string]string{
			"/etc/rc2.d/S01uptimed": "package uptimed ",
			"/etc/systemd/system/multi-user.target.wants/uptimed.service": "scripts, dpkg --install, in a sandbox",
		},
	}} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "spec.yaml")
			head := "apiVersion: hardpan/v1\nname: stages\nversion: \"1\"\ndistro: debian/trixie\nplatforms: [" + specs.Machine().String() + "]\n"
			if err := os.WriteFile(file, []byte(head+strings.TrimPrefix(test.spec, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(dir, "out")
			_, err := builder.Build(t.Context(), builder.Options{Spec: file, FailOn: "never", CacheDir: cache, Outputs: builder.Outputs{Layout: out},
				OnStep: func(e builder.StepEvent) {
					if e.Line != "" {
						t.Log(e.Line)
					}
				}})
			if errors.Is(err, archive.ErrUnreachable) {
				t.Skipf("SKIPPED: no stage of real packages was run: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range test.paths {
				e, err := builder.Explain(t.Context(), out, name, builder.ExplainOptions{})
				if err != nil {
					t.Error(err)
				} else if got := e.Steps[0].Origin; !strings.Contains(got, want) {
					t.Errorf("%s is of %q, want %q", name, got, want)
				}
			}
		})
	}
}
