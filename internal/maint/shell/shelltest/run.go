package shelltest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// Time is that of the image in which cases run: noon of 2025-08-09, a Saturday.
const Time = 1754740800

const (
	work = "/work" // where a script starts
	path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// Interpret runs a case over the tree of sh and returns what it prints and leaves in
// /work.
func Interpret(tb testing.TB, sh *shell.Shell, c Case) string {
	tb.Helper()
	out := Run(tb, sh, c)
	return Text(out, Tree(sh.FS, work))
}

// Run interprets the script of a case, in /work, and returns what it prints. What is
// not supported fails the test.
func Run(tb testing.TB, sh *shell.Shell, c Case) []byte {
	tb.Helper()
	if err := sh.FS.MkdirAll(work, 0o755); err != nil {
		tb.Fatal(err)
	}
	if sh.Origin == nil {
		sh.Origin = func(command string) *tree.Origin {
			return &tree.Origin{Kind: tree.FromScript, Package: "test", Script: "script", Command: command}
		}
	}
	out, err := sh.Run(tb.Context(), shell.Script{Name: "script", Text: "cd " + work + "\n" + c.Script, Env: []string{path, "LC_ALL=C", "TZ=UTC"}})
	if e, ok := errors.AsType[*shell.Error](err); err != nil && (!ok || e.Err != nil) {
		tb.Errorf("%s: %v", c.Name, err)
	}
	return out
}

// Text joins what is printed with what is left.
func Text(out []byte, left []Entry) string {
	s := Printed(out)
	for _, e := range left {
		s += "| " + e.Path + e.Status + e.Content + "\n"
	}
	return s
}

// Printed is the output of a script, ended by a line break.
func Printed(out []byte) string {
	s := string(out)
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "(no newline)\n"
	}
	return s
}

// Entry is one path that is there.
type Entry struct {
	Path    string
	Status  string // type, mode, owner, the target of a link, the time where it is not the image's
	Content string // of a file, quoted
}

// Tree returns the paths below dir, sorted.
func Tree(f *rootfs.FS, dir string) []Entry {
	var entries []Entry
	for n := range f.Tree.All() {
		name, ok := strings.CutPrefix("/"+n.Path, strings.TrimSuffix(dir, "/")+"/")
		if !ok || n.Path == "." {
			continue
		}
		if n.Type == tree.Hardlink {
			n = f.Tree.Lookup(n.Link)
		}
		var b []byte
		if n.Type == tree.File {
			b, _ = f.ReadFile("/" + n.Path) // what cannot be read shows as a difference
		}
		entries = append(entries, newEntry(name, n.FileMode(), n.UID, n.GID, n.Link, b, n.ModTime, f.Time))
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return entries
}

func newEntry(name string, m fs.FileMode, uid, gid uint32, link string, content []byte, mtime, now int64) Entry {
	e := Entry{Path: name, Status: fmt.Sprintf(" %s %d:%d", m, uid, gid)}
	switch {
	case m&fs.ModeSymlink != 0:
		e.Status = fmt.Sprintf(" -> %s %d:%d", link, uid, gid)
	case m.IsRegular():
		e.Content = fmt.Sprintf(" %q", content)
	}
	if mtime < now-86400*30 || mtime > now+86400*30 {
		e.Content += " " + time.Unix(mtime, 0).UTC().Format(time.RFC3339)
	}
	return e
}

// Real runs a case with the programs of the machine, or of [Root], and returns what
// it prints and leaves, as [Interpret] does.
func Real(tb testing.TB, c Case) string {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("SKIPPED: needs root, for the real programs change owners")
	}
	dir := tb.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	if *Root != "" {
		dir = filepath.Join(*Root, work)
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
			tb.Fatal(err)
		}
	}
	out := RunReal(tb, c, dir)
	return Text(out, Disk(tb, dir))
}

// RunReal runs a script with the programs of the machine in dir, or with those of
// [Root] in its /work, and returns what it prints.
func RunReal(tb testing.TB, c Case, dir string) []byte {
	tb.Helper()
	cmd := exec.Command("/bin/sh", "-c", c.Script, "script")
	cmd.Dir, cmd.Env = dir, []string{path, "LC_ALL=C", "TZ=UTC", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", Time)}
	if *Root != "" {
		cmd.Dir, cmd.SysProcAttr = work, &syscall.SysProcAttr{Chroot: *Root}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// Disk is [Tree] of a directory on disk.
func Disk(tb testing.TB, root string) []Entry {
	tb.Helper()
	var entries []Entry
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		var link string
		var content []byte
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			link, err = os.Readlink(name)
		case info.Mode().IsRegular():
			content, err = os.ReadFile(name)
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		entries = append(entries, newEntry(rel, info.Mode(), st.Uid, st.Gid, link, content, info.ModTime().Unix(), time.Now().Unix()))
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return entries
}

// Check interprets all cases of a file and compares with what was recorded.
func Check(t *testing.T, file string, newShell func(testing.TB) *shell.Shell) {
	t.Helper()
	for _, c := range Load(t, file) {
		t.Run(c.Name, func(t *testing.T) {
			if got := Interpret(t, newShell(t), c); got != c.Want {
				t.Errorf("%s%sgot:\n%swant, as the real programs do:\n%s", c.Script, middle, got, c.Want)
			}
		})
	}
}

// CheckReal runs all cases of a file with real, and compares or, with -record, writes
// what they do.
func CheckReal(t *testing.T, file string, real func(testing.TB, Case) string) {
	t.Helper()
	cases := Load(t, file)
	for i, c := range cases {
		got := real(t, c)
		if *Record {
			cases[i].Want = got
		} else if got != c.Want {
			t.Errorf("%s:\n%s%sthe real programs:\n%srecorded:\n%s", c.Name, c.Script, middle, got, c.Want)
		}
	}
	if *Record {
		Save(t, file, cases)
	}
}
