package certs_test

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

	"github.com/hardpan/hardpan/internal/maint/certs"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// trustTree has the certificates of this machine, as ca-certificates ships
// them, all of them trusted, and the files given.
func trustTree(t *testing.T, more map[string]string) *tree.Tree {
	t.Helper()
	names, _ := filepath.Glob("/usr/share/ca-certificates/mozilla/*.crt")
	if len(names) == 0 {
		t.Skip("SKIPPED: package ca-certificates is not installed here")
	}
	files := map[string]string{}
	conf := "# comment\n\n"
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(b)
		conf += "mozilla/" + filepath.Base(name) + "\n"
	}
	files["/etc/ca-certificates.conf"] = conf
	maps.Copy(files, more)
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 1754697600)
	if err := tr.Mkdir("etc/ssl/certs/java", 0o755, nil); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		mode := uint32(0o644)
		if strings.Contains(name, "/bin/") || strings.Contains(name, ".d/") {
			mode = 0o755
		}
		if err := tr.WriteFile(tree.Clean(name), []byte(text), mode, &tree.Origin{Kind: tree.FromPackage}); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// run runs a script over the tree, with the commands of this package and one that
// prints what a hook reads.
func run(t *testing.T, tr *tree.Tree, script string) string {
	t.Helper()
	sh := &shell.Shell{FS: rootfs.New(tr, 1754697600), Commands: certs.Commands(), Origin: func(command string) *tree.Origin {
		return &tree.Origin{Kind: tree.FromScript, Package: "ca-certificates", Script: "postinst", Command: command}
	}}
	out, err := sh.Run(t.Context(), shell.Script{Name: "postinst", Text: script, Env: []string{"PATH=/usr/bin"}})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

const localCert = "/usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt"

// The oracle is "openssl rehash" and update-ca-certificates of this machine.
func TestRealUpdate(t *testing.T) {
	for _, tool := range []string{"openssl", "update-ca-certificates"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed: nothing was compared with it", tool)
		}
	}
	local, err := os.ReadFile(localCert)
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	// Certificates of the administrator's, without a line break at their end.
	text := strings.TrimRight(string(local), "\n")
	tr := trustTree(t, map[string]string{
		"/usr/local/share/ca-certificates/Our CA (2025), test.crt": text, "/usr/local/share/ca-certificates/sub/two.crt": text,
	})
	root := t.TempDir()
	for n := range tr.All() {
		at := filepath.Join(root, n.Path)
		if n.Type == tree.Dir {
			if err := os.MkdirAll(at, 0o777); err != nil {
				t.Fatal(err)
			}
			continue
		}
		b, err := tr.ReadFile(n.Path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run(t, tr, `update-ca-certificates --hooksdir ""`)
	cmd := exec.Command("update-ca-certificates", "--hooksdir", "", "--certsconf", root+"/etc/ca-certificates.conf",
		"--certsdir", root+"/usr/share/ca-certificates", "--localcertsdir", root+"/usr/local/share/ca-certificates", "--etccertsdir", root+"/etc/ssl/certs")
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("update-ca-certificates: %v\n%s", err, out)
	}
	theirs := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(root, "etc/ssl/certs"))
	if err != nil {
		t.Fatal(err)
	}
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
	for _, name := range tr.ReadDir("etc/ssl/certs") {
		if n := tr.Lookup("etc/ssl/certs/" + name); n.Type == tree.Symlink {
			ours[name] = "-> " + n.Link
		} else {
			b, _ := tr.ReadFile(n.Path)
			ours[name] = string(b)
		}
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(ours)), maps.Keys(theirs))
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if ours[name] != theirs[name] {
			t.Errorf("/etc/ssl/certs/%s: got %.80q, update-ca-certificates has %.80q", name, ours[name], theirs[name])
		}
	}
	t.Logf("%d paths of /etc/ssl/certs compared", len(theirs))
	if got, want := tr.Lookup("etc/ssl/certs/ca-certificates.crt").Origin.Inputs, 4; len(got) != want {
		t.Errorf("the bundle is made from %q, expected the configuration and %d directories", got, want-1)
	}
}

func TestDeselected(t *testing.T) {
	tr := trustTree(t, map[string]string{"/etc/ca-certificates.conf": "# ours\n!mozilla/ISRG_Root_X1.crt\nmozilla/ISRG_Root_X2.crt\nmozilla/none.crt\n"})
	if err := tr.Symlink("etc/ssl/certs/ISRG_Root_X1.pem", localCert, nil); err != nil {
		t.Fatal(err)
	}
	want := "W: /usr/share/ca-certificates/mozilla/none.crt not found, but listed in /etc/ca-certificates.conf.\n1 added, 1 removed; done.\n"
	if got := run(t, tr, "update-ca-certificates"); got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if tr.Lookup("etc/ssl/certs/ISRG_Root_X1.pem") != nil {
		t.Error("/etc/ssl/certs/ISRG_Root_X1.pem: there, though /etc/ca-certificates.conf deselects it")
	}
	if tr.Lookup("etc/ssl/certs/ISRG_Root_X2.pem") == nil {
		t.Error("/etc/ssl/certs/ISRG_Root_X2.pem: missing, though it is selected")
	}
}

// Hooks are told what changed, on their standard input.
func TestHooks(t *testing.T) {
	tr := trustTree(t, map[string]string{
		"/etc/ca-certificates.conf":           "mozilla/ISRG_Root_X2.crt\n",
		"/etc/ca-certificates/update.d/notes": "#!/bin/sh\nwhile read -r line; do echo \"hook $line\"; done\nexit 3\n",
		"/etc/ca-certificates/update.d/x.bak": "#!/bin/sh\necho never\n",
	})
	want := "1 added, 0 removed; done.\nhook +/etc/ssl/certs/ISRG_Root_X2.pem\nE: /etc/ca-certificates/update.d/notes exited with code 3.\n"
	if got := run(t, tr, "update-ca-certificates --fresh"); got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestKeystore(t *testing.T) {
	tr := trustTree(t, map[string]string{"/usr/bin/java": ""})
	run(t, tr, `update-ca-certificates; java -Xmx64m -jar /usr/share/ca-certificates-java/ca-certificates-java.jar -storepass secret1 </dev/null`)
	store, err := tr.ReadFile("etc/ssl/certs/java/cacerts")
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
