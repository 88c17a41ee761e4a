package maint_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/tree"
)

// realCases are sets of packages that dpkg itself installs, to be compared with
// what the steps make of the same packages.
var realCases = map[string]string{
	"static-python": "netbase,tzdata,ca-certificates,media-types,openssl,python3,passwd",
	"node-java":     "nodejs,openjdk-21-jre-headless,ca-certificates,tzdata,libstdc++6,passwd",
	"nginx-psql":    "nginx,libnginx-mod-http-geoip2,postgresql-client-17,fontconfig-config,less,dbus-daemon,redis-server,passwd",
}

// mayDiffer lists what is not compared, each with the reason.
var mayDiffer = []struct{ pattern, why string }{
	{`^(var/lib/dpkg|var/cache|var/log/(apt|alternatives|dpkg|bootstrap|fontconfig)|var/lib/apt|dev)(/|\.log$|$)`, "databases, caches and logs of dpkg, apt and debconf"},
	{`(\.pyc|__pycache__)$`, "byte code"},
	{`^etc/ld\.so\.cache$`, "made by the step of package ldso"},
	{`^etc/(hostname|resolv\.conf|fstab|machine-id|apt/.*)$`, "made by mmdebstrap or of the running machine"},
	{`^etc/rc[0-9S]\.d(/|$)|^etc/systemd/|^var/lib/systemd/(deb-systemd|catalog)|^etc/init/`, "services, which an image has none of"},
	{`^etc/(passwd|shadow|group|gshadow)-$`, "backups of the shadow tools"},
	{`^(var/lib/pam/|etc/pam\.d/common-)`, "pam-auth-update is no step; libpam-runtime is reported"},
	{`^etc/ssl/certs/java/cacerts$`, "the entries' dates are the day of the build; its certificates are compared in TestKeystore"},
	{`^etc/\.pwd\.lock$`, "lock of the shadow tools"},
}

func TestRealArchiveAgainstDpkg(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: needs the network")
	}
	for _, tool := range []string{"mmdebstrap", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed: nothing was compared with dpkg", tool)
		}
	}
	mirrors := hostMirrors(t)
	for name, packages := range realCases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if kept := os.Getenv("HARDPAN_ORACLE_DIR"); kept != "" { // to look into a difference without waiting for dpkg each time
				dir = filepath.Join(kept, name)
			}
			if _, err := os.Stat(filepath.Join(dir, "oracle.tar")); err != nil {
				runDpkg(t, dir, packages, mirrors)
			}
			img := unpackDebs(t, dir)
			before := len(entries(img.Tree))
			report, err := maint.Run(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			users, err := maint.Accounts(img)
			if err != nil {
				t.Fatal(err)
			}
			if err := users.Write(img.Tree, img.Time, &tree.Origin{Kind: tree.FromBuilder}); err != nil {
				t.Fatal(err)
			}
			for _, s := range report.Skipped {
				t.Logf("reported as not done: %s", s)
			}
			theirs := readOracle(t, filepath.Join(dir, "oracle.tar"))
			compareTrees(t, entries(img.Tree), theirs, before)
		})
	}
}

// hostMirrors reads the "deb" lines for trixie off the mirror that this machine
// uses for its own release.
func hostMirrors(t *testing.T) []string {
	files, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	for _, f := range append(files, "/etc/apt/sources.list") {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if m := regexp.MustCompile(`(?m)^(?:URIs:|deb(?: \[.*\])?) *(\S+/debian)/?(?:\s|$)`).FindStringSubmatch(string(b)); m != nil {
			return []string{"deb " + m[1] + " trixie main", "deb " + m[1] + " trixie-updates main", "deb " + m[1] + "-security trixie-security main"}
		}
	}
	t.Skip("SKIPPED: the apt sources of this machine name no Debian mirror: nothing was compared with dpkg")
	return nil
}

func runDpkg(t *testing.T, dir, packages string, mirrors []string) {
	debs := filepath.Join(dir, "debs")
	if err := os.MkdirAll(debs, 0o777); err != nil {
		t.Fatal(err)
	}
	keep := `cp "$1"/var/cache/apt/archives/*.deb ` + debs + " || true"
	args := []string{"--quiet", "--variant=apt", "--aptopt=APT::Install-Recommends \"false\"", "--skip=cleanup/apt", "--skip=download/empty",
		"--essential-hook=" + keep, "--extract-hook=" + keep, "--customize-hook=" + keep, "--include=" + packages, "trixie", filepath.Join(dir, "oracle.tar")}
	cmd := exec.Command("mmdebstrap", append(args, mirrors...)...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "APT_CONFIG=") }), "SOURCE_DATE_EPOCH=1754697600")
	if out, err := cmd.CombinedOutput(); err != nil {
		if bytes.Contains(out, []byte("apt-get update")) {
			t.Skip("SKIPPED: the Debian mirror cannot be reached: nothing was compared with dpkg")
		}
		t.Fatalf("mmdebstrap: %v\n%s", err, out)
	}
}

