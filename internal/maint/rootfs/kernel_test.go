package rootfs_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/hardpan/hardpan/internal/tree"
)

// kernel does the same with the system calls, in a directory that is the root of its
// thread.
type kernel struct{}

// inRoot runs do on a thread of its own whose root is a new directory with what the
// package brings, so that absolute links and ".." are the kernel's.
func inRoot(tb testing.TB, do func()) {
	tb.Helper()
	dir := tb.TempDir()
	if os.Geteuid() != 0 {
		tb.Skip("SKIPPED: needs root, for chroot(2) and chown(2)")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		err := func() error {
			if err := syscall.Unshare(syscall.CLONE_FS); err != nil {
				return fmt.Errorf("unshare: %w", err)
			}
			if err := errors.Join(syscall.Chroot(dir), syscall.Chdir("/")); err != nil {
				return fmt.Errorf("chroot: %w", err)
			}
			syscall.Umask(0) // of this thread only, as its root is
			if err := bring(); err != nil {
				return err
			}
			do()
			return nil
		}()
		done <- err
	}()
	if err := <-done; errors.Is(err, syscall.EPERM) {
		tb.Skipf("SKIPPED: no chroot(2) here: %v", err)
	} else if err != nil {
		tb.Fatal(err)
	}
}

// bring makes what the package brings.
func bring() error {
	if err := syscall.Chmod("/", 0o755); err != nil {
		return err
	}
	for _, n := range packaged {
		var err error
		switch n.Type {
		case tree.Dir:
			err = syscall.Mkdir(n.Path, 0o755)
		case tree.File:
			err = os.WriteFile(n.Path, n.Content.(tree.Bytes), 0o644)
		case tree.Symlink:
			err = syscall.Symlink(n.Link, n.Path)
		case tree.Hardlink:
			err = syscall.Link(n.Link, n.Path)
		}
		if err == nil {
			err = syscall.Lchown(n.Path, int(n.UID), int(n.GID))
		}
		if err == nil && n.Type != tree.Symlink {
			err = syscall.Chmod(n.Path, n.Mode)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", n.Path, err)
		}
	}
	return nil
}

type descriptor int

func (d descriptor) Read(p []byte) (int, error)  { return syscall.Read(int(d), p) }
func (d descriptor) Write(p []byte) (int, error) { return syscall.Write(int(d), p) }
func (d descriptor) Close() error                { return syscall.Close(int(d)) }

func open(name string, flags int) (handle, error) {
	fd, err := syscall.Open(name, flags|syscall.O_CLOEXEC, 0o6640)
	if err != nil {
		return nil, err
	}
	return descriptor(fd), nil
}

func (kernel) create(name string) (handle, error) {
	return open(name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC)
}

func (kernel) append(name string) (handle, error) {
	return open(name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_APPEND)
}

func (kernel) open(name string) (handle, error) {
	h, err := open(name, syscall.O_RDONLY)
	if err != nil {
		return nil, err
	}
	if _, err := h.Read(make([]byte, 0)); err != nil { // a directory
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (kernel) mkdir(name string, mode uint32) error { return syscall.Mkdir(name, mode) }
func (kernel) symlink(target, name string) error    { return syscall.Symlink(target, name) }
func (kernel) link(old, name string) error          { return syscall.Link(old, name) }
func (kernel) remove(name string) error             { return os.Remove(name) }
func (kernel) rename(old, name string) error        { return syscall.Rename(old, name) }
func (kernel) chmod(name string, mode uint32) error { return syscall.Chmod(name, mode) }

func (kernel) chown(name string, uid, gid int, follow bool) error {
	if follow {
		return syscall.Chown(name, uid, gid)
	}
	return syscall.Lchown(name, uid, gid)
}

func (kernel) readFile(name string) (string, error) {
	h, err := open(name, syscall.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer h.Close()
	var b []byte
	for p := make([]byte, 100); ; {
		n, err := h.Read(p)
		if n <= 0 || err != nil {
			return fmt.Sprintf("%q", b), err
		}
		b = append(b, p[:n]...)
	}
}

func (kernel) readlink(name string) (string, error) {
	b := make([]byte, 5000)
	n, err := syscall.Readlink(name, b)
	return string(b[:max(n, 0)]), err
}

func (kernel) readDir(name string) (string, error) {
	list, err := os.ReadDir(name)
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name()
	}
	return strings.Join(names, " "), err
}

func (kernel) stat(name string, follow bool) (string, error) {
	var st syscall.Stat_t
	get := syscall.Lstat
	if follow {
		get = syscall.Stat
	}
	if err := get(name, &st); err != nil {
		return "", err
	}
	links := st.Nlink
	t := tree.File
	link := ""
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		t, links = tree.Dir, 0
	case syscall.S_IFLNK:
		t = tree.Symlink
		b := make([]byte, 5000)
		n, err := syscall.Readlink(name, b)
		if err != nil {
			return "", err
		}
		link = string(b[:n])
	}
	return fmt.Sprintf("%s links %d", describe(t, st.Mode&0o7777, st.Uid, st.Gid, link), links), nil
}

func (k kernel) dump() string {
	var out strings.Builder
	lines := map[string]string{}
	tr := tree.New(nil, 0) // for its order
	err := filepath.WalkDir("/", func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		what, err := k.stat(name, false)
		if err != nil {
			return err
		}
		what, _, _ = strings.Cut(what, " links ")
		line := fmt.Sprintf("%s %s", tree.Clean(name), what)
		if d.Type().IsRegular() {
			b, err := k.readFile(name)
			if err != nil {
				return err
			}
			line += " " + b
		}
		lines[tree.Clean(name)] = line
		if name == "/" {
			return nil
		}
		return tr.Add(&tree.Node{Path: tree.Clean(name), Type: tree.Dir})
	})
	if err != nil {
		return err.Error()
	}
	for n := range tr.All() {
		out.WriteString(lines[n.Path] + "\n")
	}
	return out.String()
}

