package dpkg_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/maint/dpkg"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// system is what the tables run over: two packages that are installed, one on its
// way.
func system() dpkg.System {
	control := func(text string) debian.Paragraph {
		p, err := debian.NewControlReader(strings.NewReader(text)).Next()
		if err != nil {
			panic(err)
		}
		return p
	}
	return dpkg.System{
		Architecture: "amd64",
		Packages: []*dpkg.Package{
			{
				Name: "libfoo1", Version: "1:2.0-3+b1", Architecture: "amd64", State: dpkg.Installed,
				Control: control("Package: libfoo1\nSource: foo (1:2.0-3)\nVersion: 1:2.0-3+b1\nArchitecture: amd64\nMulti-Arch: same\nMaintainer: A B <a@example.org>\nDepends: libc6 (>= 2.38), bar | baz\nHomepage: https://example.org\nDescription: library of foo\n More about it.\n"),
				Paths:   []string{"/.", "/usr", "/usr/lib", "/usr/lib/libfoo.so.1"},
			},
			{
				Name: "dash", Version: "0.5.12-12", Architecture: "amd64", State: dpkg.Unpacked,
				Control:      control("Package: dash\nVersion: 0.5.12-12\nArchitecture: amd64\nEssential: yes\nPriority: required\nDescription: POSIX-compliant shell\n"),
				Paths:        []string{"/.", "/etc", "/etc/dash.conf", "/usr", "/usr/bin", "/usr/bin/dash"},
				Conffiles:    []dpkg.Conffile{{Path: "/etc/dash.conf", MD5: "0123456789abcdef0123456789abcdef"}},
				ControlFiles: map[string]string{"postinst": "#!/bin/sh\n", "md5sums": "abc  usr/bin/dash\n"},
			},
			{Name: "later", Version: "1", Architecture: "all"},
		},
	}
}

