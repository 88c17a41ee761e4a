package rootfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/tree"
)

// packaged are the paths that a package brings, as both sides have them when a
// sequence begins.
var packaged = []tree.Node{
	{Path: "a", Type: tree.Dir, Mode: 0o755},
	{Path: "a/b", Type: tree.Dir, Mode: 0o2775, GID: 50},
	{Path: "a/f", Type: tree.File, Mode: 0o4755, Content: tree.Bytes("a/f\n")},
	{Path: "a/g", Type: tree.Hardlink, Mode: 0o4755, Link: "a/f"},
	{Path: "b", Type: tree.Hardlink, Mode: 0o4755, Link: "a/f"},
	{Path: "c", Type: tree.File, Mode: 0o644, UID: 7, Content: tree.Bytes("c\n")},
	{Path: "d", Type: tree.Symlink, Mode: 0o777, Link: "a"},
	{Path: "e", Type: tree.Symlink, Mode: 0o777, Link: "/a/b/f"},
	{Path: "l", Type: tree.Symlink, Mode: 0o777, Link: "a/../l"},
	{Path: "s", Type: tree.Symlink, Mode: 0o777, Link: "c/"},
}

// newFS returns a file system with what the package brings, all of it in a layer.
func newFS(tb testing.TB) *rootfs.FS {
	tb.Helper()
	t := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 1)
	pkg := &tree.Origin{Kind: tree.FromPackage, Package: "p", Version: "1"}
	for _, n := range packaged {
		if b, ok := n.Content.(tree.Bytes); ok {
			n.Size = int64(len(b))
		}
		n.Origin, n.Layered = pkg, true
		if err := t.Add(&n); err != nil {
			tb.Fatal(err)
		}
	}
	f := rootfs.New(t, 2)
	f.Origin = &tree.Origin{Kind: tree.FromScript, Package: "p", Version: "1", Script: "postinst"}
	return f
}

// system is what a sequence of operations is done with: [rootfs.FS], or the kernel.
type system interface {
	create(name string) (handle, error)
	append(name string) (handle, error)
	open(name string) (handle, error)
	mkdir(name string, mode uint32) error
	symlink(target, name string) error
	link(old, name string) error
	remove(name string) error
	rename(old, name string) error
	chmod(name string, mode uint32) error
	chown(name string, uid, gid int, follow bool) error
	readFile(name string) (string, error)
	readlink(name string) (string, error)
	readDir(name string) (string, error)
	stat(name string, follow bool) (string, error)
	dump() string
}

type handle interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
	Close() error
}

// run does a sequence of operations, one a line, and returns what each of them said
// and what is there in the end. Names of handles are digits.
func run(sys system, script string) string {
	var out strings.Builder
	handles := map[string]handle{}
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		for len(words) < 4 {
			words = append(words, "")
		}
		fmt.Fprintf(&out, "%s: %s\n", line, do(sys, handles, words))
	}
	for _, h := range handles {
		_ = h.Close() // in any order, for all of it is in the tree
	}
	return out.String() + sys.dump()
}

func do(sys system, handles map[string]handle, w []string) string {
	var text string
	var err error
	number := func(s string) (n int) {
		_, _ = fmt.Sscanf(s, "%o", &n) // 0 where it is none
		return n
	}
	opened := func(h handle, err error) error {
		if old := handles[w[1]]; old != nil {
			_ = old.Close() // it makes room
		}
		delete(handles, w[1])
		if err == nil {
			handles[w[1]] = h
		}
		return err
	}
	switch w[0] {
	case "create":
		err = opened(sys.create(w[2]))
	case "append":
		err = opened(sys.append(w[2]))
	case "open":
		err = opened(sys.open(w[2]))
	case "write", "read", "close":
		text, err = use(handles, w)
	case "mkdir":
		err = sys.mkdir(w[1], uint32(number(w[2])))
	case "symlink":
		err = sys.symlink(w[1], w[2])
	case "link":
		err = sys.link(w[1], w[2])
	case "remove":
		err = sys.remove(w[1])
	case "rename":
		err = sys.rename(w[1], w[2])
	case "chmod":
		err = sys.chmod(w[1], uint32(number(w[2])))
	case "chown":
		err = sys.chown(w[1], number(w[2]), number(w[3])-1, true)
	case "lchown":
		err = sys.chown(w[1], number(w[2]), number(w[3])-1, false)
	case "cat":
		text, err = sys.readFile(w[1])
	case "readlink":
		text, err = sys.readlink(w[1])
	case "ls":
		text, err = sys.readDir(w[1])
	case "stat":
		text, err = sys.stat(w[1], true)
	case "lstat":
		text, err = sys.stat(w[1], false)
	default:
		return "no such operation"
	}
	if err != nil {
		if no, ok := errors.AsType[syscall.Errno](err); ok {
			return no.Error()
		}
		return "some error: " + err.Error()
	}
	return text
}