var _ io.Reader = descriptor(0)

// sequences are compared with the kernel; what each of them says and leaves is the
// kernel's word and so not written down.
var sequences = map[string]string{
	"links in every place": `
		stat d/b
		stat d/../c
		lstat d/
		stat e
		create 1 e
		stat a/b/f
		stat l
		create 1 l
		readlink l/
		cat s
		create 1 s
		symlink nowhere x
		stat x/
		create 1 x/
		mkdir x 755
		mkdir x/ 755
		symlink y x/
		link c x
		ls d/
		ls d/.
		stat a/nothing/..
		stat c/..
		stat c/
		mkdir a/b/ 755
		remove d/
		remove .
		remove ..
		remove /
		remove a/b/..
		remove a/b/.`,
	"forty links": `
		symlink c l0
		symlink l0 l1
		symlink l1/../a/../d l2
		stat l2
		stat d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d
		stat d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d`,
	"long names": "create 1 " + strings.Repeat("n", 255) + "\ncreate 1 " + strings.Repeat("n", 256) + "\nstat " + strings.Repeat("a/../", 820) + "a\nsymlink " + strings.Repeat("t", 4095) + " x\nsymlink " + strings.Repeat("t", 4096) + " y\nstat x",
	"write a file with other names": `
		append 1 b
		write 1 more
		cat a/f
		cat a/g
		close 1
		stat b
		create 1 a/g
		cat b
		write 1 new
		cat b`,
	"remove the file of other names": `
		remove a/f
		stat b
		append 1 b
		write 1 x
		cat a/g
		chmod a/g 600
		stat b
		remove b
		cat a/g`,
	"move the file of other names": `
		rename a/f x
		append 1 x
		write 1 1
		rename b a/b/y
		append 2 a/b/y
		write 2 2
		cat a/g
		rename a z
		cat x
		cat z/b/y
		stat x`,
	"modes and owners of other names": `
		chmod b 4711
		stat a/f
		chown a/g 3 4
		stat b
		chmod a/f 2711
		lchown b 0 0
		stat a/g
		lchown d 5 6
		chown d 7 10
		chmod d 700
		chmod e 700
		chmod c 2644
		chown c 1 2
		stat c`,
	"rename to another name of the same": `
		rename b a/f
		rename b b
		rename a/f a/g/
		rename c c/
		rename d d/
		rename d/ x
		rename a a
		rename a a/b/x
		rename a/b a
		rename a/b/. x
		rename a/.. x
		rename / x
		rename a /
		rename c a
		rename a c
		mkdir m 755
		rename a m
		rename m a
		rename m/b a
		ls m`,
	"directories with the set-group-id bit": `
		mkdir a/b/x 755
		mkdir a/b/y 7777
		mkdir z 7777
		create 1 a/b/f
		symlink t a/b/s
		link c a/b/c
		rename c a/b/d
		stat a/b/c
		mkdir a/b/x/z 700`,
	"files that are removed while open": `
		create 1 x
		write 1 one
		remove x
		write 1 two
		create 2 x
		write 2 three
		open 3 x
		close 1
		remove x
		read 3
		read 3
		stat x`,
	"files that are renamed while open": `
		create 1 x
		write 1 one
		rename x y
		write 1 two
		rename y c
		write 1 three
		cat c
		append 2 c
		rename a q
		append 3 q/f
		rename q a
		write 3 four
		cat b
		rename c a/f
		write 1 five
		write 3 lost
		cat b
		cat a/f`,
	"two handles on one file": `
		create 1 x
		create 2 x
		write 1 aaaa
		write 2 b
		cat x
		append 3 x
		write 3 end
		write 1 cc
		cat x
		open 4 x
		read 4
		create 2 x
		read 4
		write 1 after
		cat x
		read 4
		read 4
		close 1
		write 2 new
		cat x`,
	"further names": `
		link c x
		link x a/y
		append 1 x
		write 1 1
		cat a/y
		remove c
		append 2 a/y
		write 2 2
		cat x
		stat x
		rename x a/y
		chmod x 600
		stat a/y
		link d dd
		lchown dd 1 2
		lstat d
		link a aa
		link s ss
		link nothing x2
		link c/ x3
		link d/ x4
		link b c
		link a b`,
	"names in which nothing can be": `
		mkdir c/x 755
		create 1 c/x
		symlink t c/x
		link b c/x
		rename b c/x
		remove c/x
		mkdir n/x 755
		create 1 n/x
		rename b n/x
		rename n b
		remove n
		mkdir . 755
		mkdir .. 755
		mkdir / 755
		symlink t .
		link b ..
		create 1 .
		create 1 a
		create 1 a/
		create 1 c/
		create 1 n/
		append 1 a/.
		open 1 a
		open 1 c/
		cat n
		ls c
		ls n
		readlink c
		readlink n
		readlink d/
		symlink x c
		remove a
		chmod n 1
		chown n 1 1
		chmod l 1
		chmod c/ 1`,
}

