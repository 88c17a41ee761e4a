package builder

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// stratum is one layer of an image with the packages in it; the image's own layer
// has none.
type stratum struct {
	layer.Info
	members []*member
}

// stack returns the layers of an image, lowest first: one for each package, the
// smaller ones together where the budget is short, and on top the image's own,
// with every directory and all that no package brought. No path is in two of
// them. Directories stand on top because a runtime that stacks layers gives a
// merged directory the metadata that its uppermost layer has, and because a
// package's layer must not depend on which other packages share its directories.
func stack(ctx context.Context, s *store.Store, t *tree.Tree, members []*member, budget int, c layer.Compression) ([]stratum, error) {
	own, err := imageLayer(ctx, s, t, c)
	if err != nil {
		return nil, fmt.Errorf("cannot write the image's own layer: %w", err)
	}
	top := stratum{Info: own}
	if budget == 1 {
		joined, err := join(ctx, s, append(infos(members), own))
		return []stratum{{Info: joined, members: members}}, err
	}
	single, together := share(members, budget-1)
	var strata []stratum
	for _, m := range single {
		strata = append(strata, stratum{m.files.Layer, []*member{m}})
	}
	if len(together) > 0 {
		joined, err := join(ctx, s, infos(together))
		if err != nil {
			return nil, err
		}
		strata = append(strata, stratum{joined, together})
	}
	return append(strata, top), nil
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
func join(ctx context.Context, s *store.Store, parts []layer.Info) (layer.Info, error) {
	key, err := json.Marshal(parts)
	if err != nil {
		return layer.Info{}, err
	}
	var joined layer.Info
	if s.Get("joined", layer.Format+string(key), &joined) {
		if size, ok := s.Stat(joined.Digest); ok && size == joined.Size {
			return joined, nil
		}
	}
	if joined, err = layer.Join(ctx, s, parts); err != nil {
		return layer.Info{}, err
	}
	return joined, s.Set("joined", layer.Format+string(key), joined)
}

// imageLayer writes what is in no package's layer.
func imageLayer(ctx context.Context, s *store.Store, t *tree.Tree, c layer.Compression) (layer.Info, error) {
	w, err := layer.NewWriter(s, c)
	if err != nil {
		return layer.Info{}, err
	}
	defer w.Close()
	for n := range t.All() {
		if n.Layered || n.Path == "." {
			continue
		}
		if err := ctx.Err(); err != nil {
			return layer.Info{}, err
		}
		if err := addNode(w, n); err != nil {
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
		layers[i] = oci.Layer{
			Digest: st.Digest, DiffID: st.DiffID, Size: st.Size, MediaType: st.Compression.MediaType(),
			CreatedBy: st.history(), Comment: "hardpan",
			Open: func() (io.ReadCloser, error) { return s.Open(st.Digest) },
		}
	}
	return layers
}

func (st *stratum) history() string {
	if len(st.members) == 0 {
		return "directories, accounts, effects of maintainer scripts, paths of the spec"
	}
	var names []string
	for _, m := range st.members {
		names = append(names, m.Name+" "+m.Version+" ("+m.Architecture+")")
	}
	return "packages: " + strings.Join(names, ", ")
}
