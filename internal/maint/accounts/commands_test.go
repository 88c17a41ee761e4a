package accounts_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/maint/files"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/shell/shelltest"
	"github.com/hardpan/hardpan/internal/tree"
)

// The cases were recorded with trixie's programs, in a directory that "mmdebstrap
// --variant=apt --include=adduser,systemd,passwd trixie DIR" made and that has
// /proc, and whose account files they replace:
//
//	go test ./internal/maint/accounts -run TestReal -args -debian-root DIR -record
var caseFiles = []string{"shadow", "adduser", "sysusers", "lookup"}

// base is what each case begins with.
var base = []struct {
	path, text string
	mode, gid  uint32
}{
	{"etc/passwd", "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nman:x:6:12:man:/var/cache/man:/usr/sbin/nologin\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n", 0o644, 0},
	{"etc/group", "root:x:0:\ndaemon:x:1:\nadm:x:4:\nmail:x:8:\nman:x:12:\nwww-data:x:33:\nshadow:x:42:\naudio:x:29:daemon\nusers:x:100:\nnogroup:x:65534:\n", 0o644, 0},
	{"etc/shadow", "root:*:20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\nman:*:20000:0:99999:7:::\nwww-data:*:20000:0:99999:7:::\n_apt:!:20000::::::\nnobody:*:20000:0:99999:7:::\n", 0o640, 42},
	{"etc/gshadow", "root:*::\ndaemon:*::\nadm:*::\nmail:*::\nman:*::\nwww-data:*::\nshadow:*::\naudio:*::daemon\nusers:*::\nnogroup:*::\n", 0o640, 42},
	{"etc/subuid", "", 0o644, 0},
	{"etc/subgid", "", 0o644, 0},
	{"etc/login.defs", "MAIL_DIR /var/mail\nHOME_MODE 0700\nPASS_MAX_DAYS 99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 7\nUID_MIN 1000\nUID_MAX 60000\nSUB_UID_MIN 100000\nSUB_UID_MAX 600100000\nSUB_UID_COUNT 65536\nGID_MIN 1000\nGID_MAX 60000\nSUB_GID_MIN 100000\nSUB_GID_MAX 600100000\nSUB_GID_COUNT 65536\nUSERGROUPS_ENAB yes\nENCRYPT_METHOD YESCRYPT\n", 0o644, 0},
	{"etc/default/useradd", "# defaults\nSHELL=/bin/sh\n", 0o644, 0},
	{"etc/adduser.conf", "# all as it is\n", 0o644, 0},
	{"etc/deluser.conf", "# all as it is\n", 0o644, 0},
	{"etc/skel/.profile", "# profile\n", 0o644, 0},
	{"etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\ngshadow: files\nhosts: files dns\n", 0o644, 0},
	{"etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n", 0o644, 0},
	{"etc/shells", "/bin/sh\n/bin/bash\n", 0o644, 0},
	{"usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/bash\ndaemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nman:*:6:12:man:/var/cache/man:/usr/sbin/nologin\nwww-data:*:33:33:www-data:/var/www:/usr/sbin/nologin\n_apt:*:42:65534::/nonexistent:/usr/sbin/nologin\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n", 0o644, 0},
	{"usr/share/base-passwd/group.master", "root:*:0:\ndaemon:*:1:\nadm:*:4:\nmail:*:8:\nman:*:12:\naudio:*:29:\nwww-data:*:33:\nshadow:*:42:\nusers:*:100:\nnogroup:*:65534:\n", 0o644, 0},
}

// dirs are the directories that a case begins without, and that are looked at after
// it.
var dirs = []string{"home", "var/lib/app", "srv", "work"}