func compare(t *testing.T, script string) {
	t.Helper()
	var want string
	inRoot(t, func() { want = run(kernel{}, script) })
	f := newFS(t)
	got := run(simulated{f}, script)
	if got != want {
		t.Errorf("%s\ndiffers from the kernel, whose lines begin with -:\n%s", script, difference(want, got))
	}
	layered(t, f, script)
}

func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out strings.Builder
	for i := range max(len(w), len(g)) {
		a, b := "", ""
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			fmt.Fprintf(&out, "- %s\n+ %s\n", a, b)
		}
	}
	return out.String()
}

func TestRealKernel(t *testing.T) {
	for name, script := range sequences {
		t.Run(name, func(t *testing.T) { compare(t, script) })
	}
}

var operations = []string{
	"create # P", "append # P", "open # P", "write # W", "read #", "close #", "mkdir P M", "symlink T P", "link P P",
	"remove P", "rename P P", "rename P P", "chmod P M", "chown P N N", "lchown P N N", "cat P", "readlink P", "stat P", "lstat P",
}

// random returns a sequence of operations.
func random(seed uint64, length int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	path := func() string {
		p := pick("", "", "", "/")
		for range 1 + r.IntN(3) {
			p += pick("a", "b", "c", "d", "e", "f", "g", "l", "s", "x", "y", "..", ".") + "/"
		}
		return p[:len(p)-oneUnless(r.IntN(8) == 0)]
	}
	var out strings.Builder
	for range length {
		for _, word := range strings.Fields(operations[r.IntN(len(operations))]) {
			switch word {
			case "#":
				word = pick("1", "2", "3")
			case "P":
				word = path()
			case "T":
				word = pick(path(), path(), "/", "..", "x")
			case "W":
				word = pick("one", "two", "a-longer-text")
			case "M":
				word = pick("755", "644", "6755", "2755", "1777", "7777", "0")
			case "N":
				word = pick("0", "1", "7")
			}
			out.WriteString(word + " ")
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func oneUnless(b bool) int {
	if b {
		return 0
	}
	return 1
}

func TestRealKernelRandom(t *testing.T) {
	for seed := range uint64(300) {
		compare(t, random(seed, 40))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzKernel(f *testing.F) {
	f.Add(uint64(1), uint8(50))
	f.Fuzz(func(t *testing.T, seed uint64, length uint8) { compare(t, random(seed, int(length))) })
}
