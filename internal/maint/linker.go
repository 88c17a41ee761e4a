package maint

import (
	"context"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/ldso"
	"github.com/hardpan/hardpan/internal/tree"
)

// linkerStep does what the trigger of libc-bin asks of ldconfig(8), for every
// image with glibc: without libc-bin nothing would, and libraries outside the
// default directories would not be found.
type linkerStep struct{}

func (linkerStep) Name() string { return "libc-bin trigger: ldconfig" }

// The format of the cache is known for glibc 2.
func (linkerStep) Applies(img *Image) bool {
	p := img.Package("libc6")
	return p != nil && strings.HasPrefix(p.Version, "2.")
}

func (s linkerStep) Apply(_ context.Context, img *Image) error {
	libc := img.Package("libc6")
	origin := &tree.Origin{Kind: tree.FromBuilder, Command: "ldconfig"}
	if p := img.Package("libc-bin"); p != nil {
		origin = p.origin("triggers", "ldconfig")
	}
	links, err := ldso.Links(img.Tree, img.Architecture, libc.Version)
	if err != nil {
		return err
	}
	for _, l := range links {
		if err := img.relink(l, origin); err != nil {
			return err
		}
	}
	cache, err := ldso.Cache(img.Tree, img.Architecture, libc.Version)
	if err != nil {
		return err
	}
	return img.put(&tree.Node{Path: tree.Clean(ldso.CachePath), Type: tree.File, Mode: 0o644, Content: tree.Bytes(cache), Origin: origin})
}

// relink makes, turns or removes one link named by a soname.
func (img *Image) relink(l ldso.Link, origin *tree.Origin) error {
	at, err := img.Tree.RealPath(l.Path)
	if err != nil {
		return err
	}
	if l.Target == "" {
		img.Tree.Remove(at)
		return nil
	}
	return img.put(&tree.Node{Path: at, Type: tree.Symlink, Mode: 0o777, Link: l.Target, Origin: origin})
}
