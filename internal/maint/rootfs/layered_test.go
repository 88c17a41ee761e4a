package rootfs_test

import (
	"testing"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/tree"
)

// layered checks what must hold whatever was done: a node that is said to be in its
// package's layer is what the package brought to that place, but for mode and owner;
// and another name of a file is in the layer with it.
func layered(t *testing.T, f *rootfs.FS, script string) {
	t.Helper()
	brought := map[string]tree.Node{}
	for _, n := range packaged {
		brought[n.Path] = n
	}
	for n := range f.Tree.All() {
		old, ok := brought[n.Path]
		switch {
		case n.Type == tree.Hardlink && !n.Layered:
			t.Errorf("%s/%s is another name of a file that is not in the package's layer", script, n.Path)
		case n.Type == tree.Hardlink && (f.Tree.Lookup(n.Link) == nil || !f.Tree.Lookup(n.Link).Layered):
			t.Errorf("%s/%s is another name of /%s, which is not in the package's layer", script, n.Path, n.Link)
		case !n.Layered:
		case !ok || old.Type != n.Type || old.Link != n.Link:
			t.Errorf("%s/%s is not what the package brought, but is said to be in its layer", script, n.Path)
		case n.Type == tree.File:
			b, err := f.Tree.ReadFile(n.Path)
			if err != nil || string(b) != string(old.Content.(tree.Bytes)) {
				t.Errorf("%s/%s: content %q, %v; it is said to be in the package's layer", script, n.Path, b, err)
			}
		}
	}
}

// What is in a layer stays there as long as it can.
func TestLayered(t *testing.T) {
	tests := []struct {
		script string
		stays  []string // that are in the layer
		goes   []string // that are there, but not in the layer
	}{
		{"chmod a/f 600\nchown c 1 1\nlchown d 1 1\nchmod a 700", []string{"a", "a/f", "a/g", "b", "c", "d"}, nil},
		{"cat c\nstat a/f\nopen 1 c\nread 1", []string{"c", "a/f"}, nil},
		{"append 1 c", []string{"c"}, nil}, // nothing was written
		{"append 1 c\nwrite 1 x", nil, []string{"c"}},
		{"create 1 c", nil, []string{"c"}},
		{"append 1 b\nwrite 1 x", nil, []string{"b", "a/f", "a/g"}},
		{"remove a/f", nil, []string{"b", "a/g"}},
		{"remove b", []string{"a/f", "a/g"}, nil},
		{"rename b x", []string{"a/f"}, []string{"x"}},
		{"rename c x\nrename x c", nil, []string{"c"}},
		{"rename d x", nil, []string{"x"}},
		{"rename a x", []string{"c"}, []string{"x", "x/b", "x/f", "x/g", "b"}},
		{"link c x", []string{"c"}, []string{"x"}},
		{"link b x", []string{"a/f", "a/g", "b"}, []string{"x"}},
		{"link b x\nchmod x 600", []string{"a/f", "a/g", "b"}, []string{"x"}},
		{"mkdir a/x 755\ncreate 1 a/x/y", []string{"a"}, []string{"a/x", "a/x/y"}},
	}
	for _, tt := range tests {
		f := newFS(t)
		run(simulated{f}, tt.script)
		for want, paths := range map[bool][]string{true: tt.stays, false: tt.goes} {
			for _, p := range paths {
				if n := f.Tree.Lookup(p); n == nil || n.Layered != want {
					t.Errorf("%s: /%s is %+v, want Layered %v", tt.script, p, n, want)
				}
			}
		}
		layered(t, f, tt.script)
	}
}
