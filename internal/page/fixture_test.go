package page_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/diff"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/inventory"
	"github.com/hardpan/hardpan/internal/inventory/inventorytest"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/page"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
)

type file = inventorytest.File

const status = `Package: tool
Status: install ok installed
Architecture: amd64
Version: 1.10-1
Source: toolbox (1.10)
Depends: libtool (>= 1)

Package: libtool
Status: install ok installed
Architecture: amd64
Version: 1.9-1

Package: zebra
Status: install ok installed
Architecture: all
Version: 3
`

// foreign is an image that hardpan did not build, with faults.
func foreign() inventorytest.Image {
	return inventorytest.Image{
		Config: v1.Config{User: "root", Entrypoint: []string{"/usr/bin/tool", "--serve"}, Env: []string{"PATH=/usr/bin", "API_TOKEN=hunter2hunter2"}, Labels: map[string]string{"org.opencontainers.image.title": "tool"}},
		Layers: [][]file{{
			{Path: "/etc/"}, {Path: "/usr/"}, {Path: "/usr/bin/"}, {Path: "/tmp/", Mode: 0o1777},
			{Path: "/etc/passwd", Content: "root:x:0:0::/root:/bin/sh\n"}, {Path: "/etc/os-release", Content: "ID=debian\nVERSION_ID=\"13\"\nPRETTY_NAME=\"Debian 13\"\n"},
			{Path: "/var/lib/dpkg/status", Content: status}, {Path: "/var/lib/dpkg/info/tool.list", Content: "/.\n/usr\n/usr/bin\n/usr/bin/tool\n"},
			{Path: "/usr/bin/tool", Mode: 0o755, Content: strings.Repeat("x", 2000)},
		}, {
			{Path: "/usr/bin/up", Mode: 0o4755, Content: "up"}, {Path: "/srv/open", Mode: 0o666, Content: "open"}, {Path: "/usr/bin/alias", Symlink: "tool"},
		}},
		CreatedBy: []string{"ADD rootfs /", "COPY . /"},
	}
}

// payload does something that shows if a browser runs it.
const payload = `</script></style></title><img src=x onerror="window.pwned=1;fetch('http://127.0.0.1:9/')"><svg onload=alert(1)>'"{{.}}` + "`${window.pwned=1}`" + `<!--`

// hostile is an image that says in every place what a careless page would run.
func hostile() inventorytest.Image {
	i := foreign()
	i.Config = v1.Config{
		User: payload, Entrypoint: []string{payload}, Cmd: []string{payload}, WorkingDir: "/" + payload, Env: []string{"X=" + payload, payload + "=y", "PATH=javascript:alert(1)"},
		Labels: map[string]string{payload: payload, "a": "javascript:alert(1)"}, ExposedPorts: map[string]struct{}{"80/tcp": {}}, Volumes: map[string]struct{}{"/" + payload: {}},
		Healthcheck: &v1.HealthConfig{Test: []string{"CMD", payload}}, StopSignal: payload,
	}
	flat := strings.ReplaceAll(payload, "/", "⁄") // a name has no slash
	i.Layers = append(i.Layers, []file{
		{Path: "/" + flat, Mode: 0o4777, Content: "x"}, {Path: "/dir" + payload, Content: "x", Mode: 0o666}, {Path: "/link", Symlink: payload}, {Path: "/hard", Hardlink: "/" + flat},
		{Path: "/bidi\u202egpj.exe", Mode: 0o4755, Content: "x"}, {Path: "/bytes\xff\xfe\x1b[31m\n", Mode: 0o4755, Content: "x"}, {Path: "/__proto__", Content: "x"}, {Path: "/deep" + strings.Repeat("/d", 100_000), Content: "x"}, {Path: "/long" + strings.Repeat("g", 5000), Content: "x"}, {Path: "/constructor/toString", Content: "x"},
		{Path: "/etc/os-release", Content: "ID=debian\nPRETTY_NAME=\"" + payload + "\"\n"},
		{Path: "/var/lib/dpkg/status", Content: status + "\nPackage: " + payload + "\nStatus: install ok installed\nVersion: " + payload + "\nArchitecture: " + payload + "\nSource: " + payload + "\n"},
	})
	i.CreatedBy = append(i.CreatedBy, payload)
	return i
}

