package layer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/tree"
)

// layersOf reads layers that "--" separates. A line is a name, and what it is: "file
// TEXT", "dir", "-> TARGET", "= HARD LINK", "device", or nothing for a whiteout. Modes
// may come first.
func layersOf(text string) [][]Entry {
	layers := [][]Entry{{}}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if f[0] == "--" {
			layers = append(layers, nil)
			continue
		}
		e := Entry{Node: tree.Node{Path: f[0], Mode: 0o644}}
		f = f[1:]
		if len(f) > 0 && f[0][0] == '0' {
			fmt.Sscanf(f[0], "%o", &e.Mode)
			f = f[1:]
		}
		f = append(f, "", "")
		switch {
		case f[0] == "":
		case f[0] == "dir":
			e.Type, e.Mode = tree.Dir, e.Mode|0o111
		case f[0] == "->":
			e.Type, e.Link = tree.Symlink, f[1]
		case f[0] == "=":
			e.Type, e.Link = tree.Hardlink, f[1]
		case f[0] == "file":
			e.Content, e.SHA256 = tree.Bytes(f[1]), f[1]
		default:
			e.Special = f[0]
		}
		last := &layers[len(layers)-1]
		*last = append(*last, e)
	}
	return layers
}

func dump(o *Overlay) string {
	var lines []string
	for n := range o.Tree.All() {
		switch n.Type {
		case tree.Dir:
			if n.Path != "." && len(o.Tree.ReadDir(n.Path)) == 0 {
				lines = append(lines, n.Path+"/")
			}
		case tree.File:
			line := n.Path + " " + string(n.Content.(tree.Bytes))
			if n.Mode != 0o644 {
				line += fmt.Sprintf(" %04o", n.Mode)
			}
			lines = append(lines, line)
		case tree.Symlink:
			lines = append(lines, n.Path+" -> "+n.Link)
		case tree.Hardlink:
			lines = append(lines, n.Path+" = "+n.Link)
		}
	}
	for name, what := range o.Special {
		lines = append(lines, name+" "+what)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestOverlay(t *testing.T) {
	for _, c := range []struct{ name, layers, want string }{
		{"a file over a file", "a file 1\n--\na file 2", "a 2"},
		{"names that climb stay inside", "../../a file 1\n/b file 2\n./c/../d file 3", "a 1\nb 2\nd 3"},
		{"a whiteout", "d/a file 1\nd/b file 1\n--\nd/.wh.a", "d/b 1"},
		{"a whiteout of a directory", "d/e/a file 1\n--\n.wh.d\n", ""},
		{"a whiteout of what is not there", "a file 1\n--\nx/.wh.a\na/.wh.b\n.wh.c", "a 1"},
		{"a whiteout hides nothing of its own layer", "d/a file 1\n--\nd/a file 2\nd/.wh.a", "d/a 2"},
		{"an opaque directory", "d/a file 1\nd/e/b file 1\nc file 1\n--\nd/c file 2\nd/.wh..wh..opq", "c 1\nd/c 2"},
		{"all is opaque", "a file 1\nd/b file 1\n--\n.wh..wh..opq\nc file 2", "c 2"},
		{"aufs leaves traces", ".wh..wh.plnk/a file 1\n.wh..wh.aufs file 1\na file 2", "a 2"},
		{"a link as a parent", "usr/lib/a file 1\nlib -> usr/lib\n--\nlib/b file 2\nlib/.wh.a", "lib -> usr/lib\nusr/lib/b 2"},
		{"a link as a parent leads out", "etc -> ../../../x\n--\netc/passwd file 2", "etc -> ../../../x\nx/passwd 2"},
		{"an absolute link as a parent", "l -> /d\nd dir\n--\nl/a file 2", "d/a 2\nl -> /d"},
		{"a link as a parent in the same layer", "l -> d\nl/a file 1", "d/a 1\nl -> d"},
		{"a directory takes the place of a link", "l -> d\nd/a file 1\n--\nl dir\nl/b file 2", "d/a 1\nl/b 2"},
		{"a file takes the place of a directory", "d/a file 1\n--\nd file 2", "d 2"},
		{"a directory stays under another", "d/a file 1\n--\nd 0700 dir", "d/a 1"},
		{"hard links", "a file 1\nb = a\nd/c = /b", "a 1\nb = a\nd/c = a"},
		{"a hard link into a lower layer", "a file 1\n--\nb = a", "a 1\nb = a"},
		{"a hard link to a link", "a -> x\nb = a", "a -> x\nb -> x"},
		{"a hard link keeps what its file loses", "a file 1\nb = a\nc = a\n--\na file 2", "a 2\nb 1\nc = b"},
		{"a hard link outlives a directory", "d/a file 1\nd/e = d/a\nb = d/a\n--\n.wh.d", "b 1"},
		{"a hard link is replaced", "a file 1\nb = a\n--\nb file 2", "a 1\nb 2"},
		{"a hard link gives its file its mode", "a file 1\nb = a\n--\nc 04755 = b", "a 1 4755\nb = a\nc = a"},
		{"a hard link over its own file's name", "a file 1\nb = a\n--\na = b", "a 1\nb = a"},
		{"a hard link over another file", "a file 1\nb file 2\nc = b\n--\nb = a", "a 1\nb = a\nc 2"},
		{"a device", "dev/null device\n--\ndev/zero device\n--\ndev/.wh.zero", "dev/null device"},
		{"a device over a file", "a file 1\nd/b device\n--\na device\n--\n.wh.d", "a device"},
		{"a file over a device", "a device\nd/e device\n--\na file 1\nd/.wh..wh..opq", "a 1"},
		{"a file below a file", "a file 1\na/b file 2", `"a/b" cannot be extracted: resolve /a/b: not a directory`},
		{"a hard link to nothing", "b = a", `"b" cannot be extracted: it is a hard link to /a, which is not there`},
		{"a hard link to a directory", "a dir\nb = a", `"b" cannot be extracted: it is a hard link to the directory /a`},
		{"a hard link to itself", "b file 1\nb = b", `"b" cannot be extracted: it is a hard link to itself`},
		{"links in a circle", "a -> b\nb -> a\na/c file 1", `"a/c" cannot be extracted: resolve /a/c: too many levels of symbolic links`},
		{"a whiteout of the directory above", "d/a file 1\n--\nd/.wh...", `"d/.wh..." cannot be extracted: it hides no name`},
		{"a whiteout of no name", ".wh.", `".wh." cannot be extracted: it hides no name`},
		{"the root is a file", ". file 1", `"." cannot be extracted: the root is a file`},
	} {
		o := NewOverlay(tree.New(nil, 0))
		got := ""
		for _, l := range layersOf(c.layers) {
			if err := o.Apply(l); err != nil {
				got = err.Error()
				break
			}
		}
		if got == "" {
			got = dump(o)
		}
		want := strings.Split(c.want, "\n")
		slices.Sort(want)
		if got != strings.Join(want, "\n") {
			t.Errorf("%s: have\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// FuzzOverlay applies layers of any names: nothing is outside of the root, each hard
// link leads to a file, and each parent is a directory.
func FuzzOverlay(f *testing.F) {
	f.Add("a file 1\nb = a\nl -> ..\n--\nl/c file 2\n.wh.a\n--\nl = b\nd/.wh..wh..opq")
	f.Add("d/a file 1\ne = d/a\n--\nd -> e\nd/x file 1\n--\ne device")
	f.Fuzz(func(t *testing.T, text string) {
		o := NewOverlay(tree.New(nil, 0))
		for _, l := range layersOf(text) {
			if o.Apply(l) != nil {
				return
			}
		}
		for n := range o.Tree.All() {
			if n.Path != tree.Clean(n.Path) {
				t.Errorf("path %q", n.Path)
			}
			if n.Type == tree.Hardlink {
				if to := o.Tree.Lookup(n.Link); to == nil || to.Type != tree.File {
					t.Errorf("%s is a hard link to %v", n.Path, to)
				}
			}
			if dir := o.Tree.Lookup(pathDir(n.Path)); dir == nil || dir.Type != tree.Dir {
				t.Errorf("%s is below no directory", n.Path)
			}
		}
	})
}

func pathDir(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return "."
}
