package oci_test

import (
	"os/exec"
	"strings"
	"testing"
)

// What this package links is linked into every verb. These bring clouds, daemons
// and their start-up time.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	check(t, err)
	for _, dep := range strings.Fields(string(out)) {
		for _, banned := range []string{"k8s.io/", "cloud.google.com/", "github.com/aws/", "github.com/Azure/",
			"github.com/moby/", "go.opentelemetry.io/", "google.golang.org/", "/v1/daemon", "/k8schain"} {
			if strings.Contains(dep, banned) {
				t.Errorf("imports %s", dep)
			}
		}
	}
}
