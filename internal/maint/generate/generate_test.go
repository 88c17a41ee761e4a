package generate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/certs"
	"github.com/hardpan/hardpan/internal/maint/generate"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// run runs a script over a tree of files; a content "-> x" is a link, and names
// that end in "*" are executable.
func run(t *testing.T, files map[string]string, script string) (string, *tree.Tree) {
	t.Helper()
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	for name, text := range files {
		var err error
		if to, ok := strings.CutPrefix(text, "-> "); ok {
			err = tr.Symlink(name, to, nil)
		} else if program, ok := strings.CutSuffix(name, "*"); ok {
			err = tr.WriteFile(program, []byte(text), 0o755, nil)
		} else {
			err = tr.WriteFile(name, []byte(text), 0o644, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	commands := generate.Commands(generate.Config{Architecture: "amd64", Libc: "2.41-12", Graphviz: "2.42.4-3"})
	commands["cat"] = func(_ context.Context, p *shell.Proc) (int, error) {
		_, err := io.Copy(p.Stdout, p.Stdin)
		return 0, err
	}
	sh := &shell.Shell{FS: rootfs.New(tr, 0), Commands: commands}
	out, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: "exec 2>/dev/null\n" + script, Env: []string{"PATH=/usr/bin:/bin"}})
	if e, ok := errors.AsType[*shell.Error](err); err != nil && (!ok || e.Err != nil) {
		t.Fatalf("%s: %v", script, err)
	}
	return string(out), tr
}

// dump lists what is below the directories as text.
func dump(t *testing.T, tr *tree.Tree, dirs ...string) string {
	t.Helper()
	var b strings.Builder
	for n := range tr.All() {
		for _, dir := range dirs {
			if n.Path != dir && !strings.HasPrefix(n.Path, dir+"/") || n.Type == tree.Dir {
				continue
			}
			if n.Type == tree.Symlink {
				fmt.Fprintf(&b, "%s -> %s\n", n.Path, n.Link)
				continue
			}
			text, err := tr.ReadFile(n.Path)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s %#o %q\n", n.Path, n.Mode, text)
		}
	}
	return b.String()
}

func TestUpdateBinfmts(t *testing.T) {
	got, tr := run(t, map[string]string{
		"usr/share/binfmts/jar": "package openjdk-17\ninterpreter /usr/bin/jexec\nmagic PK\\x03\\x04\n",
		"usr/share/binfmts/zz":  "package z\ninterpreter /usr/bin/z\nextension foo\noffset 2\ndetector /d\ncredentials yes\npreserve no\nfix_binary yes\n",
	}, `update-binfmts --package openjdk-21 --import jar; echo $?; update-binfmts --import /usr/share/binfmts/zz; echo $?; update-binfmts --package other --import zz; echo $?
update-binfmts --import nope; echo $?; update-binfmts --package p --install cli /usr/bin/cli --magic MZ --mask '\xff'; update-binfmts --package p --install gone /x --magic A; update-binfmts --package p --remove gone /x; echo $?; update-binfmts; echo $?`)
	if want := "0\n0\n0\n2\n0\n2\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	want := `var/lib/binfmts/cli 0644 "p\nmagic\n0\nMZ\n\\xff\n/usr/bin/cli\n\n\n\n\n"
var/lib/binfmts/jar 0644 "openjdk-21\nmagic\n0\nPK\\x03\\x04\n\n/usr/bin/jexec\n\n\n\n\n"
var/lib/binfmts/zz 0644 "z\nextension\n2\nfoo\n\n/usr/bin/z\n/d\nyes\nno\nyes\n"
`
	if got := dump(t, tr, "var/lib/binfmts"); got != want {
		t.Errorf("left\n%swant\n%s", got, want)
	}
}

var shellFiles = map[string]string{
	"usr/share/debianutils/shells":        "# /etc/shells: valid login shells\n/usr/bin/sh\n",
	"usr/share/debianutils/shells.d/bash": "/bin/bash\n/usr/bin/rbash # restricted\n",
	"usr/share/debianutils/shells.d/dash": "/bin/dash\n",
	"usr/bin/x":                           "",
	"bin":                                 "-> usr/bin",
}

// As the real scripts of debianutils do.
func TestRealShells(t *testing.T) {
	if _, err := exec.LookPath("update-shells"); err != nil {
		t.Skip("SKIPPED: no update-shells on this host: nothing to compare with")
	}
	for _, script := range []string{
		`update-shells; echo $?`,
		`update-shells; add-shell /bin/zsh /opt/fish; echo $?; remove-shell /bin/dash; echo $?; update-shells`,
		`update-shells; echo /local/sh >>$R/etc/shells; update-shells; add-shell; echo $?`,
	} {
		root := t.TempDir()
		for name, text := range shellFiles {
			at := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			var err error
			if to, ok := strings.CutPrefix(text, "-> "); ok {
				err = os.Symlink(to, at)
			} else {
				err = os.WriteFile(at, []byte(text), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, dir := range []string{"etc", "var/lib"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("sh", "-c", script)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "R=" + root, "DPKG_ROOT=" + root, "LC_ALL=C.UTF-8"}
		theirs, _ := cmd.Output() // with the status that the script has
		files := map[string]string{"etc/x": "", "var/lib/x": ""}
		for name, text := range shellFiles {
			files[name] = text
		}
		ours, tr := run(t, files, script)
		if !strings.Contains(script, "add-shell; ") && ours != string(theirs) {
			t.Errorf("%s\nprinted %q, the real ones %q", script, ours, theirs)
		}
		for _, name := range []string{"etc/shells", "var/lib/shells.state"} {
			got, _ := tr.ReadFile(name)
			want, err := os.ReadFile(filepath.Join(root, name))
			if err != nil || string(got) != strings.ReplaceAll(string(want), root, "") {
				t.Errorf("%s\n%s\n%s\nthe real one (%v)\n%s", script, name, got, err, want)
			}
		}
	}
}

// hostCerts returns the certificates of the host by name, at most n.
func hostCerts(t *testing.T, n int) map[string]string {
	names, err := filepath.Glob("/usr/share/ca-certificates/mozilla/*.crt")
	if err != nil || len(names) < n {
		t.Skip("SKIPPED: no ca-certificates on this host: no certificates to work with")
	}
	files := map[string]string{}
	for _, name := range names[:n] {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(name, "/")] = string(b)
	}
	return files
}

// As the real update-ca-certificates does.
func TestRealUpdateCACertificates(t *testing.T) {
	if _, err := exec.LookPath("update-ca-certificates"); err != nil {
		t.Skip("SKIPPED: no update-ca-certificates on this host: nothing to compare with")
	}
	files := hostCerts(t, 8)
	root := t.TempDir()
	conf := "# comment\n"
	i := 0
	for name := range files {
		line := strings.TrimPrefix(name, "usr/share/ca-certificates/")
		if i == 0 {
			files["usr/local/share/ca-certificates/My (own), one.crt"] = strings.TrimRight(files[name], "\n")
			line = "!" + line
		}
		conf += line + "\n"
		i++
	}
	files["etc/ca-certificates.conf"] = conf + "mozilla/missing.crt\n"
	files["etc/ssl/certs/12345678.0"] = "-> gone.pem"
	files["etc/ca-certificates/update.d/hook*"] = "#!/bin/sh\ncat\n"
	for name, text := range files {
		name, program := strings.CutSuffix(name, "*")
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(to, at)
		} else {
			err = os.WriteFile(at, []byte(text), map[bool]os.FileMode{true: 0o755, false: 0o644}[program])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("update-ca-certificates", "--certsconf", root+"/etc/ca-certificates.conf", "--certsdir", root+"/usr/share/ca-certificates",
		"--localcertsdir", root+"/usr/local/share/ca-certificates", "--etccertsdir", root+"/etc/ssl/certs", "--hooksdir", root+"/etc/ca-certificates/update.d")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	theirs, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	ours, tr := run(t, files, "update-ca-certificates")
	if want := strings.ReplaceAll(string(theirs), root, ""); ours != want {
		t.Errorf("printed\n%s\nthe real one\n%s", ours, want)
	}
	entries, err := os.ReadDir(root + "/etc/ssl/certs")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, e := range entries {
		at := root + "/etc/ssl/certs/" + e.Name()
		if to, err := os.Readlink(at); err == nil {
			fmt.Fprintf(&want, "etc/ssl/certs/%s -> %s\n", e.Name(), strings.TrimPrefix(to, root))
			continue
		}
		b, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "etc/ssl/certs/%s 0644 %q\n", e.Name(), b)
	}
	if got := dump(t, tr, "etc/ssl/certs"); got != want.String() {
		t.Errorf("left\n%.2000s\nthe real one\n%.2000s", got, want.String())
	}
}

func TestJavaKeystore(t *testing.T) {
	files := hostCerts(t, 3)
	var list strings.Builder
	for name := range files {
		list.WriteString("+/" + name + "\n")
	}
	files["usr/bin/java*"] = ""
	files["list"] = list.String()
	out, tr := run(t, files, `java -version && java -Xmx64m -jar /usr/share/ca-certificates-java/ca-certificates-java.jar -storepass changeit </list >/dev/null
echo "-/x/nope.pem" | java -jar /usr/share/ca-certificates-java/ca-certificates-java.jar -storepass changeit; keytool -cacerts -storepass changeit -list -rfc`)
	if strings.Count(out, "Alias name: debian:") != 3 {
		t.Errorf("printed\n%s", out)
	}
	store, err := tr.ReadFile("etc/ssl/certs/java/cacerts")
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := certs.Trusted(store, "changeit")
	if err != nil || len(trusted) != 3 {
		t.Errorf("%d certificates (%v)", len(trusted), err)
	}
	again, err := certs.Keystore(trusted, "changeit")
	if err != nil || !bytes.Equal(again, store) {
		t.Errorf("the keystore is not the same when it is made again (%v)", err)
	}
}

func TestOmitted(t *testing.T) {
	out, tr := run(t, map[string]string{"etc/x": ""}, `py3compile -p x; echo $?; update-initramfs -u; echo $?; aa-enabled --quiet || echo no; ischroot && echo chroot; systemd-machine-id-setup; dbus-uuidgen --ensure; echo $?`)
	if want := "0\n0\nno\nchroot\n0\n"; out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
	if got := dump(t, tr, "etc"); got != "etc/machine-id 0444 \"\"\netc/x 0644 \"\"\n" {
		t.Errorf("left %s", got)
	}
}

func TestLdconfig(t *testing.T) {
	_, tr := run(t, map[string]string{"etc/ld.so.conf": "/opt/lib\n"}, `ldconfig; ldconfig -r /`)
	if b, err := tr.ReadFile("etc/ld.so.cache"); err != nil || !strings.Contains(string(b), "glibc-ld.so.cache1.1") {
		t.Errorf("no cache (%v)", err)
	}
}

func TestUpdateCatalog(t *testing.T) {
	out, tr := run(t, map[string]string{
		"usr/share/sgml-base/catalog.centralized": "-- this is CATALOG --\n", "usr/share/a.cat": "", "var/lib/sgml-base/supercatalog": "old\n",
		"etc/sgml/whole.cat": "-- CATALOG nope -- BASE \"/usr/share\" CATALOG 'a.cat'\nPUBLIC \"x\" y\n", "etc/sgml/broken.cat": "CATALOG /nope\n", "etc/sgml/.hidden.cat": "",
	}, `update-catalog --add /etc/sgml/new.cat /usr/share/a.cat; update-catalog --quiet --add /etc/sgml/new.cat /usr/share/b.cat; update-catalog --quiet --remove /etc/sgml/new.cat /usr/share/b.cat; update-catalog --quiet --update-super; echo $?; update-catalog; echo $?`)
	if want := "Adding entry /usr/share/a.cat to catalog /etc/sgml/new.cat...\n0\n1\n"; out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
	want := `etc/sgml/.hidden.cat 0644 ""
etc/sgml/broken.cat 0644 "CATALOG /nope\n"
etc/sgml/new.cat 0644 "-- this is /etc/sgml/new.cat --\nCATALOG /usr/share/a.cat\n"
etc/sgml/new.cat.old 0644 "-- this is /etc/sgml/new.cat --\nCATALOG /usr/share/a.cat\nCATALOG /usr/share/b.cat\n"
etc/sgml/whole.cat 0644 "-- CATALOG nope -- BASE \"/usr/share\" CATALOG 'a.cat'\nPUBLIC \"x\" y\n"
var/lib/sgml-base/supercatalog 0644 "--\n## This file is created by update-catalog with update-super.\n## Please see update-catalog(8) for how to modify this file.\n--\nCATALOG /etc/sgml/new.cat\nCATALOG /etc/sgml/whole.cat\n"
var/lib/sgml-base/supercatalog.old 0644 "old\n"
`
	if got := dump(t, tr, "etc/sgml", "var/lib/sgml-base"); got != want {
		t.Errorf("left\n%swant\n%s", got, want)
	}
}

// As the real journalctl does, with two catalogs of its own format.
func TestRealJournalCatalog(t *testing.T) {
	if _, err := exec.LookPath("journalctl"); err != nil {
		t.Skip("SKIPPED: no journalctl on this host: nothing to compare with")
	}
	root := t.TempDir()
	files := map[string]string{
		"usr/lib/systemd/catalog/b.catalog":    "# comment\n\n-- f77379a8490b408bbe5f6940505a777b\nSubject: One\nDefined-By: b\n\nText of\ntwo lines.\n\n\n-- d93fb3c9c24d451a97cea615ce59c00b de\nSubject: Zwei\n\nEnde.\n",
		"usr/lib/systemd/catalog/b.de.catalog": "-- f77379a8490b408bbe5f6940505a777b\nSubject: Eins\n\n-- no entry\nEnde.\n",
		"usr/lib/systemd/catalog/c.catalog":    "-- 0027229ca0644181a76c4e92458afa2e\nEnde.\n",
		"usr/lib/systemd/catalog/d.catalog":    "-- 0027229ca0644181a76c4e92458afa2f\nThe very Ende.\n",
	}
	for name, text := range files {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("journalctl", "--root="+root, "--update-catalog").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := os.ReadFile(root + "/var/lib/systemd/catalog/database")
	if err != nil {
		t.Fatal(err)
	}
	_, tr := run(t, files, "journalctl --update-catalog")
	if got, err := tr.ReadFile("var/lib/systemd/catalog/database"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got (%v)\n%q\nthe real one\n%q", err, got, want)
	}
}

// The expectations are those of update-locale of Debian 13.
func TestUpdateLocale(t *testing.T) {
	out, tr := run(t, map[string]string{"etc/x": "", "etc/other": "# LANG=de\nLC_TIME=C\nOLD=1"}, `update-locale LANG=C.UTF-8; echo $?; update-locale LANG=xx_XX; echo $?
update-locale --no-checks --locale-file=/etc/other LANG=de_DE.UTF-8 OLD`)
	if want := "0\n255\n"; out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
	want := `etc/locale.conf 0644 "#  File generated by update-locale\nLANG=C.UTF-8\n"
etc/other 0644 "LANG=de_DE.UTF-8\nLC_TIME=C\n#OLD=1\n"
etc/x 0644 ""
`
	if got := dump(t, tr, "etc"); got != want {
		t.Errorf("left\n%swant\n%s", got, want)
	}
}

func TestPaperconf(t *testing.T) {
	for size, want := range map[string]string{"": "a4\n0\n", "# none\n\n  letter # x\na3\n": "letter\n0\n"} {
		files := map[string]string{"x": ""}
		if size != "" {
			files["etc/papersize"] = size
		}
		if got, _ := run(t, files, "paperconf; echo $?"); got != want {
			t.Errorf("%q: got %q, want %q", size, got, want)
		}
	}
}
