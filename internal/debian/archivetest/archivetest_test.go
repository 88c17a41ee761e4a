package archivetest

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hello has a file of each common kind.
var hello = Package{
	Name: "hello", Version: "1:2.10-3", Architecture: "amd64",
	Fields: map[string]string{"Depends": "libc6 (>= 2.36)"},
	Files: []File{
		{Path: "/usr/bin/hello", Content: "#!/bin/sh\n", Mode: 0o755},
		{Path: "/usr/bin/hi", Target: "hello"},
		{Path: "/usr/bin/hello2", Target: "./usr/bin/hello", Type: tar.TypeLink},
		{Path: "/etc/hello.conf", Content: "greeting=hello\n"},
		{Path: "/var/lib/hello/", UID: 100, GID: 101, Mode: 0o2750},
	},
	Control:   map[string]string{"postinst": "#!/bin/sh\nset -e\n"},
	Conffiles: []string{"/etc/hello.conf"},
}

func TestDebIsReadByDpkg(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("SKIPPED: needs the program dpkg-deb (package dpkg): it was not asked to read our packages")
	}
	for _, compression := range []string{"xz", "gz", "zst", "none"} {
		t.Run(compression, func(t *testing.T) {
			p := hello
			p.ControlCompression, p.DataCompression = compression, compression
			deb, err := p.Deb()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "hello.deb")
			if err := os.WriteFile(file, deb, 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("dpkg-deb", "--contents", file)
			cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			for _, want := range []string{
				"-rwxr-xr-x root/root        10 2025-08-09 00:00 ./usr/bin/hello\n",
				"./usr/bin/hi -> hello\n",
				"./usr/bin/hello2 link to ./usr/bin/hello\n",
				"drwxr-s--- 100/101           0 2025-08-09 00:00 ./var/lib/hello/\n",
				"drwxr-xr-x root/root         0 2025-08-09 00:00 ./usr/\n",
			} {
				if !strings.Contains(string(out), want) {
					t.Errorf("contents lack %q:\n%s", want, out)
				}
			}
			out, err = exec.Command("dpkg-deb", "--field", file, "Version", "Depends").CombinedOutput()
			if want := "Version: 1:2.10-3\nDepends: libc6 (>= 2.36)\n"; err != nil || string(out) != want {
				t.Errorf("fields: %v, have %q, want %q", err, out, want)
			}
		})
	}
}

// TestBytesAreStable holds the digests that golden files of the project depend on.
func TestBytesAreStable(t *testing.T) {
	a := Debian(hello)
	key, err := NewKey(KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := a.Build(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"pool/main/h/hello/hello_2.10-3_amd64.deb":            "e63a3ea8b0d9e70d730f4b0d94c25e49adba0baa985a33e6368eb8bbe6e2b5f3",
		"dists/trixie/main/binary-amd64/Packages.xz":          "aa10b5c0fa7f666e396688ff92de15fa5049d90b0b67524d38166ad8fda8ba3b",
		"dists/trixie/main/binary-amd64/Packages.gz":          "4881853a07b4db559407b5980e7e156167ea97fe10f7eeaf0442c2e31aa49c03",
		"dists/trixie-security/main/binary-arm64/Packages.xz": "2e0fe3b7d6a37dffb8c0535461b463cc5f2e7243ec14853697454202d581e239",
	} {
		if got := fmt.Sprintf("%x", sha256.Sum256(files[name])); got != want {
			t.Errorf("%s: have %s, want %s", name, got, want)
		}
	}
}

// TestInReleaseIsVerifiedByGpgv has the reference implementation look at the
// signatures that the tests of the project rely on.
func TestInReleaseIsVerifiedByGpgv(t *testing.T) {
	if _, err := exec.LookPath("gpgv"); err != nil {
		t.Skip("SKIPPED: needs the program gpgv: it was not asked to verify our signatures")
	}
	s, err := New(Debian(hello))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := t.TempDir()
	public, err := s.Key.Public()
	if err != nil {
		t.Fatal(err)
	}
	keyring, inRelease := filepath.Join(dir, "keyring.gpg"), filepath.Join(dir, "InRelease")
	if err := os.WriteFile(keyring, public, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(inRelease, s.Get("dists/trixie/InRelease"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("gpgv", "--keyring", keyring, inRelease).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Good signature") {
		t.Errorf("gpgv: %v: %s", err, out)
	}
}