// use works with an open file.
func use(handles map[string]handle, w []string) (string, error) {
	h := handles[w[1]]
	if h == nil {
		return "not open", nil
	}
	switch w[0] {
	case "write":
		_, err := h.Write([]byte(w[2]))
		return "", err
	case "close":
		delete(handles, w[1])
		return "", h.Close()
	}
	b := make([]byte, 3)
	n, _ := h.Read(b) // the end of the file shows as nothing
	return fmt.Sprintf("%q", b[:max(n, 0)]), nil
}

// simulated is the system under test.
type simulated struct{ *rootfs.FS }

func asHandle(f *rootfs.File, err error) (handle, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (s simulated) create(name string) (handle, error)   { return asHandle(s.Create(name, 0o6640)) }
func (s simulated) append(name string) (handle, error)   { return asHandle(s.Append(name, 0o6640)) }
func (s simulated) open(name string) (handle, error)     { return asHandle(s.Open(name)) }
func (s simulated) mkdir(name string, mode uint32) error { return s.Mkdir(name, mode) }
func (s simulated) symlink(target, name string) error    { return s.Symlink(target, name) }
func (s simulated) link(old, name string) error          { return s.Link(old, name) }
func (s simulated) remove(name string) error             { return s.Remove(name) }
func (s simulated) rename(old, name string) error        { return s.Rename(old, name) }
func (s simulated) chmod(name string, mode uint32) error { return s.Chmod(name, mode) }
func (s simulated) readlink(name string) (string, error) { return s.Readlink(name) }
func (s simulated) chown(name string, uid, gid int, follow bool) error {
	return s.Chown(name, uint32(uid), uint32(gid), follow)
}

func (s simulated) readFile(name string) (string, error) {
	b, err := s.ReadFile(name)
	return fmt.Sprintf("%q", b), err
}

func (s simulated) readDir(name string) (string, error) {
	names, err := s.ReadDir(name)
	return strings.Join(names, " "), err
}

func (s simulated) stat(name string, follow bool) (string, error) {
	get := s.Lstat
	if follow {
		get = s.Stat
	}
	n, err := get(name)
	if err != nil {
		return "", err
	}
	links := 0
	if n.Type != tree.Dir {
		links = 1 + s.Links(n)
	}
	return fmt.Sprintf("%s links %d", describe(n.Type, n.Mode, n.UID, n.GID, n.Link), links), nil
}

func describe(t tree.Type, mode, uid, gid uint32, link string) string {
	if t == tree.Symlink {
		return fmt.Sprintf("symlink to %s %d:%d", link, uid, gid)
	}
	return fmt.Sprintf("%s %04o %d:%d", t, mode, uid, gid)
}

func (s simulated) dump() string {
	var out strings.Builder
	for n := range s.Tree.All() {
		path := n.Path
		if n.Type == tree.Hardlink {
			n = s.Tree.Lookup(n.Link)
		}
		fmt.Fprintf(&out, "%s %s", path, describe(n.Type, n.Mode, n.UID, n.GID, n.Link))
		if n.Type == tree.File {
			b, err := s.Tree.ReadFile(n.Path)
			fmt.Fprintf(&out, " %q", b)
			if err != nil {
				fmt.Fprintf(&out, " %v", err)
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// What has no system call of its own.
func TestWholeTrees(t *testing.T) {
	f := newFS(t)
	steps := []struct {
		what string
		err  error
		want error
	}{
		{"make", f.MkdirAll("/x/y/../z/", 0o750), nil}, // "y/.." needs y
		{"make through a link", f.MkdirAll("/d/b/n/m", 0o755), nil},
		{"make below a file", f.MkdirAll("/c/x", 0o755), syscall.ENOTDIR},
		{"make with a dot", f.MkdirAll("/dot/.", 0o755), nil},
		{"copy", f.Copy("/c", "/x/c", 0o600), nil},
		{"copy over another name", f.Copy("/c", "/b", 0o600), nil},
		{"copy a directory", f.Copy("/a", "/x/c", 0o600), syscall.EISDIR},
		{"copy to itself", f.Copy("/c", "/c", 0o600), nil},
		{"remove what is not there", f.RemoveAll("/nothing/at/all"), nil},
		{"remove a file with a slash", f.RemoveAll("/c/"), syscall.ENOTDIR},
		{"remove the root", f.RemoveAll("/"), syscall.EBUSY},
		{"remove a link", f.RemoveAll("/d"), nil},
		{"remove", f.RemoveAll("/a"), nil},
	}
	for _, s := range steps {
		if !errors.Is(s.err, s.want) {
			t.Errorf("%s: %v, want %v", s.what, s.err, s.want)
		}
	}
	const want = `. dir 0755 0:0
b file 4755 0:0 "c\n"
c file 0644 7:0 "c\n"
dot dir 0755 0:0
e symlink to /a/b/f 0:0
l symlink to a/../l 0:0
s symlink to c/ 0:0
x dir 0750 0:0
x/c file 0600 0:0 "c\n"
x/y dir 0750 0:0
x/z dir 0750 0:0
`
	if got := (simulated{f}).dump(); got != want {
		t.Errorf("left:\n%swant:\n%s", got, want)
	}
	layered(t, f, "whole trees\n")
}

// What is written has the origin from when its file was opened, whatever runs before
// it gets into the tree; what is moved or has another mode shows whose it was.
func TestOrigins(t *testing.T) {
	f := newFS(t)
	from := func(command string) {
		f.Origin = &tree.Origin{Kind: tree.FromScript, Package: "p", Version: "1", Script: "postinst", Command: command}
	}
	from("cat > /x")
	w, err := f.Create("/x", 0o644)
	if err != nil {
		t.Fatal(err)
	}
	from("touch /y")
	if err := f.WriteFile("/y", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte("text"))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	from("chmod 600 /c")
	if err := f.Chmod("/c", 0o600); err != nil {
		t.Fatal(err)
	}
	from("mv /d /z")
	if err := f.Rename("/d", "/z"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"x": "package p 1, postinst, cat > /x",
		"y": "package p 1, postinst, touch /y",
		"c": "package p 1, postinst, chmod 600 /c, from package p 1",
		"z": "package p 1, postinst, mv /d /z, from package p 1",
		"e": "package p 1",
	} {
		if got := f.Tree.Lookup(path).Origin.String(); got != want {
			t.Errorf("/%s: %q, want %q", path, got, want)
		}
	}
}

func TestLimit(t *testing.T) {
	for _, script := range []string{"write", "link", "rename", "symlink", "mkdir", "copy"} {
		f := newFS(t)
		f.MaxWritten = 100 << 10
		err := f.WriteFile("/big", make([]byte, 1000), 0o644)
		for i := 0; i < 1000 && err == nil; i++ {
			name := fmt.Sprint("/n", i)
			switch script {
			case "write":
				err = f.WriteFile("/big", make([]byte, 1000), 0o644)
			case "link":
				err = f.Link("/big", name)
			case "rename":
				err = errors.Join(f.Rename("/a", "/z"), f.Rename("/z", "/a"))
			case "symlink":
				err = f.Symlink(strings.Repeat("x", 1000), name)
			case "mkdir":
				err = f.Mkdir(name, 0o755)
			case "copy":
				err = f.Copy("/big", name, 0o644)
			}
		}
		if limit, ok := errors.AsType[*rootfs.LimitError](err); !ok || limit.Limit != f.MaxWritten {
			t.Errorf("%s without end: %v, want a LimitError", script, err)
		}
	}
}

// Appending a line at a time costs what the lines cost, not what the file does.
func BenchmarkAppend(b *testing.B) {
	f := newFS(b)
	for b.Loop() {
		w, err := f.Append("/log", 0o644)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write([]byte("one line of text\n")); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// Scripts may put something into the directories of base-files, also where no package
// brings them; looking makes nothing, and other directories have to be made first.
func TestBaseDirectories(t *testing.T) {
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	f := rootfs.New(tr, 0)
	if _, err := f.Stat("/usr/bin/java"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat: %v", err)
	}
	if tr.Lookup("usr") != nil {
		t.Error("looking made /usr")
	}
	if err := f.Symlink("/etc/alternatives/java", "/usr/bin/java"); err != nil {
		t.Error(err)
	}
	if n := tr.Lookup("usr/bin"); n == nil || n.Type != tree.Dir || n.Mode != 0o755 {
		t.Errorf("/usr/bin is %+v", n)
	}
	if err := f.Symlink("x", "/usr/lib/jvm/java"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that base-files does not have: %v", err)
	}
}
