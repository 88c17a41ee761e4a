package check

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// dockle returns the path of Dockle's program, built from the module of package dockle.
func dockle(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("building Dockle needs the module proxy")
	}
	program, err := buildDockle()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

var buildDockle = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hardpan-dockle-")
	if err != nil {
		return "", err
	}
	dockleDir = dir
	program := filepath.Join(dir, "dockle")
	build := exec.Command("go", "build", "-C", "dockle", "-tags", "containers_image_openpgp", "-o", program, "github.com/goodwithtech/dockle/cmd/dockle")
	build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	return program, build.Run()
})

// dockleDir is where Dockle was built.
var dockleDir string

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(dockleDir)
	os.Exit(code)
}

// An alert is one finding of somebody else.
type alert struct {
	number string // "CIS-DI-0001", "4.6"
	text   string
	about  string // what of it ours must name: a path, a variable, a step of the history; "" for the image
}

// saved writes the image as docker save does.
func saved(t *testing.T, img v1.Image, file string) string {
	t.Helper()
	if err := tarball.WriteToFile(file, must[name.Tag](t)(name.NewTag("example.com/app:1.2")), img); err != nil {
		t.Fatal(err)
	}
	return file
}

// dockleSays returns what Dockle finds in the image that args name, and whether it ends
// in a panic.
func dockleSays(t *testing.T, program string, args []string, env ...string) (list []alert, panics bool) {
	t.Helper()
	cmd := exec.Command(program, append([]string{"--format", "json", "--quiet"}, args...)...)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), append([]string{"DOCKER_CONTENT_TRUST=1"}, env...)...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if strings.HasPrefix(complaint.String(), "panic: ") {
		return nil, true
	} else if err != nil {
		t.Fatalf("dockle: %v: %s", err, complaint.String())
	}
	var report struct {
		Details []struct {
			Code, Level string
			Alerts      []string
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("dockle: %v: %s", err, out)
	}
	for _, d := range report.Details {
		for _, text := range d.Alerts {
			if d.Level != "SKIP" {
				list = append(list, alert{number: d.Code, text: text, about: aboutOf(d.Code, text)})
			}
		}
	}
	return list, false
}

// aboutOf takes out of an alert of Dockle what it is about.
func aboutOf(code, text string) string {
	_, what, _ := strings.Cut(text, " : ")
	switch code {
	case "CIS-DI-0008":
		return "/" + text[strings.LastIndexByte(text, ' ')+1:]
	case "CIS-DI-0010", "DKL-LI-0003":
		what, _, _ = strings.Cut(what, " ")
		if strings.HasPrefix(text, "Suspicious ENV") {
			return what
		}
		return "/" + what
	case "DKL-LI-0001", "DKL-LI-0002":
		return text[strings.LastIndexByte(text, ' ')+1:]
	case "CIS-DI-0007", "CIS-DI-0009", "DKL-DI-0001", "DKL-DI-0003", "DKL-DI-0004", "DKL-DI-0005":
		if code == "DKL-DI-0004" {
			_, what, _ = strings.Cut(text, ": ")
		}
		return what
	}
	return ""
}

// benchSays returns what docker-bench-security v1.6.0 says of an image: the checks of
// its tests/4_container_images.sh that look at images, which ask docker inspect and
// docker history. 4.8 is a note there, and asked here as its remediation finds files:
// find / -perm /6000 -type f.
func benchSays(c *v1.ConfigFile, setID []string) []alert {
	var list []alert
	if slices.Contains([]string{"", "0", "root", "[]", "<no value>"}, c.Config.User) {
		list = append(list, alert{number: "4.1", text: "Running as root"})
	}
	if c.Config.Healthcheck == nil {
		list = append(list, alert{number: "4.6", text: "No Healthcheck found"})
	}
	for i, h := range c.History {
		// docker history shows 45 characters, without --no-trunc as here.
		shown := h.CreatedBy
		if r := []rune(shown); len(r) > 45 {
			shown = string(r[:44]) + "…"
		}
		if strings.Contains(shown, "update") {
			list = append(list, alert{number: "4.7", text: "Update instruction found", about: h.CreatedBy})
		}
		if i > 0 && strings.Contains(h.CreatedBy, "ADD") { // sed '$d' drops the oldest
			list = append(list, alert{number: "4.9", text: "ADD in image history", about: h.CreatedBy})
		}
	}
	for _, name := range setID {
		list = append(list, alert{number: "4.8", text: "setuid and setgid", about: name})
	}
	return list
}
