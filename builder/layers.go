package builder

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// stratum is one layer of an image with the packages in it, or the stage whose
// paths it holds; the image's own layer has neither.
type stratum struct {
	layer.Info
	members []*member
	stage   string
	base    *baseLayer // of the image that this one stands on, which it is or was made from
}

// stack returns the layers of an image, lowest first: one for each package, the
// smaller ones together where the budget is short, one for what was copied out of
// each stage, and on top the image's own, with every directory and all that nobody
// else brought. No path is in two of them. Directories stand on top because a
// runtime that stacks layers gives a merged directory the metadata that its
// uppermost layer has, and because a package's layer must not depend on which other
// packages share its directories.
func stack(ctx context.Context, p *press, a *assembly, budget int) ([]stratum, error) {
	upper, err := upperLayers(ctx, p, a)
	if err != nil {
		return nil, err
	}
	if budget <= len(upper) {
		var own []layer.Info
		for _, st := range upper {
			own = append(own, st.Info)
		}
		joined, err := join(ctx, p, append(infos(a.members), own...))
		return []stratum{{Info: joined, members: a.members}}, err
	}
	single, together := share(a.members, budget-len(upper))
	var strata []stratum
	for _, m := range single {
		strata = append(strata, stratum{Info: m.files.Layer, members: []*member{m}})
	}
	if len(together) > 0 {
		joined, err := join(ctx, p, infos(together))
		if err != nil {
			return nil, err
		}
		strata = append(strata, stratum{Info: joined, members: together})
	}
	return append(strata, upper...), nil
}

// upperLayers writes what no package brought: a layer for each stage that something
// was copied from, by the name of the stage, and the image's own.
func upperLayers(ctx context.Context, p *press, a *assembly) ([]stratum, error) {
	var own []*tree.Node
	copied := map[string][]*tree.Node{}
	for n := range a.tree.All() {
		switch stage := stageOf(n); {
		case n.Layered || n.Path == "." || a.keeps(n):
		case stage != "":
			copied[stage] = append(copied[stage], n)
		default:
			own = append(own, n)
		}
	}
	var strata []stratum
	for _, stage := range slices.Sorted(maps.Keys(copied)) {
		info, err := copiedLayer(ctx, p, copied[stage])
		if err != nil {
			return nil, fmt.Errorf("cannot write the layer of stage %s: %w", stage, err)
		}
		strata = append(strata, stratum{Info: info, stage: stage})
	}
	info, err := writeLayer(ctx, p, own)
	if err != nil {
		return nil, fmt.Errorf("cannot write the image's own layer: %w", err)
	}
	return append(strata, stratum{Info: info}), nil
}

// stageOf returns the stage in whose layer a node is, "" where it is in none:
// directories are in the image's own.
func stageOf(n *tree.Node) string {
	if n.Origin == nil || n.Type == tree.Dir {
		return ""
	}
	return n.Origin.Stage
}

// share divides the packages among at most budget layers: the largest have one
// of their own, so that an update costs little, and the rest share one.
func share(members []*member, budget int) (single, together []*member) {
	if len(members) <= budget {
		return members, nil
	}
	order := slices.Clone(members)
	slices.SortStableFunc(order, func(a, b *member) int {
		return cmp.Or(cmp.Compare(b.files.Layer.Size, a.files.Layer.Size), strings.Compare(a.Name, b.Name))
	})
	large := map[*member]bool{}
	for _, m := range order[:budget-1] {
		large[m] = true
	}
	for _, m := range members {
		if large[m] {
			single = append(single, m)
		} else {
			together = append(together, m)
		}
	}
	return single, together
}

func infos(members []*member) []layer.Info {
	list := make([]layer.Info, len(members))
	for i, m := range members {
		list[i] = m.files.Layer
	}
	return list
}

// join joins layers, unless the store remembers having done so.
func join(ctx context.Context, p *press, parts []layer.Info) (layer.Info, error) {
	key, err := json.Marshal(parts)
	if err != nil {
		return layer.Info{}, err
	}
	var joined layer.Info
	if p.Get("joined", layer.Format+string(key), &joined) {
		if size, ok := p.Stat(joined.Digest); ok && size == joined.Size {
			return joined, nil
		}
	}
	if joined, err = layer.Join(ctx, p.Store, parts); err != nil {
		return layer.Info{}, err
	}
	if err := p.joined(joined, parts); err != nil {
		return layer.Info{}, err
	}
	return joined, p.Set("joined", layer.Format+string(key), joined)
}

// copiedLayer writes nodes that were copied out of a stage, unless the store
// remembers having done so.
func copiedLayer(ctx context.Context, p *press, nodes []*tree.Node) (layer.Info, error) {
	key := nodesKey(nodes, p.compression)
	var info layer.Info
	if p.Get("copied-layer", key, &info) {
		if size, ok := p.Stat(info.Digest); ok && size == info.Size {
			return info, nil
		}
	}
	info, err := writeLayer(ctx, p, nodes)
	if err != nil {
		return info, err
	}
	return info, p.Set("copied-layer", key, info)
}

// writeLayer writes a layer of nodes, in their order, hard links last: who extracts the
// layer cannot link to a file that is not there yet.
func writeLayer(ctx context.Context, p *press, nodes []*tree.Node) (layer.Info, error) {
	w, err := p.layer(false)
	if err != nil {
		return layer.Info{}, err
	}
	defer w.Close()
	isLink := map[tree.Type]int{tree.Hardlink: 1}
	inOrder := slices.Clone(nodes)
	slices.SortStableFunc(inOrder, func(a, b *tree.Node) int { return isLink[a.Type] - isLink[b.Type] })
	for _, n := range inOrder {
		if err := ctx.Err(); err != nil {
			return layer.Info{}, err
		}
		if err := addNode(w.Writer, n); err != nil {
			return layer.Info{}, err
		}
	}
	return w.Finish()
}

func addNode(w *layer.Writer, n *tree.Node) error {
	if n.Type != tree.File {
		return w.Add(n, nil)
	}
	r, err := n.Content.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	return w.Add(n, r)
}

// imageLayers returns the strata as an image has them, with the history that
// names each layer's packages.
func imageLayers(s *store.Store, strata []stratum) []oci.Layer {
	layers := make([]oci.Layer, len(strata))
	for i, st := range strata {
		if st.base != nil && st.base.layer.Digest == st.Digest {
			layers[i] = st.base.layer
			continue
		}
		layers[i] = storedLayer(s, st.Info)
		layers[i].CreatedBy, layers[i].Comment = st.history(), "hardpan"
	}
	return layers
}

// storedLayer returns a layer of the store as an image has it.
func storedLayer(s *store.Store, l layer.Info) oci.Layer {
	return oci.Layer{
		Digest: l.Digest, DiffID: l.DiffID, Size: l.Size, MediaType: l.Compression.MediaType(),
		Open: func() (io.ReadCloser, error) { return s.Open(l.Digest) },
	}
}

func (st *stratum) history() string {
	if st.base != nil {
		return "written anew from layer " + string(st.base.layer.Digest) + " of the base image"
	}
	if st.stage == bytecodeLayer {
		return "bytecode of Python modules"
	}
	if st.stage != "" {
		return "copied from stage " + st.stage
	}
	if len(st.members) == 0 {
		return "directories, accounts, effects of maintainer scripts, paths of the spec"
	}
	var names []string
	for _, m := range st.members {
		names = append(names, m.Name+" "+m.Version+" ("+m.Architecture+")")
	}
	return "packages: " + strings.Join(names, ", ")
}
