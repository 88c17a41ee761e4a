package ldso

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/internal/tree/treetest"
)

var update = flag.Bool("update", false, "renew the golden files from the real ldconfig")

// run runs the command as root, the test's own or that of a user namespace.
func run(t *testing.T, args ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		if err := exec.Command("unshare", "-r", "true").Run(); err != nil {
			t.Skipf("needs root or user namespaces: unshare -r: %v", err)
		}
		args = append([]string{"unshare", "-r"}, args...)
	}
	if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// The real ldconfig of each release, run in trees of real packages, writes the bytes
// that Cache returns and makes the links that Links returns.
func TestRealArchive(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: needs the network")
	}
	for suite, sets := range map[string][][]string{
		"trixie":   {{"libc-bin"}, {"python3.13", "libpython3.13"}, {"postgresql-client-17", "curl"}, {"nginx", "libgprofng0", "libblas3"}},
		"bookworm": {{"libc-bin"}, {"python3.11", "curl", "libblas3"}},
	} {
		if runtime.GOARCH != "amd64" {
			t.Skipf("needs an amd64 machine to run amd64's ldconfig, this is %s", runtime.GOARCH)
		}
		archive := treetest.OpenArchive(t, suite, "amd64")
		for _, set := range sets {
			t.Run(suite+"/"+set[0], func(t *testing.T) {
				root := archive.Unpack(t, archive.Closure(t, append(set, "libc-bin", "base-files")...)...)
				for _, link := range []string{"libz.so.1", "libtinfo.so.6"} { // for ldconfig to make again
					os.Remove(filepath.Join(root, "usr/lib/x86_64-linux-gnu", link))
				}
				image := load(t, root)
				run(t, "chroot", root, "/usr/sbin/ldconfig", "-i")
				compare(t, image, root, "amd64")
			})
		}
	}
}

// qemu are the names of qemu-user's programs.
var qemu = map[string]string{
	"arm64": "qemu-aarch64-static", "armhf": "qemu-arm-static", "ppc64el": "qemu-ppc64le-static",
	"riscv64": "qemu-riscv64-static", "s390x": "qemu-s390x-static",
}

// The golden caches are what the real ldconfig of each architecture writes; with
// -update they are written anew.
func TestRealArchiveGolden(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: needs the network")
	}
	for _, g := range golden {
		t.Run(g.suite+"-"+g.arch, func(t *testing.T) {
			var command []string
			if native := runtime.GOARCH == "amd64" && (g.arch == "amd64" || g.arch == "i386"); !native {
				emulator, err := exec.LookPath(qemu[g.arch])
				if err != nil {
					t.Skipf("needs qemu-user-static to run the ldconfig of %s: %v", g.arch, err)
				}
				command = append(command, emulator)
			}
			libc := treetest.OpenArchive(t, g.suite, g.arch).Unpack(t, "libc-bin")
			image, root := librariesOf(t, g.arch), t.TempDir()
			treetest.Write(t, image, root)
			run(t, append(command, filepath.Join(libc, "usr/sbin/ldconfig"), "-i", "-r", root)...)
			cache := compare(t, image, root, g.arch)
			name := filepath.Join("testdata", g.suite+"-"+g.arch+".cache")
			if *update {
				if err := os.WriteFile(name, cache, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func load(t *testing.T, root string) *tree.Tree {
	return treetest.Load(t, root, func(name string) bool {
		return !slices.Contains([]string{"etc/ld.so.cache", "var/cache/ldconfig", "var/cache", "var"}, name)
	})
}

// compare compares what ldconfig made of image in the directory root with what this
// package makes of it. It returns ldconfig's cache.
func compare(t *testing.T, image *tree.Tree, root, arch string) []byte {
	t.Helper()
	want, err := os.ReadFile(filepath.Join(root, CachePath))
	if err != nil {
		t.Fatal(err)
	}
	version := versionOf(t, want)
	got, err := Cache(image, arch, version)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("cache of %d bytes differs from ldconfig's of %d bytes\ngot  %q\nwant %q", len(got), len(want), got, want)
	}
	links, err := Links(image, arch, version)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, image, arch, version)
	if got, want := dumpLinks(image), dumpLinks(load(t, root)); got != want {
		t.Errorf("links after ldconfig:\n%s\nwant:\n%s", got, want)
	}
	t.Logf("%d paths, %d links changed, cache of %d bytes by %s", image.Len(), len(links), len(got), version)
	return want
}

// dumpLinks lists the symbolic links of image.
func dumpLinks(image *tree.Tree) string {
	var b bytes.Buffer
	for n := range image.All() {
		if n.Type == tree.Symlink {
			b.WriteString(n.Path + " -> " + n.Link + "\n")
		}
	}
	return b.String()
}