var scripts = []struct{ name, script, want string }{
	{"architecture", "dpkg --print-architecture; dpkg --print-foreign-architectures; dpkg --assert-multi-arch; echo $?; dpkg --assert-foo; echo $?", "amd64\n0\n2\n"},
	{"validation", `for v in 1.0-1 abc "a b" "" 1: x:1 1-; do dpkg --validate-version "$v"; echo $?; done; dpkg --validate-pkgname a_; echo $?; dpkg --validate-pkgname 'a!'; echo $?`, "0\n1\n2\n2\n2\n2\n2\n0\n2\n"},
	{"show", `dpkg-query -W; dpkg-query -W -f '${Package}|${Version}|${Status}|${db:Status-Abbrev}|${binary:Package}|${source:Package} ${source:Version} ${source:Upstream-Version}|${Nope}|${Package;10}|${Package;-10}|${Essential}|${Description}\n' libfoo1`,
		"dash\t0.5.12-12\nlibfoo1:amd64\t1:2.0-3+b1\nlibfoo1|1:2.0-3+b1|install ok installed|ii |libfoo1:amd64|foo 1:2.0-3 2.0||   libfoo1|libfoo1   |no|library of foo\n More about it.\n"},
	{"show what is not there", `dpkg-query -W nosuch; echo $?; dpkg-query -W -f '${Status} ${Version}\n' bar; echo $?; dpkg-query -W later; echo $?; dpkg -s later; echo $?; dpkg-query -W -f '${Package' dash; echo $?`, "1\nunknown ok not-installed \n0\n1\n1\n2\n"},
	{"patterns", `dpkg-query -W -f '${Package} ' 'lib*'; dpkg-query -W -f '${Package} ' '[bd]a*' libfoo1:amd64 libfoo1:i386; echo $?`, "libc6 libfoo1 bar baz dash libfoo1 1\n"},
	{"conffiles", `dpkg-query -W -f '[${Conffiles}]\n' dash libfoo1`, "[ /etc/dash.conf 0123456789abcdef0123456789abcdef]\n[]\n"},
	{"list", `dpkg -l dash bar`, `Desired=Unknown/Install/Remove/Purge/Hold
| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend
|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)
||/ Name           Version      Architecture Description
+++-==============-============-============-=================================
un  bar            <none>       <none>       (no description available)
iU  dash           0.5.12-12    amd64        POSIX-compliant shell
`},
	{"files", `dpkg -L dash; dpkg -L nosuch; echo $?; dpkg -S /usr/bin/dash bin/da /nope; echo $?; dpkg -S /usr`, "/.\n/etc\n/etc/dash.conf\n/usr\n/usr/bin\n/usr/bin/dash\n1\ndash: /usr/bin/dash\ndash: /usr/bin/dash\n1\ndash, libfoo1:amd64: /usr\n"},
	{"status", `dpkg -s dash libfoo1`, `Package: dash
Essential: yes
Status: install ok unpacked
Priority: required
Architecture: amd64
Version: 0.5.12-12
Conffiles:
 /etc/dash.conf 0123456789abcdef0123456789abcdef
Description: POSIX-compliant shell

Package: libfoo1
Status: install ok installed
Maintainer: A B <a@example.org>
Architecture: amd64
Multi-Arch: same
Source: foo (1:2.0-3)
Version: 1:2.0-3+b1
Depends: libc6 (>= 2.38), bar | baz
Description: library of foo
 More about it.
Homepage: https://example.org
`},
	{"selections", `dpkg --get-selections 'd*' libfoo1`, "dash\t\t\t\t\t\tinstall\nlibfoo1:amd64\t\t\t\t\tinstall\n"},
	{"control files", `dpkg-query --control-list dash; dpkg-query --control-show dash md5sums`, "md5sums\npostinst\nabc  usr/bin/dash\n"},
	{"wrong calls", `dpkg --compare-cversions 1 lt 2; echo $?; dpkg; echo $?; dpkg-query; echo $?; dpkg-query -s 'a*'; echo $?; dpkg-divert --nope /x; echo $?; dpkg-statoverride; echo $?`, "2\n2\n2\n2\n2\n2\n"},
	{"triggers", `export DPKG_MAINTSCRIPT_PACKAGE=dash; dpkg-trigger --no-await ldconfig; dpkg-trigger /usr/share; dpkg-trigger --by-package=libfoo1 x; dpkg-trigger 'a b'; echo $?; dpkg-trigger a b; echo $?; unset DPKG_MAINTSCRIPT_PACKAGE; dpkg-trigger x; echo $?; dpkg-trigger --check-supported; echo $?`,
		"trigger ldconfig by dash, await false\ntrigger /usr/share by dash, await true\ntrigger x by libfoo1, await true\n2\n2\n2\n0\n"},
	{"maintscript-helper in a new installation", `export DPKG_MAINTSCRIPT_PACKAGE=dash DPKG_MAINTSCRIPT_NAME=preinst
		dpkg-maintscript-helper supports rm_conffile; echo $?; dpkg-maintscript-helper supports foo; echo $?
		dpkg-maintscript-helper rm_conffile /etc/x 1.0~ dash -- install; echo $?
		dpkg-maintscript-helper mv_conffile /etc/x /etc/y 1.0~ -- install ""; echo $?
		DPKG_MAINTSCRIPT_NAME=postinst; dpkg-maintscript-helper symlink_to_dir /usr/l x 1~ -- configure ""; echo $?
		dpkg-maintscript-helper dir_to_symlink /usr/d x 1~ dash -- configure; echo $?
		dpkg-maintscript-helper rm_conffile etc/x -- configure; echo $?
		dpkg-maintscript-helper rm_conffile /etc/x 'a b' -- configure; echo $?
		dpkg-maintscript-helper rm_conffile /etc/x 1.0; echo $?; dpkg-maintscript-helper frob -- x; echo $?`,
		"0\n1\n0\n0\n0\n0\n1\n1\n1\n1\n"},
	{"vendor", `dpkg-vendor --is debian; echo $?; dpkg-vendor --derives-from Ubuntu; echo $?; dpkg-vendor --query vendor-url; dpkg-vendor --query Nope; echo $?`, "0\n1\nhttps://www.debian.org/\n1\n"},
	{"architecture variables", `dpkg-architecture -qDEB_HOST_MULTIARCH; dpkg-architecture -a i386 -q DEB_HOST_MULTIARCH; dpkg-architecture -l | head -3 2>/dev/null; dpkg-architecture -i linux-any; echo $?`, "x86_64-linux-gnu\ni386-linux-gnu\n0\n"},
	{"realpath", `dpkg-realpath /usr/l; dpkg-realpath /nope/x; cd /usr; dpkg-realpath x`, "/usr/bin/x\n/nope/x\n/usr/x\n"},
}

