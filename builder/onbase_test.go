package builder

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
)

// slim is what an image that Docker's own tools built of Debian has, in small.
const slim = `
	dir usr/ 0755
	dir usr/bin/ 0755
	dir usr/lib/ 0755
	dir usr/sbin/ 0755
	link bin usr/bin
	link lib usr/lib
	dir etc/ 0755
	file etc/passwd 0644 root:x:0:0:root:/root:/bin/sh\nweb:x:2033:2033:web:/srv:/usr/sbin/nologin\n
	file etc/group 0644 root:x:0:\nweb:x:2033:\n
	file etc/shadow 0640 root:*:19000:0:99999:7:::\nweb:*:19000:0:99999:7:::\n
	file usr/lib/os-release 0644 ID=debian\nVERSION_ID="13"\n
	link etc/os-release ../usr/lib/os-release
	file usr/lib/libtool.so.1 0644 no ELF file
	elf usr/bin/tool 0755
	dir var/lib/app/ 0700 2033:2033
	dir var/lib/dpkg/info/ 0755
	file var/lib/dpkg/status 0644 Package: libtool1\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-1\nSource: tools (1.0)\nDescription: x\n\nPackage: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\nDescription: x\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n
	file var/lib/dpkg/info/libtool1.list 0644 /.\n/usr\n/usr/lib\n/usr/lib/libtool.so.1\n
	file var/lib/dpkg/info/libc6:amd64.list 0644 /.\n/lib\n/lib/libc.so\n
	file usr/lib/libc.so 0644 library
	elf usr/sbin/useradd 0755
`

var slimConfig = v1.Config{
	Env: []string{"PATH=/usr/bin", "LANG=C", "NOEQUALS"}, Cmd: []string{"/usr/bin/tool"}, Entrypoint: []string{"/usr/bin/tool", "-x"},
	User: "web", WorkingDir: "/srv", Labels: map[string]string{"team": "base", "org.opencontainers.image.source": "https://example.com/base"},
	ExposedPorts: map[string]struct{}{"80/tcp": {}, "81": {}}, Volumes: map[string]struct{}{"/data": {}}, StopSignal: "SIGINT",
	Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/usr/bin/tool"}},
}

