package builder

import (
	"testing"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/tree"
)

// A package that loses files to another owner has other records in its layer than
// it had at first; the tree, of which the image's record is made, follows.
func TestRefresh(t *testing.T) {
	const status, sums = "var/lib/dpkg/status.d/app", "var/lib/dpkg/status.d/app.md5sums"
	for _, c := range []struct {
		name  string
		after []entry
		spec  bool // the spec has a status file of its own
		want  map[string]int64
	}{
		{name: "nothing is left to list", after: []entry{{Path: status, Size: 10, Made: true}}, want: map[string]int64{status: 10}},
		{name: "less to list", after: []entry{{Path: status, Size: 10, Made: true}, {Path: sums, Size: 5, Made: true}},
			want: map[string]int64{status: 10, sums: 5}},
		{name: "the spec's own", spec: true, after: []entry{{Path: status, Size: 10, Made: true}, {Path: sums, Size: 5, Made: true}},
			want: map[string]int64{status: 3, sums: 5}},
		{name: "files of the package stay as they are", after: []entry{{Path: status, Size: 20, Made: true}, {Path: sums, Size: 9, Made: true}, {Path: "etc/app", Size: 7}},
			want: map[string]int64{status: 20, sums: 9}},
	} {
		tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
		m := newMember(nil, &lock.Package{Name: "app"})
		for _, e := range []entry{{Path: status, Size: 20, Made: true}, {Path: sums, Size: 9, Made: true}} {
			n := e.node(m.record)
			if c.spec && e.Path == status {
				n.Origin, n.Size = &tree.Origin{Kind: tree.FromSpec}, 3
			}
			if err := tr.Set(n); err != nil {
				t.Fatal(err)
			}
		}
		m.files = &unpacked{Entries: c.after}
		refresh(tr, []*member{m})
		for _, name := range []string{status, sums} {
			n, size := tr.Lookup(name), c.want[name]
			if (n != nil) != (size > 0) || n != nil && n.Size != size {
				t.Errorf("%s: %s is %+v, expected %d bytes", c.name, name, n, size)
			}
		}
	}
}