// run runs a script over a small tree and returns what it printed.
func run(t *testing.T, script string) (string, *tree.Tree, *dpkg.Dpkg) {
	t.Helper()
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	for name, content := range map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\nman:x:6:12::/:/bin/sh\n", "etc/group": "root:x:0:\nmail:x:8:\n",
		"etc/dpkg/origins/debian": "Vendor: Debian\nVendor-URL: https://www.debian.org/\n", "usr/bin/x": "x", "t/a": "a\n", "t/d/f": "",
	} {
		if err := tr.WriteFile(name, []byte(content), 0o644, nil); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"usr/l": "bin/x", "etc/dpkg/origins/default": "debian"} {
		if err := tr.Symlink(name, to, nil); err != nil {
			t.Fatal(err)
		}
	}
	var told strings.Builder
	sys := system()
	sys.Trigger = func(_ context.Context, a dpkg.Activation) error {
		fmt.Fprintf(&told, "trigger %s by %s, await %v\n", a.Trigger, a.Package, a.Await)
		return nil
	}
	d := dpkg.New(sys)
	sh := &shell.Shell{FS: rootfs.New(tr, 0), Commands: d.Commands()}
	out, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: "exec 2>/dev/null\n" + script + "\nexit 0", Env: []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return told.String() + string(out), tr, d
}

func TestScripts(t *testing.T) {
	for _, tt := range scripts {
		t.Run(tt.name, func(t *testing.T) {
			if got, _, _ := run(t, tt.script); got != tt.want {
				t.Errorf("%s\nprinted\n%s\nwant\n%s", tt.script, got, tt.want)
			}
		})
	}
}