// TestOnForeignBase builds on an image that hardpan knows nothing of.
func TestOnForeignBase(t *testing.T) {
	b := baseBench(t)
	b.foreign("slim", slimConfig, slim, "gone usr/lib/gone.so\nfile usr/bin/more 0755 more")
	b.write("on.yaml", `platforms: [linux/amd64]
from: oci:slim
contents: {packages: [greeter, tool]}
accounts:
  groups: [{name: app, gid: 1000}, {name: web, gid: 2033}]
  users: [{name: app, uid: 1000, gid: 1000}]
paths:
  - {path: /app, type: directory, uid: 1000, gid: 1000, mode: "0750"}
  - {path: /bin/run, type: file, mode: "0755", content: "#!/usr/bin/tool\n"}
environment: {LANG: C.UTF-8, APP: "1"}
ports: [8000, 80]
volumes: [/logs]
labels: {team: app}
annotations: {org.opencontainers.image.vendor: Example}
`)
	res := b.build(b.renewed("on.yaml"))
	img := res.Index.Images[0]
	has(t, "tree", dumpOnBase(t, img), `
		/app dir 0750 1000:1000 | ours, spec on.yaml:
		/bin symlink 0777 0:0 -> usr/bin | base layer 0 of the base
		/etc dir 0755 0:0 | ours of the base
		/etc/group file 0644 0:0 | ours, hardpan, accounts of the packages and of the spec
		/etc/greeter.conf file 0644 0:0 | ours, package greeter 1.0-1
		/etc/os-release symlink 0777 0:0 -> ../usr/lib/os-release | base layer 0 of the base
		/usr/share/greeter/greeter file 0644 0:0 | ours, package greeter 1.0-1
		/usr/bin/run file 0755 0:0 | ours, spec on.yaml:
		/usr/bin/greet symlink 0777 0:0 -> /etc/alternatives/greet | ours, package greeter 1.0-1, postinst
		/usr/bin/more file 0755 0:0 | base layer 1 of the base
		/usr/lib/libtool.so.1 file 0644 0:0 | base layer 0 of the base, package libtool1 1.0-1
		/usr/lib/libc.so file 0644 0:0 | base layer 0 of the base, package libc6 2.36-9
		/var/lib/app dir 0700 2033:2033 | base layer 0 of the base
		/var/lib/dpkg/status file 0644 0:0 | base layer 0 of the base
		/var/lib/dpkg/status.d/greeter file 0644 0:0 | ours, hardpan, package database entry of greeter
		- /usr/lib/x86_64-linux-gnu/libc.so.6
		- /var/lib/dpkg/status.d/libc6
		- /usr/share/man/`)

	src := openImages(t, b.dir+"/slim")[0]
	for i, l := range src.Layers {
		if img.Layers[i].Digest != l.Digest || img.Layers[i].MediaType != oci.MediaLayer {
			t.Errorf("layer %d is %s %s, the base's is %s", i, img.Layers[i].Digest, img.Layers[i].MediaType, l.Digest)
		}
	}
	var made []string
	for _, h := range img.Config.History {
		made = append(made, h.CreatedBy)
	}
	if !strings.HasPrefix(strings.Join(made, ", "), "layer 0, ENV x, layer 1, packages: ") {
		t.Errorf("history is %q", made)
	}
	c := img.Config
	for what, pair := range map[string][2]string{
		"environment": {strings.Join(c.Env, " "), "APP=1 LANG=C.UTF-8 PATH=/usr/bin"},
		"entrypoint":  {strings.Join(c.Entrypoint, " "), "/usr/bin/tool -x"},
		"cmd":         {strings.Join(c.Cmd, " "), "/usr/bin/tool"},
		"user":        {c.User, "web"}, "work-dir": {c.WorkingDir, "/srv"}, "signal": {c.StopSignal, "SIGINT"},
		"ports": {strings.Join(c.ExposedPorts, " "), "80/tcp 8000/tcp 81"}, "volumes": {strings.Join(c.Volumes, " "), "/data /logs"},
		"health": {strings.Join(c.Healthcheck.Test, " "), "CMD /usr/bin/tool"}, "label": {c.Labels["team"], "app"},
		"source": {c.Labels["org.opencontainers.image.source"], ""},
		"base":   {img.Annotations["org.opencontainers.image.base.name"], "oci:slim"}, "digest": {img.Annotations["org.opencontainers.image.base.digest"], string(src.Digest)},
		"base label": {c.Labels["org.opencontainers.image.base.digest"], string(src.Digest)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
	warnings := strings.Join(res.Images[0].Warnings, "\n")
	for _, name := range []string{"/etc/passwd", "/etc/group", "/etc/shadow"} {
		if !strings.Contains(warnings, name+" of the base image is in the image in another version") {
			t.Errorf("nothing is said of %s: %s", name, warnings)
		}
	}
}

// more is a second layer that has something to lose.
const more = `
	file usr/bin/more 0755 more
	dir usr/share/shared/ 0755
	file usr/share/shared/file 0644 shared\n
`

// TestBaseRefused has what an image may not do to its base, and what a base may not
// have, each with the line of the spec and the way out.
func TestBaseRefused(t *testing.T) {
	b := baseBench(t)
	b.foreign("slim", slimConfig, slim, more)
	const spec = "platforms: [linux/amd64]\nfrom: oci:%s\n"
	for _, c := range []struct{ name, layer, spec, want, hint string }{
		{"a package's file", "", "contents: {packages: [taker]}",
			"the image would have a second copy of what base image oci:IMAGE has: /usr/bin/more (package taker 1.0-1)", "flatten: true"},
		{"a file of the spec", "", "paths: [{path: /usr/bin/more, type: file, content: x}]", "/usr/bin/more (spec ", "flatten: true"},
		{"another mode", "", "paths: [{path: /usr/bin/more, type: permissions, mode: \"0700\"}]", "/usr/bin/more (base image, layer sha256:", "flatten: true"},
		{"a script's change", "", "contents: {packages: [changer]}", "/usr/bin/more (package changer 1.0-1, postinst, chmod 0700 /usr/bin/more", "flatten: true"},
		{"a script that removes", "", "contents: {packages: [remover]}", "the image would hide what base image oci:IMAGE has: /usr/bin/more", "flatten: true"},
		{"a newer package", "", "contents: {packages: [picky]}",
			`cannot install "picky": picky 1.0-1 -> libtool1 (>= 1.4): the base image has libtool1 1.0-1`, "take a newer base image, or write flatten: true"},
		{"a conflict", "", "contents: {packages: [hater]}", `hater conflicts with libtool1, but the base image has libtool1 1.0-1`, ""},
		{"a pin", "", "contents: {packages: [libtool1=1.4*]}", `the base image has libtool1 1.0-1, which "libtool1=1.4*" rules out`, "take a newer base image, or write flatten"},
		{"an exclusion", "", "contents: {packages: [\"!libtool1\"]}", `the base image has libtool1 1.0-1, which "!libtool1" rules out`, "take another base image"},
		{"an account with another id", "", "accounts: {groups: [{name: web, gid: 1000}], users: [{name: web, uid: 1000, gid: 1000}]}", `group "web": name already taken by gid 2033`, "declare it as it is, {name: web, gid: 2033}"},
		{"scripts in a sandbox", "", "contents: {packages: [sharer], scripts: {sharer: sandbox}}", "scripts are run in a sandbox on packages alone", "write skip"},
		{"documentation", "file usr/share/doc/x/README 0644 x\nfile usr/share/doc/x/copyright 0644 x", "",
			"base image oci:IMAGE has what rule documentation of profile strict keeps out: /usr/share/doc/x/README", "write hardening: {waive: [{rule: documentation, reason: ...}]}, or flatten: true"},
		{"a set-user-id program", "file usr/bin/su 04755 x", "hardening: {waive: [{rule: privilege-tool-present, reason: x}]}", "rule privilege-bits of profile strict keeps out: /usr/bin/su", "flatten: true"},
		{"a set-user-id bit that a hard link brings", "hard usr/bin/other usr/bin/more 4755", "", "rule privilege-bits of profile strict keeps out: /usr/bin/more, /usr/bin/other", "flatten: true"},
		{"a shell", "elf usr/bin/dash 0755", "", "rule shell-present of profile strict keeps out: /usr/bin/dash (", "waive: [{rule: shell-present"},
		{"a device", "device dev/null", "", "has devices or named pipes, which have no place in an image: /dev/null", "flatten: true"},
		{"a named pipe", "pipe run/p", "", "no place in an image: /run/p", "flatten: true"},
		{"no merged /usr", "dir sbin/ 0755", "contents: {packages: [sharer]}", "has a directory /sbin, expected a link into /usr", "merged /usr"},
		{"no merged /usr, and no packages", "dir sbin/ 0755", "", "", ""},
		{"a file below a file", "file usr/bin/more/x 0644 x", "", `"usr/bin/more/x" cannot be extracted: resolve /usr/bin/more/x: not a directory`, ""},
		{"a hard link to nothing", "hard a b", "", `"a" cannot be extracted: it is a hard link to /b, which is not there`, ""},
		{"a database that is none", "file var/lib/dpkg/status.d/x 0644 Package: ../x\\nVersion: 1\\n", "", `/var/lib/dpkg/status.d/x: package "../x" has the version "1", expected a name and a version`, ""},
		{"accounts that are none", "file etc/passwd 0644 root\\n", "accounts: {groups: [{name: app, gid: 1000}], users: [{name: app, uid: 1000, gid: 1000}]}", "passwd line 1: 1 fields", ""},
		// And what may be.
		{"the same file again", "", "contents: {packages: [sharer]}", "", ""},
		{"a new time", "", "contents: {packages: [toucher]}", "", ""},
		{"an account that is there", "", "accounts: {groups: [{name: web, gid: 2033}], users: [{name: web, uid: 2033, gid: 2033, home: /srv}]}", "", ""},
		{"another mode of a directory", "", "paths: [{path: /var/lib/app, type: permissions, mode: \"0711\"}]", "", ""},
		{"a shell, waived", "elf usr/bin/dash 0755", "hardening: {waive: [{rule: shell-present, reason: x}]}", "", ""},
		{"what is in the database in vain", "file var/lib/dpkg/info/libtool1.list 0644 /../../etc/passwd\\n//usr//lib/libtool.so.1\\n", "", "", ""},
	} {
		image := "slim"
		if c.layer != "" {
			image = "image" + strings.ReplaceAll(c.name, " ", "")
			image = strings.NewReplacer("/", "", ",", "", "-", "").Replace(image)
			b.foreign(image, slimConfig, slim, more, c.layer)
		}
		b.write("refused.yaml", strings.Replace(spec, "%s", image, 1)+c.spec+"\n")
		res, err := Build(t.Context(), b.renewed("refused.yaml"))
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			dumpOnBase(t, res.Index.Images[0])
			continue
		}
		if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(c.want, "IMAGE", image)) {
			t.Errorf("%s: found %v\nwant %s", c.name, err, c.want)
			continue
		}
		if !strings.Contains(err.Error(), "refused.yaml:") {
			t.Errorf("%s: %v: not at a line of the spec", c.name, err)
		}
		if got := hints(err); !strings.Contains(got, c.hint) {
			t.Errorf("%s: hint is %q, want %q", c.name, got, c.hint)
		}
	}
}

