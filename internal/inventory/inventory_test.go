package inventory_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/inventory"
	"github.com/hardpan/hardpan/internal/inventory/inventorytest"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
)

type file = inventorytest.File

// listing is an inventory as text: packages, then each path with its origin.
func listing(t testing.TB, i inventorytest.Image) string {
	img := i.Read(t)
	inv := inventory.Of(img)
	var b strings.Builder
	fmt.Fprintf(&b, "by %s\n", inv.By)
	for _, p := range inv.Packages {
		fmt.Fprintf(&b, "%s %s %s, %s %s, %d bytes in %d files, why: %s\n", p.Name, p.Version, p.Architecture, p.Source, p.SourceVersion, p.Size, p.Files, p.Why)
	}
	for f := range img.All() {
		o := inv.Origin(f)
		if f.Path != "etc" && !strings.HasPrefix(f.Path, "var/lib/dpkg") && !strings.HasPrefix(f.Path, "lib/apk") {
			fmt.Fprintf(&b, "%s %s: %s %s: %s\n", inventory.TypeName(f), f.Path, o.Kind, o.Package, o.Text)
		}
	}
	return b.String()
}

func TestInventory(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		image inventorytest.Image
		want  string
	}{
		"dpkg": {
			inventorytest.Image{Layers: [][]file{{
				{Path: "/var/lib/dpkg/status", Content: `Package: base
Essential: yes
Status: install ok installed
Version: 1
Architecture: all

Package: lib
Status: install ok installed
Source: source (2.0)
Version: 2.0+b1
Architecture: amd64

Package: gone
Status: deinstall ok config-files
Version: 1
Architecture: amd64

Package: tool
Status: install ok installed
Version: 3
Architecture: amd64
Pre-Depends: base
Depends: lib (>= 2) | other, nowhere
`},
				{Path: "/var/lib/dpkg/info/tool.list", Content: "/.\n/bin\n/bin/tool\n/bin/two\n"},
				{Path: "/var/lib/dpkg/info/tool.md5sums", Content: "00000000000000000000000000000000  bin/tool\n"},
				{Path: "/bin/"}, {Path: "/bin/tool", Content: "12345"}, {Path: "/bin/two", Hardlink: "/bin/tool"}, {Path: "/own", Symlink: "bin"},
			}}},
			`by dpkg
base 1 all, base 1, 0 bytes in 0 files, why: essential
lib 2.0+b1 amd64, source 2.0, 0 bytes in 0 files, why: needed by tool
tool 3 amd64, tool 3, 5 bytes in 2 files, why: 
directory bin: package tool: package tool 3, by the database of dpkg
file bin/tool: package tool: package tool 3, by the database of dpkg, changed since
hard link bin/two: package tool: package tool 3, by the database of dpkg
symbolic link own: unknown : unknown
`},
		"a database that breaks off": {
			inventorytest.Image{Layers: [][]file{{{Path: "/var/lib/dpkg/status", Content: "Package: good\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n: bad\n\nPackage: later\nStatus: install ok installed\nVersion: 2\n"}}}},
			`by dpkg
good 1 all, good 1, 0 bytes in 0 files, why: 
later 2 ,  , 0 bytes in 0 files, why: 
`},
		"apk": {
			inventorytest.Image{Layers: [][]file{{
				{Path: "/lib/apk/db/installed", Content: "C:Q1=\nP:musl\nV:1.2-r0\nA:x86_64\no:musl\np:so:libc.musl=1\nF:lib\nR:ld.so\n\nP:last\nV:1\nD:so:libc.musl musl>1 so:other !x\n"}, {Path: "/lib/ld.so", Content: "123"},
			}}},
			`by apk
last 1 ,  , 0 bytes in 0 files, why: 
musl 1.2-r0 x86_64, musl , 3 bytes in 1 files, why: needed by last
file lib/ld.so: package musl: package musl 1.2-r0, by the database of apk
`},
		"nothing": {inventorytest.Image{Layers: [][]file{{{Path: "/app", Content: "x"}}}}, "by \nfile app: unknown : unknown\n"},
		"record": {
			inventorytest.Image{
				Layers: [][]file{{{Path: "/bin/tool", Content: "12345"}}, {{Path: "/etc/made", Content: "1"}, {Path: "/extra", Content: "1"}}},
				Record: &record.Record{
					Packages: []lock.Package{{Name: "tool", Version: "3", Architecture: "amd64", Source: "source", SourceVersion: "3", Why: "requested"}},
					Base:     &record.Base{Packages: []lock.Package{{Name: "base", Version: "1"}, {Name: "tool", Version: "2"}}},
					Layers:   []record.Layer{{Packages: []string{"tool"}}, {}},
					Origins:  []tree.Origin{{Kind: tree.FromPackage, Package: "tool", Version: "3"}, {Kind: tree.FromScript, Package: "tool", Version: "3", Script: "postinst", Command: "touch"}},
					Paths: record.Paths{Path: []string{"bin/tool", "etc/made"}, Type: []uint8{0, 0}, Mode: []uint32{0, 0}, Owner: []string{"", ""}, Size: []int64{5, 1},
						Link: []string{"", ""}, Origin: []int{0, 1}, Layer: []int{0, 1}},
				},
			},
			`by record
base 1 ,  , 0 bytes in 0 files, why: in the base image
tool 3 amd64, source 3, 5 bytes in 1 files, why: requested
file bin/tool: package tool: package tool 3
file etc/made: script tool: package tool 3, postinst, touch
file extra: unknown : unknown
`},
		"a record that leaves packages to their layers": {
			inventorytest.Image{
				Layers: [][]file{{{Path: "/bin/tool", Content: "12345"}}, {{Path: "/bin/b", Content: "1"}}, {{Path: "/extra", Content: "1"}}},
				Record: &record.Record{
					Partial: true, Packages: []lock.Package{{Name: "tool", Version: "3"}},
					Layers: []record.Layer{{Packages: []string{"tool"}}, {Packages: []string{"a", "b"}}, {}},
				},
			},
			`by record
tool 3 ,  , 5 bytes in 1 files, why: 
file bin/b: package : one of the packages a, b
file bin/tool: package tool: package tool 3
file extra: unknown : unknown
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := listing(t, test.image); got != test.want {
				t.Errorf("got\n%s\nexpected\n%s", got, test.want)
			}
		})
	}
}