// changes are scripts over /t whose tree counts too. TestRealDpkg runs them with
// the host's dpkg.
var changes = []struct{ name, script, printed, tree string }{
	{"divert and rename", `dpkg-divert --add --rename --divert /t/b --package foo /t/a; dpkg-divert --list; dpkg-divert --truename /t/a; dpkg-divert --listpackage /t/a; dpkg-divert --truename /nope`,
		"Adding 'diversion of /t/a to /t/b by foo'\ndiversion of /t/a to /t/b by foo\n/t/b\nfoo\n/nope\n", "b d d/f"},
	{"many diversions", `for f in /lib/libhistory.so.8 /t/x /lib32 /libo32 /t/y /usr/bin/which; do dpkg-divert --quiet --no-rename --package foo $f; done; dpkg-divert --list; for f in /t/k /usr/bin/x /t/j /srv; do dpkg-statoverride --add root mail 755 $f; done; dpkg-statoverride --list`,
		"diversion of /lib/libhistory.so.8 to /lib/libhistory.so.8.distrib by foo\ndiversion of /t/x to /t/x.distrib by foo\ndiversion of /t/y to /t/y.distrib by foo\ndiversion of /lib32 to /lib32.distrib by foo\ndiversion of /usr/bin/which to /usr/bin/which.distrib by foo\ndiversion of /libo32 to /libo32.distrib by foo\nroot mail 755 /usr/bin/x\nroot mail 755 /srv\nroot mail 755 /t/j\nroot mail 755 /t/k\n", "a d d/f"},
	{"divert without rename", `dpkg-divert --no-rename /t/a; dpkg-divert --local --no-rename /t/a; dpkg-divert --listpackage /t/a`,
		"Adding 'local diversion of /t/a to /t/a.distrib'\nLeaving 'local diversion of /t/a to /t/a.distrib'\nLOCAL\n", "a d d/f"},
	{"package from the environment", `DPKG_MAINTSCRIPT_PACKAGE=foo dpkg-divert --quiet --rename /t/a; dpkg-divert --list '/t/*' | cat`, "diversion of /t/a to /t/a.distrib by foo\n", "a.distrib d d/f"},
	{"remove", `dpkg-divert --quiet --rename --package foo --add /t/a; dpkg-divert --rename --package foo --remove /t/a; dpkg-divert --rename --remove /t/a; dpkg-divert --no-rename --package foo --remove /t/a`,
		"Removing 'diversion of /t/a to /t/a.distrib by foo'\nNo diversion 'any diversion of /t/a', none removed.\nNo diversion 'diversion of /t/a by foo', none removed.\n", "a d d/f"},
	{"clashes", `dpkg-divert --quiet --no-rename --package foo /t/a; dpkg-divert --no-rename --package bar /t/a; echo $?; dpkg-divert --no-rename --package bar --remove /t/a; echo $?; dpkg-divert --no-rename --package foo --divert /t/q --remove /t/a; echo $?`,
		"2\n2\n2\n", "a d d/f"},
	{"overwriting", `dpkg-divert --quiet --rename /t/a; echo other >/t/a; dpkg-divert --rename --remove /t/a; echo $?`, "Removing 'local diversion of /t/a to /t/a.distrib'\n2\n", "a a.distrib d d/f"},
	{"directories", `dpkg-divert --no-rename /t/d; echo $?; dpkg-divert --no-rename t/a; echo $?; dpkg-divert --no-rename; echo $?`, "2\n2\n2\n", "a d d/f"},
	{"a file that is not there", `dpkg-divert --rename /t/none`, "Adding 'local diversion of /t/none to /t/none.distrib'\n", "a d d/f"},
	{"--test", `dpkg-divert --test --rename /t/a; dpkg-divert --list`, "Adding 'local diversion of /t/a to /t/a.distrib'\n", "a d d/f"},
	{"statoverride", `dpkg-statoverride --update --add root mail 2640 /t/a; dpkg-statoverride --list; dpkg-statoverride --list /t/none; echo $?; dpkg-statoverride --list '/t/*'; dpkg-statoverride --remove /t/a; echo $?; dpkg-statoverride --list; echo $?`,
		"root mail 2640 /t/a\n1\nroot mail 2640 /t/a\n0\n1\n", "a:8:2640 d d/f"},
	{"statoverride again", `dpkg-statoverride --add root mail 755 /t/a; dpkg-statoverride --add root mail 644 /t/a; echo $?; dpkg-statoverride --force-all --update --add root root 640 /t/a; echo $?; dpkg-statoverride --list /t/a`, "2\n0\nroot root 640 /t/a\n", "a:0:640 d d/f"},
	{"statoverride without the path", `dpkg-statoverride --update --add '#4212' '#8' 1755 /t/none; echo $?; dpkg-statoverride --remove /t/a; echo $?; dpkg-statoverride --list`, "0\n2\n#4212 mail 1755 /t/none\n", "a d d/f"},
	{"statoverride of wrong values", `dpkg-statoverride --add nosuch mail 644 /t/a; echo $?; dpkg-statoverride --add root mail 99 /t/a; echo $?; dpkg-statoverride --add root mail 644; echo $?`, "2\n2\n2\n", "a d d/f"},
}

