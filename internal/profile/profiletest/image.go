// Package profiletest makes images to write profiles for. Nothing but tests may import it.
package profiletest

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// File is a path of an image.
type File struct {
	Path string
	Mode int64 // 0644 if zero
	Body []byte
	Link string // target of a symbolic link
}

// Case is an image with a name.
type Case struct {
	Name   string
	Config oci.Config
	Files  []File
}

// Self is the program that runs: a real one, for the machine's architecture.
func Self(t testing.TB) []byte {
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Image makes the image of one layer.
func Image(t testing.TB, c Case) *oci.Image {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range c.Files {
		h := &tar.Header{Name: f.Path, Mode: f.Mode, Size: int64(len(f.Body)), Typeflag: tar.TypeReg}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if f.Link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.Link
		}
		check(t, w.WriteHeader(h))
		_, err := w.Write(f.Body)
		check(t, err)
	}
	check(t, w.Close())
	digest := store.DigestOf(b.Bytes())
	layer := oci.Layer{
		MediaType: oci.MediaLayer, DiffID: digest, Digest: digest, Size: int64(b.Len()),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil },
	}
	st, err := store.Open(t.TempDir())
	check(t, err)
	config := c.Config
	if config.Platform == (oci.Platform{}) {
		config.Platform = oci.Platform{OS: "linux", Architecture: runtime.GOARCH}
	}
	img, err := oci.NewImage(st, config, []oci.Layer{layer}, oci.Annotations{})
	check(t, err)
	return img
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const accounts = "root:x:0:0:root:/root:/usr/sbin/nologin\napp:x:1000:1001::/app:/usr/sbin/nologin\n"

// Cases are images of all kinds: one that says everything, one that says little, one that
// says root, and one whose words try to be more than words.
func Cases(t testing.TB) []Case {
	self := Self(t)
	files := []File{
		{Path: "etc/passwd", Body: []byte(accounts)}, {Path: "etc/group", Body: []byte("root:x:0:\napp:x:1001:\nstaff:x:50:\n")},
		{Path: "usr/bin/service-1.0", Mode: 0o755, Body: self}, {Path: "usr/bin/service", Link: "service-1.0"},
		{Path: "usr/bin/script", Mode: 0o755, Body: []byte("#!/usr/bin/service -x\n")},
	}
	const evil = "a\"b'c\n- x: {}\n# $(id) `id` \\ \u2028 %proc {{ }}"
	return []Case{
		{Name: "full", Files: files, Config: oci.Config{
			User: "app:app", Entrypoint: []string{"/usr/bin/service"}, Cmd: []string{"--verbose"}, WorkingDir: "/app",
			ExposedPorts: []string{"8000/tcp", "9090/tcp", "53/udp"}, Volumes: []string{"/app/data"}, StopSignal: "SIGQUIT",
			Healthcheck: &oci.Healthcheck{Test: []string{"CMD", "/usr/bin/script", "--health"}, Interval: 10 * time.Second, Timeout: 1500 * time.Millisecond, StartPeriod: 5 * time.Second, Retries: 2},
			Labels: map[string]string{
				"org.opencontainers.image.title": "Web Service", "org.opencontainers.image.version": "1.2",
				"dev.hardpan.run.user": "1000:1001", "dev.hardpan.run.read-only-root": "true", "dev.hardpan.run.writable": "/app/data /tmp",
				"dev.hardpan.run.capabilities": "none", "dev.hardpan.run.no-new-privileges": "true", "dev.hardpan.run.memory": "256MiB",
				"dev.hardpan.run.cpus": "0.5", "dev.hardpan.run.processes": "64", "dev.hardpan.run.ports.internal": "9090/tcp",
			},
		}},
		{Name: "bare", Files: files, Config: oci.Config{User: "1234", Entrypoint: []string{"service"}, Env: []string{"PATH=/usr/bin"}}},
		{Name: "root", Files: files, Config: oci.Config{Cmd: []string{"/bin/missing"}, ExposedPorts: []string{"80"}}},
		{Name: "nothing", Config: oci.Config{Platform: oci.Platform{OS: "linux", Architecture: "s390x"}}},
		{Name: "evil", Files: append(slices.Clone(files), File{Path: "usr/bin/" + evil, Mode: 0o755, Body: self}, File{Path: "usr/lib/{a,b}[c]*?^@{x}/y.so", Mode: 0o644, Body: self}), Config: oci.Config{
			User: evil, Entrypoint: []string{"/usr/bin/" + evil}, Volumes: []string{"/" + evil, "/ok"},
			Healthcheck: &oci.Healthcheck{Test: []string{"CMD-SHELL", evil}},
			Labels: map[string]string{
				"org.opencontainers.image.title": evil, "org.opencontainers.image.version": evil, "dev.hardpan.run.writable": "/x,exec " + evil + " ../y /z:rw /usr",
				"dev.hardpan.run.memory": "-1", "dev.hardpan.run.cpus": "NaN", "dev.hardpan.run.processes": "1e9", "dev.hardpan.run.ports.internal": "0/tcp 70000 9090 x",
				"dev.hardpan.run.user": evil,
			},
		}},
	}
}

// Key is a public key in PEM.
const Key = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAFkHUQoQAqqOg9xqO5ZirJUzqsjoZvW7NI1F0SYeSTpU=
-----END PUBLIC KEY-----
`