// recorded is an image with a record.
func recorded(arch string) inventorytest.Image {
	i := foreign()
	i.Architecture = arch
	i.Record = &record.Record{
		Name: "tool", Version: "1", Platform: "linux/" + arch, Profile: "strict",
		Packages: []lock.Package{{Name: "tool", Version: "1.10-1", Architecture: arch, Source: "toolbox", SourceVersion: "1.10", Why: "requested"}},
		Layers:   []record.Layer{{Packages: []string{"tool"}}, {}},
		Origins:  []tree.Origin{{Kind: tree.FromPackage, Package: "tool", Version: "1.10-1"}, {Kind: tree.FromSpec, Spec: "tool.yaml:7"}},
		Paths: record.Paths{
			Path: []string{"usr/bin/tool", "usr/bin/up"}, Type: []uint8{0, 0}, Mode: []uint32{0o755, 0o4755}, Owner: []string{"0:0", "0:0"}, Size: []int64{2000, 2},
			Link: []string{"", ""}, Origin: []int{0, 1}, Layer: []int{0, 1},
		},
		Waived: []record.Waived{{Rule: "privilege-bits", Reason: "up has to be", Expires: "2999-12-31"}},
	}
	return i
}

var options = check.Options{Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}

func subject(img *facts.Image, name string) page.Subject {
	report := check.Judge(img, options)
	report.Image = name
	return page.Subject{Report: report, Inventory: inventory.Of(img)}
}

// compare adds what changed since a previous image.
func compare(s page.Subject, before *facts.Image) page.Subject {
	s.Against = diff.Images(inventory.Of(before), s.Inventory)
	s.Against.Rules = diff.Rules(check.Judge(before, options), s.Report)
	return s
}

func write(t testing.TB, o page.Options, subjects ...page.Subject) []byte {
	t.Helper()
	o.Version = "1.0"
	var b bytes.Buffer
	must(t, page.Write(&b, subjects, o))
	return b.Bytes()
}

// saved writes the page to a file for the browser.
func saved(t testing.TB, text []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "page.html")
	must(t, os.WriteFile(name, text, 0o644))
	return name
}

// twoPlatforms is a page with everything: platforms, changes, waivers.
func twoPlatforms(t testing.TB) []byte { return platformsPage.of(t, writePlatforms) }

// hostilePage is a page that says what hostile images say, in every part.
func hostilePage(t testing.TB) []byte { return hostilesPage.of(t, writeHostile) }

var platformsPage, hostilesPage once

// once is a page that several tests look at.
type once struct {
	sync.Mutex
	text []byte
}

func (o *once) of(t testing.TB, write func(testing.TB) []byte) []byte {
	o.Lock()
	defer o.Unlock()
	if o.text == nil {
		o.text = write(t)
	}
	return o.text
}

func writePlatforms(t testing.TB) []byte {
	before := foreign()
	before.Layers = before.Layers[:1]
	before.Layers[0][8].Content = "old"
	a := compare(subject(recorded("amd64").Read(t), "registry.example.com/tool:1"), before.Read(t))
	b := subject(recorded("arm64").Read(t), "registry.example.com/tool:1")
	return write(t, page.Options{Gated: true, Least: harden.High, Against: "registry.example.com/tool:0", Alone: []string{"linux/arm64 is only in the new image"}}, a, b)
}

func writeHostile(t testing.TB) []byte {
	o := options
	o.Waivers = []check.Waiver{{Rule: "world-writable-file", Reason: payload, From: payload}, {Rule: "admin-port", Reason: payload, From: payload}}
	img := hostile().Read(t)
	report := check.Judge(img, o)
	report.Image = payload
	s := compare(page.Subject{Report: report, Inventory: inventory.Of(img)}, foreign().Read(t))
	told := recorded("arm64")
	told.Config.Labels = map[string]string{payload: payload}
	told.Record.Origins[1].Spec, told.Record.Name, told.Record.Packages[0].Why = payload, payload, payload
	told.Record.Layers[0].Packages = []string{payload}
	other := compare(subject(told.Read(t), payload), hostile().Read(t))
	return write(t, page.Options{Gated: true, Least: harden.Info, Against: payload, Alone: []string{payload}}, s, other)
}
