package generate_test

import (
	"maps"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/files"
	"github.com/hardpan/hardpan/internal/maint/generate"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/shell/shelltest"
	"github.com/hardpan/hardpan/internal/maint/text"
	"github.com/hardpan/hardpan/internal/tree"
)

// As the programs of trixie did: install-info 7.1.1, xml-core 0.19, mailcap 3.74.
func TestRecorded(t *testing.T) { shelltest.Check(t, "testdata/recorded.txt", newShell) }

// The programs themselves: go test -run TestRealRecorded -debian-root DIR [-record],
// in a scratch directory with a Debian system that has the packages above.
func TestRealRecorded(t *testing.T) {
	if *shelltest.Root == "" {
		t.Skip("SKIPPED: without -debian-root there is nothing to compare with")
	}
	shelltest.CheckReal(t, "testdata/recorded.txt", func(tb testing.TB, c shelltest.Case) string { return shelltest.Real(tb, c) })
}

func newShell(tb testing.TB) *shell.Shell {
	tb.Helper()
	f := rootfs.New(tree.New(&tree.Origin{Kind: tree.FromBuilder}, shelltest.Time), shelltest.Time)
	for _, dir := range []string{"etc", "tmp", "usr/lib", "usr/share", "var/lib"} {
		if err := f.MkdirAll("/"+dir, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	commands := files.Commands()
	maps.Copy(commands, generate.Commands(generate.Config{Architecture: "amd64"}))
	maps.Copy(commands, text.Commands())
	return &shell.Shell{FS: f, Commands: commands}
}
