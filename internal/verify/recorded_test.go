package verify

import (
	"crypto/md5"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
)

// recorded returns the record of an image of a package and a directory of a stage, and the
// content that fits it, in one layer.
func recorded(t *testing.T) (*record.Record, *facts.Content) {
	t.Helper()
	packaged := &tree.Origin{Kind: tree.FromPackage, Package: "hello", Version: "1"}
	staged := &tree.Origin{Kind: tree.FromStage, Stage: "build"}
	sums := fmt.Appendf(nil, "%x  usr/bin/hello\n", md5.Sum([]byte("hello\n")))
	rec := &record.Record{Profile: "strict", Layers: []record.Layer{{DiffID: "sha256:1"}}}
	nodes := tree.New(nil, 0)
	content := &facts.Content{Texts: map[int][]byte{}}
	add := func(n tree.Node, typ facts.Type) {
		if err := nodes.Set(&n); err != nil {
			t.Fatal(err)
		}
		content.Files = append(content.Files, facts.File{Path: n.Path, Type: typ, Mode: n.Mode, Size: n.Size, Link: n.Link, UID: uint32(n.UID), GID: uint32(n.GID), Capability: n.Capability})
	}
	for _, dir := range []string{"opt", "usr", "usr/bin", "var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/status.d"} {
		add(tree.Node{Path: dir, Type: tree.Dir, Mode: 0o755, Origin: packaged}, facts.Directory)
	}
	add(tree.Node{Path: "opt/app", Type: tree.File, Mode: 0o644, UID: 1, GID: 2, Size: 3, Origin: staged, Capability: "0100000200040000000000000000000000000000"}, facts.Regular)
	add(tree.Node{Path: "opt/link", Type: tree.Symlink, Mode: 0o777, Link: "app", Origin: staged}, facts.Symlink)
	add(tree.Node{Path: "usr/bin/again", Type: tree.Hardlink, Mode: 0o755, Link: "usr/bin/hello", Origin: packaged}, facts.Hardlink)
	add(tree.Node{Path: "usr/bin/hello", Type: tree.File, Mode: 0o755, Size: 6, Origin: packaged}, facts.Regular)
	content.Files[len(content.Files)-1].MD5 = md5.Sum([]byte("hello\n"))
	add(tree.Node{Path: "var/lib/dpkg/status.d/hello.md5sums", Type: tree.File, Mode: 0o644, Size: int64(len(sums)), Origin: packaged}, facts.Regular)
	content.Texts[len(content.Files)-1] = sums
	rec.SetPaths(nodes, func(*tree.Node) int { return 0 })
	return rec, content
}

// TestOtherwise alters an image whose SBOM was made anew of what it is then.
func TestOtherwise(t *testing.T) {
	file := func(c *facts.Content, name string) *facts.File {
		i := slices.IndexFunc(c.Files, func(f facts.File) bool { return f.Path == name })
		return &c.Files[i]
	}
	for _, test := range []struct {
		name   string
		change func(*record.Record, *facts.Content)
		want   string
	}{
		{"nothing", func(*record.Record, *facts.Content) {}, ""},
		{"set-user-id", func(_ *record.Record, c *facts.Content) { file(c, "usr/bin/hello").Mode |= 0o4000 }, "/usr/bin/hello: its mode is 4755, its record says 0755"},
		{"another owner", func(_ *record.Record, c *facts.Content) { file(c, "opt/app").GID = 0 }, "/opt/app: its owner is 1:0, its record says 1:2"},
		{"another size", func(_ *record.Record, c *facts.Content) { file(c, "opt/app").Size = 4 }, "/opt/app: its size is 4, its record says 3"},
		{"capabilities more", func(_ *record.Record, c *facts.Content) {
			file(c, "usr/bin/hello").Capability = "0100000200040000000000000000000000000000"
		}, "/usr/bin/hello: its capability is cap_net_bind_service=ep, its record says none"},
		{"capabilities less", func(_ *record.Record, c *facts.Content) { file(c, "opt/app").Capability = "" }, "/opt/app: its capability is none, its record says cap_"},
		{"a link elsewhere", func(_ *record.Record, c *facts.Content) { file(c, "opt/link").Link = "/tmp/x" }, "/opt/link: its target is /tmp/x, its record says app"},
		{"a link for a file", func(_ *record.Record, c *facts.Content) {
			*file(c, "usr/bin/again") = facts.File{Path: "usr/bin/again", Type: facts.Symlink, Link: "hello"}
		}, "/usr/bin/again: its type is symlink, its record says hardlink"},
		{"a device for a file", func(_ *record.Record, c *facts.Content) {
			*file(c, "opt/app") = facts.File{Path: "opt/app", Type: facts.Other, Kind: '3'}
		}, "/opt/app: its type is device, its record says file"},
		{"an open directory", func(_ *record.Record, c *facts.Content) { file(c, "opt").Mode = 0o777 }, "/opt: its mode is 0777, its record says 0755"},
		{"an empty directory more", func(_ *record.Record, c *facts.Content) {
			c.Files = append(c.Files, facts.File{Path: "opt/x", Type: facts.Directory})
		}, "/opt/x: the image has it, a dir, and its record does not"},
		{"a pipe more", func(_ *record.Record, c *facts.Content) {
			c.Files = append(c.Files, facts.File{Path: "opt/x", Type: facts.Other, Kind: '6'})
		}, "/opt/x: the image has it, a pipe, and its record does not"},
		{"other bytes of that size", func(_ *record.Record, c *facts.Content) { file(c, "usr/bin/hello").MD5 = md5.Sum([]byte("jello\n")) },
			"/usr/bin/hello: it is not the file that package hello states the MD5 sum of"},
		{"a time", func(rec *record.Record, _ *facts.Content) { rec.Layers[0].DiffID = "sha256:2" }, "layer 1 of 1 is sha256:1, its record says sha256:2"},
		{"what a short record leaves out", func(rec *record.Record, _ *facts.Content) { rec.Shorten() }, ""},
		{"other bytes of what that leaves out", func(rec *record.Record, c *facts.Content) {
			rec.Shorten()
			file(c, "usr/bin/hello").MD5 = md5.Sum([]byte("jello\n"))
		}, "/usr/bin/hello: it is not the file that package hello states the MD5 sum of"},
	} {
		rec, content := recorded(t)
		test.change(rec, content)
		src := &oci.Image{Layers: []oci.Layer{{Digest: "sha256:1", DiffID: "sha256:1", Open: func() (io.ReadCloser, error) { return nil, io.EOF }}}}
		got := otherwise(facts.New(src, rec, []*facts.Content{content}))
		if len(got) > 1 || !strings.HasPrefix(strings.Join(got, "; "), test.want) || test.want == "" && len(got) > 0 {
			t.Errorf("%s: found %q, want %q", test.name, got, test.want)
		}
	}
}