// unpackDebs puts the packages into a tree as the builder does: base-files
// first, as its links of merged /usr are what other packages unpack through.
func unpackDebs(t *testing.T, dir string) *maint.Image {
	debs, _ := filepath.Glob(filepath.Join(dir, "debs", "*.deb"))
	if len(debs) == 0 {
		t.Fatal("mmdebstrap left no packages")
	}
	slices.SortStableFunc(debs, func(a, b string) int {
		first := func(s string) int {
			if strings.HasPrefix(filepath.Base(s), "base-files_") {
				return 0
			}
			return 1
		}
		return first(a) - first(b)
	})
	img := &maint.Image{Tree: tree.New(&tree.Origin{Kind: tree.FromBuilder}, 1754697600), Architecture: "amd64", Time: 1754697600}
	for _, deb := range debs {
		p := maint.Package{Scripts: map[string]string{}}
		fields := strings.Split(run(t, "dpkg-deb", "-f", deb, "Package", "Version", "Architecture"), "\n")
		for _, f := range fields {
			k, v, _ := strings.Cut(f, ": ")
			switch k {
			case "Package":
				p.Name = v
			case "Version":
				p.Version = v
			case "Architecture":
				p.Architecture = v
			}
		}
		control := tar.NewReader(strings.NewReader(run(t, "dpkg-deb", "--ctrl-tarfile", deb)))
		for h, err := control.Next(); err == nil; h, err = control.Next() {
			b, _ := io.ReadAll(control)
			switch name := filepath.Base(h.Name); name {
			case "preinst", "postinst":
				p.Scripts[name] = string(b)
			case "triggers":
				p.Triggers = string(b)
			}
		}
		img.Packages = append(img.Packages, p)
		origin := &tree.Origin{Kind: tree.FromPackage, Package: p.Name, Version: p.Version}
		addTar(t, img.Tree, strings.NewReader(run(t, "dpkg-deb", "--fsys-tarfile", deb)), origin)
	}
	return img
}

func run(t *testing.T, name string, args ...string) string {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(out)
}

func addTar(t *testing.T, tr *tree.Tree, r io.Reader, origin *tree.Origin) {
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		name, err := tr.RealPath(h.Name)
		if err != nil {
			t.Fatal(err)
		}
		n := &tree.Node{Path: name, Mode: uint32(h.Mode & 0o7777), UID: uint32(h.Uid), GID: uint32(h.Gid), Link: h.Linkname, Origin: origin}
		switch h.Typeflag {
		case tar.TypeDir:
			n.Type = tree.Dir
			if old := tr.Lookup(name); old != nil && old.Type != tree.Dir {
				continue // a directory that a link stands for, such as /lib64
			}
		case tar.TypeSymlink:
			n.Type, n.Mode = tree.Symlink, 0o777
		case tar.TypeLink:
			n.Type = tree.Hardlink
			if n.Link, err = tr.RealPath(h.Linkname); err != nil {
				t.Fatal(err)
			}
		default:
			b, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(b)
			n.Size, n.SHA256, n.Content = h.Size, hex.EncodeToString(sum[:]), tree.Bytes(b)
			if len(b) > 1<<18 {
				n.Content = tree.Bytes(nil) // no step reads programs and libraries
			}
		}
		if err := tr.Set(n); err != nil {
			t.Fatal(err)
		}
	}
}

// entries returns each path with its metadata as text.
func entries(tr *tree.Tree) map[string]string {
	all := map[string]string{}
	for n := range tr.All() {
		sum, mode := n.SHA256, n.Mode
		if n.Type == tree.Hardlink {
			target := tr.Lookup(n.Link)
			sum, mode = target.SHA256, target.Mode
		}
		all[n.Path] = entry(n.Type, mode, n.UID, n.GID, n.Link, sum)
	}
	return all
}

func entry(typ tree.Type, mode, uid, gid uint32, link, sum string) string {
	switch typ {
	case tree.Symlink:
		return "link " + link
	case tree.Dir:
		return fmt.Sprintf("dir %04o %d:%d", mode, uid, gid)
	}
	return fmt.Sprintf("file %04o %d:%d %.8s", mode, uid, gid, sum)
}

func readOracle(t *testing.T, name string) map[string]string {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]string{}
	in := tar.NewReader(f)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p, mode, uid, gid := tree.Clean(h.Name), uint32(h.Mode&0o7777), uint32(h.Uid), uint32(h.Gid)
		switch h.Typeflag {
		case tar.TypeDir:
			all[p] = entry(tree.Dir, mode, uid, gid, "", "")
		case tar.TypeSymlink:
			all[p] = entry(tree.Symlink, mode, uid, gid, h.Linkname, "")
		case tar.TypeLink:
			all[p] = all[tree.Clean(h.Linkname)]
		case tar.TypeReg:
			sum := sha256.New()
			if _, err := io.Copy(sum, in); err != nil {
				t.Fatal(err)
			}
			all[p] = entry(tree.File, mode, uid, gid, "", hex.EncodeToString(sum.Sum(nil)))
		}
	}
}

func compareTrees(t *testing.T, ours, theirs map[string]string, unpacked int) {
	paths := map[string]bool{}
	for p := range ours {
		paths[p] = true
	}
	for p := range theirs {
		paths[p] = true
	}
	equal, excused := 0, 0
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		if ours[p] == theirs[p] {
			equal++
			continue
		}
		if slices.ContainsFunc(mayDiffer, func(d struct{ pattern, why string }) bool { return regexp.MustCompile(d.pattern).MatchString(p) }) {
			excused++
			continue
		}
		t.Errorf("/%s: got %q, dpkg has %q", p, ours[p], theirs[p])
	}
	t.Logf("%d paths unpacked, %d equal with dpkg's result, %d differ for a stated reason", unpacked, equal, excused)
}
