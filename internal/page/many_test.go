package page_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/page"
)

// A database of 30,000 packages, of which each needs the same one, neither hangs the
// page nor is it all listed.
func TestManyPackages(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for n := range 30_000 {
		fmt.Fprintf(&b, "Package: p%06d\nVersion: 1\nDepends: p000000\n\n", n)
	}
	i := foreign()
	i.Layers = append(i.Layers, []file{{Path: "/var/lib/dpkg/status", Content: b.String()}})
	text := parse(t, write(t, page.Options{}, subject(i.Read(t), "x"))).id(t, "p0-packages").text()
	for _, want := range []string{"Packages 30000", "p000000 1", "needed by p000001, p000002, p000003 and others", "p004999", "and 25000 more"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if strings.Contains(text, "p005000") {
		t.Error("all packages are listed")
	}
}