func newShell(tb testing.TB) *shell.Shell {
	t := tree.New(&tree.Origin{Kind: tree.FromBuilder}, shelltest.Time)
	f := rootfs.New(t, shelltest.Time)
	for _, b := range base {
		name := "/" + b.path
		if err := f.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := f.WriteFile(name, []byte(b.text), b.mode); err != nil {
			tb.Fatal(err)
		}
		if err := f.Chown(name, 0, b.gid, true); err != nil {
			tb.Fatal(err)
		}
	}
	for _, dir := range append([]string{"var/lib", "usr/lib/sysusers.d", "etc/sysusers.d", "run"}, dirs...) {
		if err := f.MkdirAll("/"+dir, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	if err := f.RemoveAll("/var/lib/app"); err != nil {
		tb.Fatal(err)
	}
	commands := accounts.Commands()
	for name, do := range files.Commands() {
		commands[name] = do
	}
	commands["cat"] = cat
	return &shell.Shell{FS: f, Commands: commands}
}

// cat is cat(1) of the standard input.
func cat(_ context.Context, p *shell.Proc) (int, error) {
	_, err := io.Copy(p.Stdout, p.Stdin)
	return 0, err
}

// watched reports whether a path is one of those whose changes a case shows.
func watched(name string) bool {
	if dir, file := filepath.Split(name); dir == "etc/" {
		file = strings.TrimSuffix(file, "-")
		return file == ".pwd.lock" || file == "subuid" || file == "subgid" || slices.ContainsFunc(base, func(b struct {
			path, text string
			mode, gid  uint32
		}) bool {
			return b.path == "etc/"+file
		})
	}
	return slices.ContainsFunc(dirs, func(d string) bool { return strings.HasPrefix(name, d+"/") || name == "var/lib/app" })
}

// changes returns what differs from the base: lines of files that were there, and
// whole paths that were not. A backup is compared with the file that it is one of.
func changes(after []shelltest.Entry, read func(string) string) string {
	var out strings.Builder
	before := map[string]string{}
	status := map[string]string{}
	for _, b := range base {
		if dir := filepath.Dir(b.path); dir == "etc" {
			before[b.path] = b.text
			status[b.path] = fmt.Sprintf(" %s 0:%d", os.FileMode(b.mode), b.gid)
		}
	}
	there := map[string]bool{}
	for _, e := range after {
		there[e.Path] = true
		if !watched(e.Path) {
			continue
		}
		of := strings.TrimSuffix(e.Path, "-")
		text, isBase := before[of]
		if !isBase {
			out.WriteString("| " + e.Path + e.Status + e.Content + "\n")
			continue
		}
		lines := diff(text, read(e.Path))
		if e.Path == of && lines == "" && e.Status == status[of] {
			continue
		}
		out.WriteString("| " + e.Path)
		if e.Status != status[of] {
			out.WriteString(e.Status)
		}
		out.WriteString("\n" + lines)
	}
	for _, b := range base {
		if filepath.Dir(b.path) == "etc" && !there[b.path] {
			out.WriteString("| " + b.path + " is gone\n")
		}
	}
	return out.String()
}

// diff returns the lines that went and came, in the order of the files, and says
// where they came if that is not the end.
func diff(before, after string) string {
	a, b := strings.SplitAfter(before, "\n"), strings.SplitAfter(after, "\n")
	var out strings.Builder
	for _, l := range a {
		if !slices.Contains(b, l) {
			out.WriteString("  -" + l)
		}
	}
	last := slices.IndexFunc(b, func(l string) bool { return l == "" })
	for i, l := range b {
		if slices.Contains(a, l) {
			continue
		}
		at := ""
		if rest := b[i:max(i, last)]; slices.ContainsFunc(rest, func(l string) bool { return slices.Contains(a, l) }) {
			at = fmt.Sprintf("%d ", i+1)
		}
		out.WriteString("  +" + at + l)
	}
	return out.String()
}

func TestCommands(t *testing.T) {
	for _, file := range caseFiles {
		for _, c := range shelltest.Load(t, "testdata/"+file+".txt") {
			t.Run(file+"/"+c.Name, func(t *testing.T) {
				sh := newShell(t)
				out := shelltest.Run(t, sh, c)
				got := shelltest.Printed(out) + changes(timeless(shelltest.Tree(sh.FS, "/")), func(name string) string {
					b, err := sh.FS.ReadFile("/" + name)
					if err != nil {
						t.Error(err)
					}
					return string(b)
				})
				if got != c.Want {
					t.Errorf("%sgot:\n%swant, as the real programs do:\n%s", c.Script, got, c.Want)
				}
			})
		}
	}
}

// timeless takes the times off, for the base has none of its own.
func timeless(entries []shelltest.Entry) []shelltest.Entry {
	for i, e := range entries {
		if at := strings.LastIndexByte(e.Content, ' '); at >= 0 && strings.HasSuffix(e.Content, "Z") {
			if _, err := time.Parse(time.RFC3339, e.Content[at+1:]); err == nil {
				entries[i].Content = e.Content[:at]
			}
		}
	}
	return entries
}

// The expectations are those of the real programs.
func TestRealCommands(t *testing.T) {
	root := *shelltest.Root
	if root == "" {
		t.Skip("SKIPPED: needs the directory of a Debian trixie as -debian-root: the expectations were not compared with its programs")
	}
	for _, file := range caseFiles {
		shelltest.CheckReal(t, "testdata/"+file+".txt", func(tb testing.TB, c shelltest.Case) string {
			reset(tb, root)
			out := shelltest.RunReal(tb, c, filepath.Join(root, "work"))
			var entries []shelltest.Entry
			for _, dir := range []string{"etc", "home", "srv", "var/lib", "work"} {
				for _, e := range shelltest.Disk(tb, filepath.Join(root, dir)) {
					e.Path = dir + "/" + e.Path
					entries = append(entries, e)
				}
			}
			slices.SortFunc(entries, func(a, b shelltest.Entry) int { return strings.Compare(a.Path, b.Path) })
			return shelltest.Printed(out) + changes(timeless(entries), func(name string) string {
				b, err := os.ReadFile(filepath.Join(root, name))
				if err != nil {
					tb.Error(err)
				}
				return string(b)
			})
		})
	}
}

// reset brings a directory with a Debian system to the base.
func reset(tb testing.TB, root string) {
	tb.Helper()
	must := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	for _, dir := range append([]string{"etc/sysusers.d", "usr/lib/sysusers.d", "etc/skel"}, dirs...) {
		must(os.RemoveAll(filepath.Join(root, dir)))
	}
	for _, name := range []string{"passwd", "group", "shadow", "gshadow", "subuid", "subgid"} {
		must(os.RemoveAll(filepath.Join(root, "etc", name+"-")))
	}
	must(os.RemoveAll(filepath.Join(root, "etc/.pwd.lock")))
	for _, dir := range append([]string{"etc/sysusers.d", "usr/lib/sysusers.d", "etc/skel"}, dirs...) {
		if dir != "var/lib/app" {
			must(os.MkdirAll(filepath.Join(root, dir), 0o755))
		}
	}
	for _, b := range base {
		name := filepath.Join(root, b.path)
		must(os.WriteFile(name, []byte(b.text), 0o644))
		must(os.Chmod(name, os.FileMode(b.mode)))
		must(os.Chown(name, 0, int(b.gid)))
	}
}