func TestChanges(t *testing.T) {
	for _, tt := range changes {
		t.Run(tt.name, func(t *testing.T) {
			script := strings.ReplaceAll(tt.script, " | cat", "")
			got, tr, _ := run(t, script)
			var names []string
			for n := range tr.All() {
				name, ok := strings.CutPrefix(n.Path, "t/")
				if !ok {
					continue
				}
				if n.GID != 0 || n.Mode != 0o644 && n.Type == tree.File {
					name = fmt.Sprintf("%s:%d:%o", name, n.GID, n.Mode)
				}
				names = append(names, name)
			}
			if got != tt.printed || strings.Join(names, " ") != tt.tree {
				t.Errorf("%s\nprinted %q, want %q\nleft %v, want %s", tt.script, got, tt.printed, names, tt.tree)
			}
		})
	}
}

// The expectations above are dpkg's.
func TestRealDpkg(t *testing.T) {
	if _, err := exec.LookPath("dpkg-divert"); err != nil || os.Getuid() != 0 {
		t.Skip("SKIPPED: no dpkg on this host, or not root: the expectations were not compared with it")
	}
	for _, tt := range changes {
		root := t.TempDir()
		for name, content := range map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\nmail:x:8:\n", "t/a": "a\n", "t/d/f": "", "var/lib/dpkg/status": "", "var/lib/dpkg/info/format": "1\n"} {
			at := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("sh", "-c", strings.ReplaceAll(tt.script, ">/t/", ">"+root+"/t/"))
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DPKG_ROOT=" + root, "DPKG_ADMINDIR=" + root + "/var/lib/dpkg", "LC_ALL=C"}
		out, _ := cmd.Output() // with the status that the script has
		if string(out) != tt.printed {
			t.Errorf("%s: dpkg prints %q, the table says %q", tt.script, out, tt.printed)
		}
		_, _, d := run(t, strings.ReplaceAll(tt.script, " | cat", ""))
		ours := d.Files()
		for _, name := range []string{dpkg.DiversionsPath, dpkg.OverridesPath} {
			if b, err := os.ReadFile(filepath.Join(root, name)); string(b) != string(ours[name]) {
				t.Errorf("%s: dpkg writes %s %q (%v), we %q", tt.script, name, b, err, ours[name])
			}
		}
		entries, err := os.ReadDir(root + "/t")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		var want []string
		for _, name := range strings.Fields(tt.tree) {
			if name, _, _ = strings.Cut(name, ":"); !strings.Contains(name, "/") {
				want = append(want, name)
			}
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: dpkg leaves %v, the table says %v", tt.script, names, want)
		}
	}
}

// versions and relations are compared with each other: by dpkg too, where the
// host has it.
func TestRealCompareVersions(t *testing.T) {
	real, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("SKIPPED: no dpkg on this host: comparisons of versions were not compared with it")
	}
	var script strings.Builder
	for _, a := range []string{"", "1", "1.0-1", "2:0", "<unknown>", "a b"} {
		for _, b := range []string{"", "1", "1.0-1~", "abc", "1:"} {
			for _, op := range []string{"lt", "le", "eq", "ne", "ge", "gt", "lt-nl", "le-nl", "ge-nl", "gt-nl", "<", "<=", "<<", "=", ">", ">=", ">>", "foo"} {
				fmt.Fprintf(&script, "dpkg --compare-versions '%s' '%s' '%s'; echo \"%s %s %s $?\"\n", a, op, b, a, op, b)
			}
		}
	}
	ours, _, _ := run(t, script.String())
	cmd := exec.Command("sh", "-c", strings.ReplaceAll(script.String(), "dpkg ", real+" "))
	theirs, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if ours != string(theirs) {
		a, b := strings.Split(ours, "\n"), strings.Split(string(theirs), "\n")
		for i := range a {
			if i < len(b) && a[i] != b[i] {
				t.Errorf("got %s, dpkg has %s", a[i], b[i])
			}
		}
	}
}