// TestAccountsOfPackages declares the account that a package's script makes, since only
// what is declared can be run as by its name: as it is, and otherwise.
func TestAccountsOfPackages(t *testing.T) {
	b := baseBench(t)
	const spec = "platforms: [linux/amd64]\ncontents: {packages: [caller]}\naccounts: {run-as: caller, %s}\n"
	for _, c := range []struct{ accounts, want, hint string }{
		{"groups: [{name: caller, gid: 999}], users: [{name: caller, uid: 999, gid: 999, home: /nonexistent}]", "", ""},
		{"groups: [{name: caller, gid: 700}], users: [{name: caller, uid: 999, gid: 700, home: /nonexistent}]",
			`refused.yaml:7:37: group "caller": name already taken by gid 999`, "declare it as it is, {name: caller, gid: 999}"},
		{"groups: [{name: caller, gid: 999}], users: [{name: caller, uid: 999, gid: 999, home: /srv}]",
			`user "caller": name already taken by uid 999`, "declare it as it is, {name: caller, uid: 999, gid: 999, home: /nonexistent, shell: /usr/sbin/nologin}"},
	} {
		b.write("refused.yaml", fmt.Sprintf(spec, c.accounts))
		res, err := Build(t.Context(), b.renewed("refused.yaml"))
		if c.want == "" {
			if err != nil {
				t.Fatalf("%s: %v", c.accounts, err)
			}
			if u := res.Index.Images[0].Config.User; u != "999:999" {
				t.Errorf("it is run as %s", u)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hints(err), c.hint) {
			t.Errorf("%s: found %v, hint %q\nwant %s, hint %q", c.accounts, err, hints(err), c.want, c.hint)
		}
	}
}

// hints joins what errors advise.
func hints(err error) string {
	if all, ok := err.(Errors); ok {
		var texts []string
		for _, e := range all {
			texts = append(texts, hints(e))
		}
		return strings.Join(texts, "; ")
	}
	if h, ok := err.(interface{ Hint() string }); ok {
		return h.Hint()
	}
	return ""
}

// TestFlatten writes a base anew: without what the policy leaves out, what was replaced
// and what has no place in an image.
func TestFlatten(t *testing.T) {
	b := baseBench(t)
	b.foreign("slim", slimConfig, slim, more, `
		file usr/share/doc/x/README 0644 documentation
		hard usr/share/x usr/share/doc/x/README
		file usr/share/doc/x/copyright 0644 copyright
		dir usr/share/man/man1/ 0755
		file usr/share/man/man1/x.1 0644 manual
		file usr/bin/su 04755 su
		device dev/null
		hard usr/bin/too usr/bin/more 0755
		file usr/bin/tool-2 0755 #!/usr/bin/tool\n
		gone var/lib/app`)
	b.write("flat.yaml", `platforms: [linux/amd64]
from: oci:slim
flatten: true
contents: {packages: [picky, taker, remover]}
hardening: {waive: [{rule: privilege-tool-present, reason: x}]}
paths: [{path: /usr/bin/tool-2, type: permissions, mode: "0700"}]
`)
	res := b.build(b.renewed("flat.yaml"))
	img := res.Index.Images[0]
	dump := dumpOnBase(t, img)
	has(t, "tree", dump, `
		/usr/bin/su file 0755 0:0 | ours of the base
		/usr/bin/too file 0755 0:0 | ours of the base
		/usr/bin/tool-2 file 0700 0:0 | ours of the base
		/usr/lib/libtool.so.1 file 0644 0:0 | ours, package libtool1 1.4-1
		/usr/share/libtool1/new file 0644 0:0 | ours, package libtool1 1.4-1
		/usr/share/x file 0644 0:0 | ours of the base
		/usr/share/doc/x/copyright file 0644 0:0 | ours of the base
		/usr/lib/x86_64-linux-gnu/libc.so.6 file 0755 0:0 | ours, package libc6 2.41-12
		/var/lib/dpkg/status file 0644 0:0 | ours, hardpan, package database without what is installed in another version
		/var/lib dir
		- /usr/lib/libc.so
		- /var/lib/dpkg/info/libtool1.list
		- /usr/bin/more
		- /usr/share/man/
		- /usr/share/doc/x/README
		- /dev/null
		- /var/lib/app`)
	content := map[string]string{}
	for _, l := range img.Layers {
		for _, e := range entries(t, l) {
			if e.kind == "file" {
				content[e.name] = e.sha256
			}
		}
	}
	sum := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
	for name, want := range map[string]string{"usr/share/x": "documentation", "usr/bin/too": "more", "usr/lib/libtool.so.1": "newer library\n", "usr/bin/su": "su"} {
		if content[name] != sum(want) {
			t.Errorf("/%s has not the content %q", name, want)
		}
	}
	for _, gone := range []string{"manual"} {
		for name, is := range content {
			if is == sum(gone) {
				t.Errorf("/%s has what was left out", name)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(b.dir, "flat.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"why": "in place of 1.0-1 of the base image"`) {
		t.Errorf("the lock does not say what is replaced:\n%s", text)
	}
	rec := recordOf(t, img)
	if rec.Base.Layers != 0 || len(rec.Base.Overwritten) != 0 || rec.Package("libtool1").Version != "1.4-1" {
		t.Errorf("base is %+v", rec.Base)
	}
	var stripped []string
	for _, s := range rec.Stripped {
		stripped = append(stripped, s.Path+" "+s.Rule)
	}
	if got := strings.Join(stripped, ", "); got != "usr/bin/su privilege-bits, usr/share/doc/x/README documentation, usr/share/man/man1/x.1 documentation" {
		t.Errorf("stripped: %s", got)
	}
}

func recordOf(t *testing.T, img *oci.Image) *record.Record {
	t.Helper()
	rec, err := record.Decode(img.Config.Record)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// TestOnOwnBase stands on an image that hardpan built, and another on that one: what
// the record of the first says holds in the last.
func TestOnOwnBase(t *testing.T) {
	b := baseBench(t)
	b.write("first.yaml", "contents: {packages: [base-files, hello]}\naccounts: {groups: [{name: app, gid: 1000}], users: [{name: app, uid: 1000, gid: 1000}], run-as: app}\nentrypoint: [/usr/bin/hello]\ncmd: [x]\n"+
		"paths: [{path: /srv/first, type: file, content: x}]\n")
	o := b.options("first.yaml")
	o.Outputs.Layout = filepath.Join(b.dir, "first")
	first := b.build(o)
	b.write("second.yaml", "from: oci:first\ncontents: {packages: [tool, libc6]}\naccounts: {run-as: \"7\"}\ncmd: [y]\n")
	o = b.renewed("second.yaml")
	o.Outputs.Layout = filepath.Join(b.dir, "second")
	second := b.build(o)
	b.write("third.yaml", "from: oci:second\naccounts: {groups: [{name: other, gid: 2000}]}\nentrypoint: [/usr/bin/hi]\n")
	third := b.build(b.renewed("third.yaml"))
	for i, img := range third.Index.Images {
		below := first.Index.Images[i]
		for j, l := range below.Layers {
			if img.Layers[j].Digest != l.Digest {
				t.Errorf("%s: layer %d is not the first image's", img.Platform, j)
			}
		}
		has(t, img.Platform.String(), dumpOnBase(t, img), `
			/usr/bin/hello file 0755 0:0 | base layer 1 of the base, package hello 2.10-3
			/srv/first file 0644 0:0 | base layer 4 of the base, spec first.yaml:
			/usr/share/tool/file file 0644 0:0 | base layer 5 of the base, package tool 1.2-1
			/etc/group file 0644 0:0 | ours, hardpan, accounts of the packages and of the spec
			/etc/passwd file 0644 0:0 | base layer 6 of the base, hardpan, accounts of the packages`)
		c := img.Config
		if got := strings.Join(c.Entrypoint, " ") + "|" + strings.Join(c.Cmd, " ") + "|" + c.User; got != "/usr/bin/hi||7:7" {
			t.Errorf("runs %s", got)
		}
		if c := second.Index.Images[i].Config; strings.Join(c.Entrypoint, " ")+"|"+strings.Join(c.Cmd, " ") != "/usr/bin/hello|y" {
			t.Errorf("the second runs %q %q", c.Entrypoint, c.Cmd)
		}
		rec := recordOf(t, img)
		if p := rec.Package("hello"); p == nil || p.SHA256 == "" || p.Path == "" {
			t.Errorf("of hello is known %+v", p)
		}
		if rec.Base.Base == nil || rec.Base.Base.Digest != below.Digest || rec.Base.Digest != second.Index.Images[i].Digest || len(rec.Packages) != 0 {
			t.Errorf("stands on %+v", rec.Base)
		}
		if got := img.Annotations["org.opencontainers.image.base.digest"]; got != string(second.Index.Images[i].Digest) {
			t.Errorf("base digest is %s", got)
		}
	}
	if got := third.Index.Annotations["org.opencontainers.image.base.digest"]; got != string(second.Digest) {
		t.Errorf("base digest of the index is %s", got)
	}
	l, err := lock.Read(filepath.Join(b.dir, "second.lock"))
	if err != nil {
		t.Fatal(err)
	}
	p := l.Platforms["linux/amd64"]
	if len(p.Packages) != 1 || len(p.Installed) != 1 || !reflect.DeepEqual(p.Installed[0], lock.Installed{Name: "libc6", Version: "2.41-12", Architecture: "amd64", Why: "requested"}) {
		t.Errorf("the lock has %+v and counts on %+v", p.Packages, p.Installed)
	}
}

// TestBaseIsReproducible builds on a base twice, with caches of their own and with one
// that remembers what scripts did.
func TestBaseIsReproducible(t *testing.T) {
	b := baseBench(t)
	b.foreign("slim", slimConfig, slim, more)
	b.write("on.yaml", "platforms: [linux/amd64]\nfrom: oci:slim\ncontents: {packages: [greeter]}\npaths: [{path: /x, type: file, content: x}]\n")
	first := b.build(b.renewed("on.yaml"))
	for _, flatten := range []string{"", "flatten: true\n"} {
		b.write("again.yaml", "platforms: [linux/amd64]\nfrom: oci:slim\ncontents: {packages: [greeter]}\npaths: [{path: /x, type: file, content: x}]\n"+flatten)
		var digests []store.Digest
		for _, cache := range []string{"one", "two", "one"} {
			o := b.renewed("again.yaml")
			o.CacheDir = filepath.Join(b.dir, cache)
			digests = append(digests, b.build(o).Images[0].Digest)
		}
		// What scripts did is taken from the cache: another time of the image.
		o := b.renewed("again.yaml")
		o.CacheDir = filepath.Join(b.dir, "one")
		o.Jobs = 1
		digests = append(digests, b.build(o).Images[0].Digest)
		for _, d := range digests {
			if d != digests[0] {
				t.Errorf("flatten %q: digests are %v", flatten, digests)
			}
		}
	}
	b.write("on.yaml", "platforms: [linux/amd64]\nfrom: oci:slim\ncontents: {packages: [greeter]}\npaths: [{path: /x, type: file, content: x}]\nlayering: {budget: 1}\n")
	one := b.build(b.renewed("on.yaml"))
	if a, b := dumpOnBase(t, first.Index.Images[0]), dumpOnBase(t, one.Index.Images[0]); a != b || len(one.Index.Images[0].Layers) != 3 {
		t.Errorf("with %d layers:\n%s", len(one.Index.Images[0].Layers), difference(a, b))
	}
	e, err := Explain(t.Context(), filepath.Join(b.dir, "out", "on.yaml"), "/lib/libtool.so.1", ExplainOptions{})
	if err != nil || len(e.Steps) != 1 || !strings.HasSuffix(e.Steps[0].Origin, ", package libtool1 1.0-1 by its database") || e.Steps[0].Package == nil {
		t.Errorf("explained as %+v, %v", e, err)
	}
}
