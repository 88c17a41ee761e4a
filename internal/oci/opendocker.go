package oci

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/hardpan/hardpan/internal/store"
)

// savedBackend has the blobs of a docker archive, which names them as it likes, by
// their digests.
type savedBackend struct {
	files    *tarFiles
	names    map[store.Digest]string
	document []byte // the manifest made for the image
}

func (b savedBackend) manifest(context.Context, descriptor) (io.ReadCloser, error) {
	return documentReader(b.document), nil
}

func (b savedBackend) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return b.files.open(b.names[d.Digest])
}

func (b savedBackend) stat(d descriptor) error {
	_, err := b.files.lookup(b.names[d.Digest])
	return err
}

// readSaved reads an image of a docker archive: manifest.json names the config and
// the layers, and the config has their diff IDs (Docker image spec v1.2). There is
// no manifest as registries have it; this makes one.
func readSaved(ctx context.Context, files *tarFiles, choice string, o OpenOptions) (*Source, error) {
	raw, err := readSmall(files, savedManifest)
	if err != nil {
		return nil, err
	}
	var list []savedImage
	if err := decode(raw, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", savedManifest, err)
	}
	saved, err := chooseSaved(list, choice)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", savedManifest, err)
	}
	b := savedBackend{files: files, names: map[store.Digest]string{}}
	doc, err := b.describe(saved)
	if err != nil {
		return nil, err
	}
	if b.document, err = encodeManifest(doc); err != nil {
		return nil, err
	}
	d := descriptor{MediaType: mediaManifest, Digest: store.DigestOf(b.document), Size: int64(len(b.document))}
	if want, ok := strings.CutPrefix(choice, "@"); ok && want != string(d.Digest) && want != string(doc.Config.Digest) {
		return nil, fmt.Errorf("it has no image %s: %w", want, fs.ErrNotExist)
	}
	return loadSource(ctx, o.loader(b), d, files)
}

func chooseSaved(list []savedImage, choice string) (savedImage, error) {
	wanted, byName := strings.CutPrefix(choice, ":")
	var found []savedImage
	var names []string
	for _, s := range list {
		names = append(names, s.RepoTags...)
		if !byName || slices.ContainsFunc(s.RepoTags, func(t string) bool { return sameName(t, wanted) }) {
			found = append(found, s)
		}
	}
	switch {
	case len(list) == 0:
		return savedImage{}, fmt.Errorf("%w: it lists no image", ErrInvalid)
	case len(found) == 0:
		return savedImage{}, fmt.Errorf("%w: it has no image %q, it has %s", fs.ErrNotExist, wanted, quoteList(names))
	case len(found) > 1:
		return savedImage{}, withHint(fmt.Errorf("%w: it has %d images, %s", ErrInvalid, len(found), quoteList(names)),
			"choose one by adding :NAME to the path")
	}
	return found[0], nil
}

// sameName reports whether an image of that name is the one wanted, which may also
// be its tag alone or be spelled shorter, as "python:3.13" is for
// "docker.io/library/python:3.13".
func sameName(have, wanted string) bool {
	if have == wanted || have[strings.LastIndexByte(have, ':')+1:] == wanted {
		return true
	}
	a, errA := name.NewTag(have)
	b, errB := name.NewTag(wanted)
	return errA == nil && errB == nil && a.Name() == b.Name() && strings.Contains(wanted, ":")
}

// describe makes the manifest and notes where its blobs are.
func (b *savedBackend) describe(s savedImage) (manifestDoc, error) {
	doc := manifestDoc{SchemaVersion: 2, MediaType: mediaManifest, Layers: []descriptor{}}
	raw, err := readSmall(b.files, s.Config)
	if err != nil {
		return doc, fmt.Errorf("config: %w", err)
	}
	doc.Config = descriptor{MediaType: mediaConfig, Digest: store.DigestOf(raw), Size: int64(len(raw))}
	if claim, ok := digestInName(s.Config); ok && claim != doc.Config.Digest {
		return doc, fmt.Errorf("config %s: %w: it has digest %s", claim, ErrMismatch, doc.Config.Digest)
	}
	b.names[doc.Config.Digest] = s.Config
	_, config, err := parseConfig(raw)
	if err != nil {
		return doc, fmt.Errorf("config %s: %w", doc.Config.Digest, err)
	}
	if len(s.Layers) != len(config.RootFS.DiffIDs) || len(s.Layers) > maxLayers {
		return doc, fmt.Errorf("%w: %s has %d layers, the config %d diff IDs", ErrInvalid, savedManifest, len(s.Layers), len(config.RootFS.DiffIDs))
	}
	for i, name := range s.Layers {
		d, err := b.describeLayer(name, config.RootFS.DiffIDs[i])
		if err != nil {
			return doc, fmt.Errorf("layer %.200q: %w", name, err)
		}
		b.names[d.Digest] = name
		doc.Layers = append(doc.Layers, d)
	}
	return doc, nil
}

// describeLayer returns the descriptor of a layer. The digest of an uncompressed
// one is its diff ID; of a compressed one it is what its name says, "HEX.tar.gz",
// and both are verified when it is read. Only a compressed layer of another name
// has to be read now.
func (b *savedBackend) describeLayer(name string, diffID store.Digest) (descriptor, error) {
	d := descriptor{MediaType: MediaLayer, Digest: diffID}
	var err error
	if d.Size, err = b.files.size(name); err != nil {
		return d, err
	}
	r, err := b.files.open(name)
	if err != nil {
		return d, err
	}
	defer r.Close()
	head := make([]byte, 6)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return d, err
	}
	claim, claimed := digestInName(name)
	claimed = claimed && claim != diffID
	switch tool := compressedBy(head[:n]); tool {
	case "":
		if claimed && (strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".zst")) {
			return d, fmt.Errorf("%w: blob %s is not compressed", ErrMismatch, claim)
		}
		return d, nil
	case "gzip":
		d.MediaType = MediaLayerGzip
	case "zstd":
		d.MediaType = MediaLayerZstd
	default:
		return d, fmt.Errorf("%w: it is compressed with %s", ErrInvalid, tool)
	}
	if claimed {
		d.Digest = claim
		return d, nil
	}
	h := sha256.New()
	h.Write(head[:n])
	if _, err := io.Copy(h, r); err != nil {
		return d, err
	}
	d.Digest = digestOf(h)
	return d, nil
}

// digestInName returns the digest that a file's name states, as in "HEX.json",
// "HEX.tar.gz", "sha256:HEX" or "blobs/sha256/HEX".
func digestInName(name string) (store.Digest, bool) {
	stem, _, _ := strings.Cut(strings.TrimPrefix(path.Base(name), "sha256:"), ".")
	d := store.Digest("sha256:" + cmp.Or(stem, "-"))
	return d, d.Valid()
}
