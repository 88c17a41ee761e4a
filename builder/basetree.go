package builder

import (
	"context"
	"fmt"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// baseImage is the existing image that an image stands on.
type baseImage struct {
	*oci.Image
	reference string
	named     store.Digest // of what the reference leads to, an index or the manifest
	layers    []*baseLayer
	tree      *tree.Tree        // what its layers make; not to be changed
	implied   *tree.Origin      // of directories above others that no layer has
	special   map[string]string // what a tree has no type for, by path
	record    *record.Record    // nil where hardpan did not build it
	database
}

// baseImage returns the image that the spec stands on, for a platform, or nil where it
// stands on none. images are what the references of the spec lead to.
func (b *build) baseImage(ctx context.Context, spec *specs.Spec, images []lock.Image, p specs.Platform) (*baseImage, error) {
	if spec.From == "" {
		return nil, nil
	}
	locked := (&lock.Lock{Images: images}).Image(spec.From)
	img, err := b.imageOfReference(ctx, spec, locked, p, []any{"from"})
	if err != nil {
		return nil, err
	}
	base, err := b.readBase(ctx, img)
	if err != nil {
		return nil, positioned(spec, []any{"from"}, fmt.Errorf("cannot read base image %s: %w", spec.From, err))
	}
	base.reference, base.named = spec.From, store.Digest(locked.Digest)
	return base, nil
}

// readBase reads the image's layers into a tree.
func (b *build) readBase(ctx context.Context, img *oci.Image) (*baseImage, error) {
	base := &baseImage{Image: img, layers: make([]*baseLayer, len(img.Layers))}
	numbers := make([]int, len(img.Layers))
	for i := range numbers {
		numbers[i] = i
	}
	err := parallel(ctx, b.o.Jobs, numbers, func(ctx context.Context, i int) (err error) {
		base.layers[i], err = b.readBaseLayer(ctx, img.Layers[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	// A directory that no layer has is made by who extracts one.
	base.implied = &tree.Origin{Kind: tree.FromBase, Base: string(lowest(img)), Command: "directory above another path"}
	base.tree = tree.New(base.implied, b.epoch.Unix())
	o, err := layered(base.tree, base.layers)
	if err != nil {
		return nil, err
	}
	base.special = o.Special
	if base.database, err = readDatabase(base.tree); err != nil {
		return nil, err
	}
	base.explain()
	return base, nil
}

func lowest(img *oci.Image) store.Digest {
	if len(img.Layers) == 0 {
		return ""
	}
	return img.Layers[0].Digest
}

// explain gives the paths of the tree the origins that the image's record has for
// them or, where there is none that fits, the packages of its database. What a record
// says of a path counts only where it is what the path is.
func (base *baseImage) explain() {
	if rec, err := record.Decode(base.Config.Record); err == nil && len(rec.Layers) == len(base.layers) {
		base.record = rec
		for i, l := range rec.Layers {
			if l.DiffID != base.Layers[i].DiffID {
				base.record = nil
				break
			}
		}
	}
	owned := map[*installed]map[string]*tree.Origin{} // by layer
	said := map[[2]any]*tree.Origin{}                 // by the record's origin and layer
	for n := range base.tree.All() {
		in := n.Origin.Base
		if base.record != nil {
			if row, ok := base.record.Lookup(n.Path); ok && row.Type == n.Type.String() && row.Mode == fmt.Sprintf("%04o", n.Mode) &&
				row.Owner == fmt.Sprintf("%d:%d", n.UID, n.GID) && row.Size == n.Size && row.Link == n.Link {
				key := [2]any{row.Origin, in}
				if said[key] == nil {
					o := *row.Origin
					o.Base = in
					said[key] = &o
				}
				n.Origin = said[key]
				continue
			}
		}
		pkg := base.owners[n.Path]
		if pkg == nil || n.Type == tree.Dir {
			continue
		}
		if owned[pkg] == nil {
			owned[pkg] = map[string]*tree.Origin{}
		}
		if owned[pkg][in] == nil {
			owned[pkg][in] = &tree.Origin{Kind: tree.FromBase, Base: in, Package: pkg.Name, Version: pkg.Version}
		}
		n.Origin = owned[pkg][in]
	}
}

// plant puts what the image has into a tree that is about to grow.
func (base *baseImage) plant(t *tree.Tree) error {
	for n := range base.tree.All() {
		if err := t.Set(clone(n)); err != nil {
			return err
		}
	}
	return nil
}

func clone(n *tree.Node) *tree.Node {
	c := *n
	return &c
}

// has reports whether a node came with the base image, changed since or not.
func (base *baseImage) has(n *tree.Node) bool {
	return base != nil && base.tree.Lookup(n.Path) != nil
}

// same reports whether a node is what the base image has at its path. Its time and who
// wrote it last do not matter: the same bytes need not be written again.
func (base *baseImage) same(n *tree.Node) bool {
	if base == nil {
		return false
	}
	old := base.tree.Lookup(n.Path)
	return old != nil && old.Type == n.Type && old.Mode == n.Mode && old.UID == n.UID && old.GID == n.GID &&
		old.Link == n.Link && old.SHA256 == n.SHA256 && old.Capability == n.Capability
}
