package builder

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
)

// strip takes out of the base's tree what a policy leaves out of packages.
func (base *baseImage) strip(policy *harden.Policy) []record.Stripped {
	var all []record.Stripped
	conffiles := base.conffiles()
	for n := range base.tree.All() {
		rule := stripping(policy, n, conffiles)
		if rule == nil {
			continue
		}
		s := record.Stripped{Path: n.Path, Rule: rule.ID, Size: n.Size}
		if n.Origin != nil {
			s.Package = n.Origin.Package
		}
		if dropped := policy.Drop(n.Path); dropped == rule {
			base.tree.HandOver(n.Path)
			base.tree.Remove(n.Path)
		} else {
			s.Size, s.Bits = 0, true
			n.Mode, _ = policy.Mode(n.Path, n.Mode)
			if policy.Capability(n.Path) != nil {
				n.Capability = ""
			}
		}
		all = append(all, s)
	}
	base.dropEmpty(policy, ".")
	return all
}

// dropEmpty removes the directories that the policy left nothing in, and reports
// whether dir is one.
func (base *baseImage) dropEmpty(policy *harden.Policy, dir string) {
	for _, child := range slices.Clone(base.tree.ReadDir(dir)) {
		name := tree.Clean(dir + "/" + child)
		if n := base.tree.Lookup(name); n.Type != tree.Dir {
			continue
		}
		base.dropEmpty(policy, name)
		if len(base.tree.ReadDir(name)) == 0 && policy.Drop(name) != nil {
			base.tree.Remove(name)
		}
	}
}

// rewrite writes the base's layers anew: of each what is left of it in the image. A
// layer of which nothing is left is none.
func (a *assembly) rewrite(ctx context.Context, b *build) ([]stratum, error) {
	left := map[*baseLayer][]*tree.Node{}
	for n := range a.tree.All() {
		if n.Layered && a.owners[n.Path] == nil {
			l := a.base.layerOf(a.tree, n)
			left[l] = append(left[l], n)
		}
	}
	var strata []stratum
	for _, l := range a.base.layers {
		if len(left[l]) == 0 {
			continue
		}
		info, err := l.rewrite(ctx, b.press, left[l])
		if err != nil {
			return nil, fmt.Errorf("cannot write layer %s of the base image anew: %w", l.layer.Digest, err)
		}
		strata = append(strata, stratum{Info: info, base: l})
	}
	return strata, nil
}

// layerOf returns the layer that a node of the base goes into when it is written anew: a
// file into that which holds its content, its other names with it, and links into that
// which had them.
func (base *baseImage) layerOf(t *tree.Tree, n *tree.Node) *baseLayer {
	if n.Type == tree.Hardlink {
		if to := t.Lookup(n.Link); to != nil {
			n = to
		}
	}
	if content, ok := n.Content.(*baseContent); ok {
		return content.in
	}
	for _, l := range slices.Backward(base.layers) {
		if string(l.layer.Digest) == n.Origin.Base {
			return l
		}
	}
	return base.layers[0]
}

// rewrite writes a layer with those nodes, whose files are all in it, in the order in
// which it has them; links come after. The store remembers it.
func (bl *baseLayer) rewrite(ctx context.Context, p *press, nodes []*tree.Node) (layer.Info, error) {
	key := string(bl.layer.DiffID) + "\x00" + nodesKey(nodes, p.compression)
	var info layer.Info
	if bl.store.Get("rewritten-layer", key, &info) {
		if size, ok := bl.store.Stat(info.Digest); ok && size == info.Size {
			return info, nil
		}
	}
	w, err := p.layer(false)
	if err != nil {
		return info, err
	}
	defer w.Close()
	files := map[int]*tree.Node{}
	var links []*tree.Node
	for _, n := range nodes {
		content, ok := n.Content.(*baseContent)
		if !ok || n.Type != tree.File {
			links = append(links, n)
			continue
		}
		if twice := files[content.index]; twice != nil {
			return info, fmt.Errorf("/%s and /%s have one content: a fault of hardpan", twice.Path, n.Path)
		}
		files[content.index] = n
	}
	if err := bl.copyFiles(ctx, w.Writer, files); err != nil {
		return info, err
	}
	for _, n := range links {
		if err := w.Add(n, nil); err != nil {
			return info, err
		}
	}
	if info, err = w.Finish(); err != nil {
		return info, err
	}
	return info, bl.store.Set("rewritten-layer", key, info)
}

// copyFiles copies members of the layer, which files has by their index, under the
// names and with the metadata that it gives them.
func (bl *baseLayer) copyFiles(ctx context.Context, w *layer.Writer, files map[int]*tree.Node) error {
	content, err := bl.layer.Uncompressed()
	if err != nil {
		return err
	}
	defer content.Close()
	r := &contextReader{ctx, content}
	members := tar.NewReader(r)
	for i := 0; ; {
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if n := files[i]; n != nil {
			if err := w.Add(n, members); err != nil {
				return err
			}
		}
		i++
	}
	_, err = io.Copy(io.Discard, r) // to where the digest is compared
	return err
}

// nodesKey is a text that two lists of nodes share where their layers are equal.
func nodesKey(nodes []*tree.Node, c layer.Compression) string {
	var key strings.Builder
	fmt.Fprintln(&key, layer.Format, c)
	for _, n := range nodes {
		fmt.Fprintf(&key, "%q %d %o %d:%d %d %d %q %s %s\n", n.Path, n.Type, n.Mode, n.UID, n.GID, n.ModTime, n.Size, n.Link, n.SHA256, n.Capability)
	}
	return key.String()
}
