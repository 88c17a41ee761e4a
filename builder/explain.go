package builder

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// ErrNoRecord is wrapped by the error about an image that hardpan did not build.
var ErrNoRecord = errors.New("the image has no record of its build")

// ExplainOptions say how an image is opened.
type ExplainOptions struct {
	Platform string // "" is the first of the image
	Insecure bool   // allow plain HTTP to the registry
}

// Explanation is where a path of an image comes from.
type Explanation struct {
	Image    store.Digest `json:"image"` // digest of the platform's manifest
	Platform string       `json:"platform"`
	Layers   int          `json:"layers"`
	// Steps are the path, where symbolic links lead from there, and last what it is.
	Steps []ExplainedPath `json:"steps"`
}

// ExplainedPath is one path with its origin in words and as data.
type ExplainedPath struct {
	record.Row
	Origin      string        `json:"originText"`
	LayerDigest store.Digest  `json:"layerDigest"`
	Package     *lock.Package `json:"package,omitempty"` // that shipped it or whose script made it
}

// Explain says where a path of an image comes from, by the record that the image
// carries. ref is what [oci.Open] takes. Errors wrap [ErrNoRecord] or, for a path
// that the image does not have, [fs.ErrNotExist].
func Explain(ctx context.Context, ref, path string, o ExplainOptions) (*Explanation, error) {
	img, closeImage, err := openImage(ctx, ref, o)
	if err != nil {
		return nil, err
	}
	defer closeImage()
	if len(img.Config.Record) == 0 {
		return nil, fmt.Errorf("cannot explain paths of %s: %w", ref, ErrNoRecord)
	}
	rec, err := record.Decode(img.Config.Record)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	if len(rec.Layers) != len(img.Layers) {
		return nil, fmt.Errorf("%s: its record is of %d layers, the image has %d", ref, len(rec.Layers), len(img.Layers))
	}
	steps, found := rec.Resolve(path)
	if len(steps) == 0 && rec.Partial {
		if steps, err = searchLayers(img, rec, tree.Clean(path)); err != nil {
			return nil, err
		}
		found = len(steps) > 0
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("%s (%s) has no path %s: %w", ref, img.Platform, path, fs.ErrNotExist)
	}
	e := &Explanation{Image: img.Digest, Platform: img.Platform.String(), Layers: len(img.Layers)}
	for _, p := range steps {
		e.Steps = append(e.Steps, ExplainedPath{
			Row: p, Origin: p.Origin.String(), Package: rec.Package(p.Origin.Package),
			LayerDigest: img.Layers[p.Layer].Digest,
		})
	}
	if !found { // a link that leads nowhere is explained all the same
		last := &e.Steps[len(e.Steps)-1]
		last.Origin += "; the link leads to nothing in the image"
	}
	return e, nil
}

// searchLayers looks for a path of a package in the layers, for a record that has
// no room for it. In a layer of several packages it cannot tell which.
func searchLayers(img *oci.Image, rec *record.Record, path string) ([]record.Row, error) {
	for i, l := range img.Layers {
		h, err := findInLayer(l, path)
		if err != nil {
			return nil, err
		}
		if h == nil {
			continue
		}
		origin := &tree.Origin{Kind: tree.FromPackage, Package: strings.Join(rec.Layers[i].Packages, " or ")}
		if p := rec.Package(origin.Package); p != nil {
			origin.Version, origin.SHA256 = p.Version, p.SHA256
		}
		types := map[byte]tree.Type{tar.TypeDir: tree.Dir, tar.TypeSymlink: tree.Symlink, tar.TypeLink: tree.Hardlink}
		return []record.Row{{
			Path: "/" + path, Type: types[h.Typeflag].String(), Mode: fmt.Sprintf("%04o", h.Mode),
			Owner: fmt.Sprintf("%d:%d", h.Uid, h.Gid), Size: h.Size, Link: h.Linkname, Origin: origin, Layer: i,
			Capability: layer.Capability(h).String(),
		}}, nil
	}
	return nil, nil
}

func findInLayer(l oci.Layer, path string) (*tar.Header, error) {
	r, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for entries := tar.NewReader(r); ; {
		h, err := entries.Next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.Digest, err)
		}
		if tree.Clean(h.Name) == path {
			return h, nil
		}
	}
}

// openImage opens the image of one platform and returns what closes it.
func openImage(ctx context.Context, ref string, o ExplainOptions) (*oci.Image, func() error, error) {
	open := oci.OpenOptions{Insecure: o.Insecure}
	if o.Platform != "" {
		p, err := oci.ParsePlatform(o.Platform)
		if err != nil {
			return nil, nil, err
		}
		open.Platform = p
	}
	src, err := oci.Open(ctx, ref, open)
	if err != nil {
		return nil, nil, err
	}
	return src.Images[0], src.Close, nil
}
