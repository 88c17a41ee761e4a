package maint_test

import (
	"bytes"
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

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// trustTree has the certificates of this machine, as ca-certificates ships
// them, and whatever more is given.
func trustTree(t *testing.T, more string) *maint.Image {
	t.Helper()
	files, _ := filepath.Glob("/usr/share/ca-certificates/mozilla/*.crt")
	if len(files) == 0 {
		t.Skip("SKIPPED: package ca-certificates is not installed here")
	}
	tr := unpacked(t, more)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.WriteFile(tree.Clean(f), b, 0o644, &tree.Origin{Kind: tree.FromPackage, Package: "ca-certificates"}); err != nil {
			t.Fatal(err)
		}
	}
	return &maint.Image{Tree: tr, Architecture: "amd64", Time: time2025, Packages: []maint.Package{{Name: "ca-certificates"}, {Name: "ca-certificates-java"}}}
}

const localCert = "/usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt"

// The oracle is "openssl rehash" and update-ca-certificates of this machine.
func TestCertificates(t *testing.T) {
	for _, tool := range []string{"openssl", "update-ca-certificates"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed", tool)
		}
	}
	img := trustTree(t, "")
	local, err := os.ReadFile(localCert)
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	root := t.TempDir()
	write := func(name string, b []byte) {
		t.Helper()
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// A certificate of the administrator's, without a line break at its end.
	local = bytes.TrimRight(local, "\n")
	for _, name := range []string{"usr/local/share/ca-certificates/Our CA (2025), test.crt", "usr/local/share/ca-certificates/sub/two.crt"} {
		if err := img.Tree.WriteFile(name, local, 0o644, &tree.Origin{Kind: tree.FromSpec}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := maint.Run(t.Context(), img); err != nil {
		t.Fatal(err)
	}
	for n := range img.Tree.All() {
		if n.Type == tree.File && !strings.HasPrefix(n.Path, "etc/ssl") {
			b, err := img.Tree.ReadFile(n.Path)
			if err != nil {
				t.Fatal(err)
			}
			write(n.Path, b)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "etc/ssl/certs"), 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("update-ca-certificates", "--fresh", "--hooksdir", "",
		"--certsconf", root+"/etc/ca-certificates.conf", "--certsdir", root+"/usr/share/ca-certificates",
		"--localcertsdir", root+"/usr/local/share/ca-certificates", "--etccertsdir", root+"/etc/ssl/certs")
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("update-ca-certificates: %v\n%s", err, out)
	}
	entries, err := os.ReadDir(filepath.Join(root, "etc/ssl/certs"))
	if err != nil {
		t.Fatal(err)
	}
	theirs := map[string]string{}
	for _, e := range entries {
		at := filepath.Join(root, "etc/ssl/certs", e.Name())
		if to, err := os.Readlink(at); err == nil {
			theirs[e.Name()] = "-> " + strings.TrimPrefix(to, root)
		} else {
			b, _ := os.ReadFile(at)
			theirs[e.Name()] = string(b)
		}
	}
	ours := map[string]string{}
	for _, name := range img.Tree.ReadDir("etc/ssl/certs") {
		if n := img.Tree.Lookup("etc/ssl/certs/" + name); n.Type == tree.Symlink {
			ours[name] = "-> " + n.Link
		} else {
			b, _ := img.Tree.ReadFile(n.Path)
			ours[name] = string(b)
		}
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(append(sortedKeys(ours), sortedKeys(theirs)...)))) {
		if ours[name] != theirs[name] {
			t.Errorf("/etc/ssl/certs/%s: got %.80q, update-ca-certificates has %.80q", name, ours[name], theirs[name])
		}
	}
	t.Logf("%d paths of /etc/ssl/certs compared", len(theirs))
}

func TestKeystore(t *testing.T) {
	img := trustTree(t, "usr/bin/java [755]\netc/default/cacerts [600]: cacerts_updates=yes\\nstorepass='secret1'\\n")
	if _, err := maint.Run(t.Context(), img); err != nil {
		t.Fatal(err)
	}
	store, err := img.Tree.ReadFile("etc/ssl/certs/java/cacerts")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(store, []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02")) {
		t.Errorf("keystore begins with % x, expected JKS version 2", store[:8])
	}
	keytool, err := exec.LookPath("keytool")
	if err != nil {
		t.Skip("SKIPPED: no keytool here: the keystore was not read by Java")
	}
	at := filepath.Join(t.TempDir(), "cacerts")
	if err := os.WriteFile(at, store, 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(keytool, "-list", "-keystore", at, "-storepass", "secret1").CombinedOutput()
	if err != nil {
		t.Fatalf("keytool: %v\n%s", err, out)
	}
	files, _ := filepath.Glob("/usr/share/ca-certificates/mozilla/*.crt")
	if got := len(regexp.MustCompile(`(?m)^debian:\S+\.pem, .*trustedCertEntry`).FindAll(out, -1)); got != len(files) {
		t.Errorf("keytool lists %d certificates, expected %d\n%.500s", got, len(files), out)
	}
}

func TestDeselectedCertificates(t *testing.T) {
	img := trustTree(t, `spec etc/ca-certificates.conf: # ours\n!mozilla/ISRG_Root_X1.crt\n`)
	if _, err := maint.Run(t.Context(), img); err != nil {
		t.Fatal(err)
	}
	if img.Tree.Lookup("etc/ssl/certs/ISRG_Root_X1.pem") != nil {
		t.Error("/etc/ssl/certs/ISRG_Root_X1.pem: there, though /etc/ca-certificates.conf deselects it")
	}
	if img.Tree.Lookup("etc/ssl/certs/ISRG_Root_X2.pem") == nil {
		t.Error("/etc/ssl/certs/ISRG_Root_X2.pem: missing, though it is not deselected")
	}
}
