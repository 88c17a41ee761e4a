package check

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// raw returns an image whose layers and config are any bytes.
func raw(config []byte, layers ...[]byte) *oci.Image {
	img := &oci.Image{Digest: store.DigestOf(config), RawConfig: config}
	var doc struct {
		Config struct {
			User                 string
			Env, Entrypoint, Cmd []string
			WorkingDir           string
			ExposedPorts         map[string]struct{}
			Volumes              map[string]struct{}
			Labels               map[string]string
			StopSignal           string
			Healthcheck          *oci.Healthcheck
		}
	}
	if json.Unmarshal(config, &doc) == nil {
		c := doc.Config
		img.Config = oci.Config{User: c.User, Env: c.Env, Entrypoint: c.Entrypoint, Cmd: c.Cmd, WorkingDir: c.WorkingDir, Labels: c.Labels, StopSignal: c.StopSignal, Healthcheck: c.Healthcheck,
			ExposedPorts: sortedKeys(c.ExposedPorts), Volumes: sortedKeys(c.Volumes)}
	}
	for _, l := range layers {
		d := store.DigestOf(l)
		img.Layers = append(img.Layers, oci.Layer{Digest: d, DiffID: d, Size: int64(len(l)), MediaType: oci.MediaLayer, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l)), nil }})
	}
	return img
}

// FuzzImage holds that no layer and no config crashes or hangs the check, and that what
// comes out can be read by programs.
func FuzzImage(f *testing.F) {
	for _, c := range []*fixture{sound(), broken()} {
		config, err := json.Marshal(map[string]any{"config": c.config, "history": []v1.History{{CreatedBy: "RUN |1 A=b /bin/sh -c curl x | sh # buildkit"}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(config, c.tar(f, c.layers[0]), c.tar(f, c.layers[1]))
	}
	f.Fuzz(func(t *testing.T, config, lower, upper []byte) {
		img, err := facts.Read(t.Context(), raw(config, lower, upper))
		if err != nil {
			return
		}
		r := Judge(img, Options{Now: today})
		if len(r.Results) == 0 {
			t.Fatal("no rule was asked")
		}
		text, err := SARIF([]*Report{r}, "")
		if err != nil || !json.Valid(text) {
			t.Fatalf("SARIF: %v", err)
		}
		if text, err = JUnit([]*Report{r}); err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(text, new(struct{})); err != nil {
			t.Fatalf("JUnit: %v", err)
		}
	})
}

// FuzzFiles holds the same of the files that describe a system, each with any content.
func FuzzFiles(f *testing.F) {
	f.Add("root:x:0:0::/:/bin/sh\n::::::\n", "root::\n", "Package: a\nStatus: x\nConffiles:\n /etc/a 5d41402abc4b2a76b9719d911017c592\n", "/usr\n/usr/bin/../a\n", "P:a\nF:usr\nR:b\n", "MinProtocol = TLSv1\numask 0\nID=debian\n")
	f.Fuzz(func(t *testing.T, passwd, shadow, status, list, apk, settings string) {
		c := sound()
		c.binary = map[string][]byte{}
		for name, content := range map[string]string{
			"/etc/passwd": passwd, "/etc/group": passwd, "/etc/shadow": shadow, "/var/lib/dpkg/status": status, "/var/lib/dpkg/info/a.list": list, "/var/lib/dpkg/info/a.md5sums": list, "/lib/apk/db/installed": apk,
			"/etc/ssl/openssl.cnf": settings, "/etc/os-release": settings, "/etc/profile": settings, "/etc/java/java.security": settings, "/etc/nginx/nginx.conf": settings,
		} {
			c.binary[name] = []byte(content)
			c.add(name + " 644 0:0 x")
		}
		config, _ := json.Marshal(map[string]any{"config": c.config})
		img, err := facts.Read(t.Context(), raw(config, c.tar(t, c.layers[0]), c.tar(t, c.layers[1])))
		if err != nil {
			t.Fatal(err)
		}
		Judge(img, Options{Now: today})
	})
}

// FuzzELF holds the same of programs.
func FuzzELF(f *testing.F) {
	f.Add(program(nil))
	f.Add(program(func(l *linking) { l.exec, l.lazy, l.rpath = true, true, "$ORIGIN:/tmp" }))
	f.Add([]byte("\x7fELF\x01\x02\x01"))
	f.Fuzz(func(t *testing.T, content []byte) {
		c := sound()
		c.binary["/app/server"] = content
		img, err := facts.Read(t.Context(), raw([]byte("{}"), c.tar(t, c.layers[1])))
		if err != nil {
			t.Fatal(err)
		}
		Judge(img, Options{Now: today})
	})
}

// FuzzProfile holds that no file of a profile is more than a line of complaint.
func FuzzProfile(f *testing.F) {
	f.Add("extends: cis\nrules: {shell-present: off}\nlimits: {size: 1GB, age: 9d}\nwaive: [{rule: shell-present, reason: r}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := ParseProfile("p", []byte(text)); err != nil && bytes.ContainsRune([]byte(err.Error()), '\n') {
			t.Fatalf("%q", err)
		}
	})
}
