package maint

import (
	"maps"
	"slices"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/tree"
)

// conffiles are those that are unpacked and not there yet: dpkg unpacks each beside
// its name and puts it in place when it configures the package (Debian Policy,
// appendix D.2), so that what reads all of a directory in /etc does not see those
// of packages that are not configured. The first packages of a system are extracted
// with all that they have.
type conffiles struct {
	base   map[int]bool // the first packages
	hidden map[int][]*tree.Node
}

func newConffiles(img *Image) conffiles {
	c := conffiles{base: map[int]bool{}, hidden: map[int][]*tree.Node{}}
	d := img.dependencies()
	if len(img.Installed) > 0 {
		return c
	}
	if batches := img.Batches(); slices.ContainsFunc(batches[0].Packages, func(i int) bool { return d.essential[i] }) {
		for _, i := range batches[0].Packages {
			c.base[i] = true
		}
	}
	return c
}

// hideConffiles takes the conffiles of an unpacked package out of the tree.
func (in *Installation) hideConffiles(i int) {
	p := &in.img.Packages[i]
	if in.conffiles.base[i] {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.Conffiles)) {
		at := in.Diverted(p.Name, debian.MergedUsr(tree.Clean(name), false))
		n := in.img.Tree.Lookup(at)
		if n == nil || n.Type != tree.File || n.Origin == nil || n.Origin.Kind != tree.FromPackage || n.Origin.Package != p.Name {
			continue
		}
		in.conffiles.hidden[i] = append(in.conffiles.hidden[i], n)
		in.img.Tree.Remove(at)
	}
}

// placeConffiles puts them in place. What a script has put there in the meantime
// stays, as without an answer to dpkg's question.
func (in *Installation) placeConffiles(i int) error {
	for _, n := range in.conffiles.hidden[i] {
		if in.img.Tree.Lookup(n.Path) != nil {
			continue
		}
		if err := in.img.Tree.Set(n); err != nil {
			return err
		}
	}
	delete(in.conffiles.hidden, i)
	return nil
}
